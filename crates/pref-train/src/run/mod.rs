//! A run from its plan to a model on disk: set-up, the loop, checkpoints, the end.
//!
//! In: a [`Plan`]. Out: the run's folder (`plan.toml`, `metrics.jsonl`, `checkpoints/`, `model/`)
//! and what the evaluations said. A run killed at any moment and resumed ends with the same bytes
//! as one that was not.

mod changes;
mod folder;
mod identity;
mod lock;
mod pins;
mod start;
mod timer;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::backend::AutodiffBackend;
use pref_model::SaveDtype;

pub(crate) use identity::{Fingerprint, Identity, hex};

use crate::checkpoint::{self, Snapshot};
use crate::error::TrainError;
use crate::metrics::{PairMeans, Record, StepRecord};
use crate::plan::{Plan, ReferenceKind, WeightFormat};
use crate::reference::Set;
use crate::tracker::Tracker;
use crate::trainer::{StepFailure, Trainer};
use folder::Folder;
use lock::Lock;
use start::Sources;
use timer::SaveTimer;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one a run")]
pub enum Outcome {
    /// All steps were taken.
    Finished {
        /// Folder of the final weights.
        model: PathBuf,
        /// Optimiser steps of the run.
        steps: usize,
        /// The evaluation before the first step, if there is an evaluation set.
        before: Option<PairMeans>,
        /// The evaluation after the last step.
        after: Option<PairMeans>,
    },
    /// It was asked to stop, and can be resumed.
    Interrupted {
        /// Optimiser steps taken.
        step: usize,
        /// Where they are kept.
        checkpoint: PathBuf,
    },
    /// It was asked to stop while the reference scored the pairs. What is scored is kept in the
    /// run's folder; the same call goes on from there.
    Unstarted {
        /// Pairs scored.
        scored: usize,
        /// Pairs there are.
        of: usize,
    },
}

/// Runs a plan to its end, or until `stop` is set.
///
/// With `resume`, the run in the plan's folder goes on from its newest checkpoint that is complete
/// and undamaged. Its inputs (weights, tokenizer, template, rows) must be those it began with. Of
/// its settings these may change: more steps or epochs, the learning rate, rows to leave out
/// (`data.skip`), and what is logged and saved.
///
/// # Errors
/// [`TrainError`]. What was written stays: the checkpoints before the error can be resumed from.
pub fn train<B: AutodiffBackend>(
    plan: &Plan,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let folder = Folder::new(&plan.output.folder);
    let _lock = Lock::take(folder.path())?;
    folder.remove_leftovers()?;
    let mut plan = plan.clone();
    let begun = match resume {
        true => Some(changes::Begun::read(&folder, &mut plan)?),
        false => {
            folder.check_free()?;
            None
        }
    };
    pins::data(&mut plan, tracker)?;
    let tokenizer = pins::tokenizer(&mut plan, tracker)?;
    let sources = Sources {
        plan: &plan,
        tokenizer: &tokenizer,
        folder: &folder,
        begun: begun.as_ref(),
    };
    let trainer = sources.trainer::<B>(device, tracker, stop)?;
    let trainer = match trainer {
        ControlFlow::Continue(trainer) => trainer,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    let mut run = Run {
        plan: &plan,
        evaluations: BTreeMap::new(),
        timer: SaveTimer::new(plan.train.save_minutes),
        folder,
        trainer,
        tracker,
        stop,
    };
    match begun {
        Some(begun) => run.go_on(&begun)?,
        None => run.begin()?,
    }
    run.finish_all_steps()
}

struct Run<'a, B: AutodiffBackend> {
    plan: &'a Plan,
    folder: Folder,
    trainer: Trainer<B>,
    /// The evaluations in the metrics, by steps taken.
    evaluations: BTreeMap<usize, PairMeans>,
    timer: SaveTimer,
    tracker: &'a mut dyn Tracker,
    stop: &'a AtomicBool,
}

impl<B: AutodiffBackend> Run<'_, B> {
    /// Starts the run's folder: the plan, empty metrics, and a checkpoint of step 0 where they are
    /// written by steps.
    fn begin(&mut self) -> Result<(), TrainError> {
        self.folder.begin(self.plan)?;
        if self.plan.train.save_every > 0 {
            self.save()?;
        }
        Ok(())
    }

    /// Takes up the metrics at the restored step, and records changed settings.
    fn go_on(&mut self, begun: &changes::Begun) -> Result<(), TrainError> {
        let step = self.trainer.state.step;
        self.tracker.note(&format!("resumed after step {step}"));
        let unwritten = self.trainer.state.unwritten.take();
        self.folder.rewind(step, unwritten.as_ref())?;
        for record in self.folder.records()? {
            if let Record::Eval(record) = record {
                self.evaluations.insert(record.step, record.pairs);
            }
        }
        if !begun.changes.is_empty() {
            let changes = begun.changes.join(", ");
            self.tracker.note(&format!("resumed with {changes}"));
            let line = changes::line(step, &begun.changes);
            self.folder.append("changes.jsonl", &line)?;
        }
        self.folder.write("plan.toml", &self.plan.to_toml())
    }

    fn finish_all_steps(mut self) -> Result<Outcome, TrainError> {
        let total = self.trainer.total_steps();
        let mut is_told = false;
        loop {
            let step = self.trainer.state.step;
            if self.stop.load(Ordering::SeqCst) {
                return self.interrupted();
            }
            if self.is_evaluation_due(step, total) && self.evaluate()?.is_break() {
                return self.interrupted();
            }
            // after the first evaluation, which has a progress of its own
            if !std::mem::replace(&mut is_told, true) {
                self.tracker.training(step, total);
            }
            if step >= total {
                self.trainer.wait();
                return self.finish();
            }
            self.step()?;
            if self.is_checkpoint_due(step + 1, total) {
                self.save()?;
            }
        }
    }

    fn interrupted(&mut self) -> Result<Outcome, TrainError> {
        Ok(Outcome::Interrupted {
            step: self.trainer.state.step,
            checkpoint: self.save()?,
        })
    }

    fn is_evaluation_due(&self, step: usize, total: usize) -> bool {
        let every = self.plan.train.eval_every;
        let is_due = step == 0 || step == total || (every > 0 && step.is_multiple_of(every));
        is_due && self.trainer.n_eval() > 0 && !self.evaluations.contains_key(&step)
    }

    fn is_checkpoint_due(&self, step: usize, total: usize) -> bool {
        let every = self.plan.train.save_every;
        let is_due = (every > 0 && step.is_multiple_of(every)) || self.timer.is_due();
        is_due && step < total
    }

    fn step(&mut self) -> Result<(), TrainError> {
        let record = match self.trainer.step() {
            Ok(record) => record,
            Err(failure) => return Err(self.refused(failure, None)?),
        };
        let Some(record) = record else {
            return Ok(());
        };
        self.tracker.step(&record);
        if record.step == 1 {
            self.check_first_step(&record);
        }
        let record = Record::Step(record);
        let Err(error) = self.folder.log(&record) else {
            return Ok(());
        };
        // the line goes into the checkpoint, so that resuming writes it
        self.trainer.state.unwritten = Some(record);
        let kept = match self.save() {
            Ok(checkpoint) => format!(
                "the run is kept in {}; free some space and continue with --resume",
                checkpoint.display()
            ),
            Err(error) => error.to_string(),
        };
        Err(TrainError::Metrics {
            message: checkpoint::chain(&error),
            kept,
        })
    }

    /// Evaluates, unless it is asked to stop on the way.
    fn evaluate(&mut self) -> Result<ControlFlow<()>, TrainError> {
        self.tracker.begin("evaluation", self.trainer.n_eval());
        let (tracker, stop) = (&mut *self.tracker, self.stop);
        let record = self.trainer.evaluate(|n| {
            tracker.advance(n);
            !stop.load(Ordering::SeqCst)
        });
        self.tracker.end();
        let record = match record {
            Ok(ControlFlow::Continue(record)) => record,
            Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
            Err(failure) => {
                let step = self.trainer.state.step;
                return Err(self.refused(failure, Some(step))?);
            }
        };
        self.folder.log(&Record::Eval(record.clone()))?;
        self.tracker.evaluation(&record);
        self.evaluations.insert(record.step, record.pairs);
        Ok(ControlFlow::Continue(()))
    }

    /// Before the first update the policy is its own reference: every reward is zero, and the
    /// logistic loss ln 2. Anything else means that the reference is not what it is thought to be.
    fn check_first_step(&mut self, record: &StepRecord) {
        let plan = &self.plan.model;
        let is_own = plan.reference != ReferenceKind::None && plan.reference_path.is_none();
        let means = &record.pairs;
        let largest = means.chosen_rewards.abs().max(means.rejected_rewards.abs());
        if is_own && largest > 0.01 {
            self.tracker.note(&format!(
                "warning: the first step has rewards of {:.4} and {:.4}, where policy and reference \
                 should agree and both be 0; are {} and its reference the same weights?",
                means.chosen_rewards,
                means.rejected_rewards,
                plan.path.display()
            ));
        }
    }

    fn save(&mut self) -> Result<PathBuf, TrainError> {
        let trainer = &self.trainer;
        let snapshot = Snapshot {
            policy: &trainer.policy,
            optimizer: &trainer.optimizer,
            state: &trainer.state,
            tokenizer_from: &self.plan.model.path,
        };
        let keep = self.plan.output.keep_checkpoints;
        self.timer
            .time(|| checkpoint::save(self.folder.path(), keep, &snapshot))
    }

    /// Keeps the weights from before a step that cannot be taken, or from an evaluation that has no
    /// finite loss, and says why.
    fn refused(
        &mut self,
        failure: StepFailure,
        evaluation: Option<usize>,
    ) -> Result<TrainError, TrainError> {
        let (set, pairs, is_gradient) = match failure {
            StepFailure::Batch(error) => return Ok(TrainError::Batch(error)),
            StepFailure::Loss(set, pairs) => (set, pairs, false),
            StepFailure::Gradient(pairs) => (Set::Train, pairs, true),
        };
        let places = self.trainer.places(set, &pairs);
        let checkpoint = self.save()?;
        let step = self.trainer.state.step + 1;
        Ok(match (evaluation, is_gradient) {
            (Some(step), _) => TrainError::NotFiniteEvaluation {
                step,
                places,
                checkpoint,
            },
            (None, false) => TrainError::NotFinite {
                step,
                places,
                checkpoint,
            },
            (None, true) => TrainError::NotFiniteGradient {
                step,
                places,
                checkpoint,
            },
        })
    }

    /// The final weights, then the last checkpoint: the weights are what the run was for, and the
    /// checkpoint takes three times their space.
    fn finish(&mut self) -> Result<Outcome, TrainError> {
        let model = self.folder.model();
        let dtype = match self.plan.output.dtype {
            WeightFormat::Source => SaveDtype::Source,
            WeightFormat::F32 => SaveDtype::F32,
            WeightFormat::F16 => SaveDtype::F16,
            WeightFormat::Bf16 => SaveDtype::Bf16,
        };
        checkpoint::save_model(&model, &self.trainer.policy, dtype, &self.plan.model.path)?;
        if self.plan.output.last_checkpoint {
            self.save()?;
        }
        let steps = self.trainer.state.step;
        let at = |step: usize| self.evaluations.get(&step).copied();
        Ok(Outcome::Finished {
            model,
            steps,
            before: at(0),
            after: at(steps),
        })
    }
}
