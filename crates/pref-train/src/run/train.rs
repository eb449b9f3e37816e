//! The loop of a run. In: a [`Plan`]. Out: the run's folder (`plan.toml`, `metrics.jsonl`, `checkpoints/`,
//! `model/`) and the evaluations. On a CPU, a run that is killed at any moment and resumed ends with the same
//! bytes as an uninterrupted run.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pref_model::SaveDtype;

use super::best::{Verdict, Watch};
use super::changes::{PreviousPlan, change_line};
use super::checkpoint::{self, Snapshot};
use super::evaluated;
use super::events::Events;
use super::first_step::warning_of_first_step;
use super::folder::Folder;
use super::identity::Identity;
use super::lock::Lock;
use super::models::Models;
use super::outcome::Outcome;
use super::pace::Pace;
use super::pins;
use super::restore::restored_policy;
use super::retention::Retention;
use super::start::{Ready, Start};
use super::timer::SaveTimer;
use crate::error::{TrainError, error_chain};
use crate::evaluate::{Evaluation, evaluate};
use crate::metrics::{EvalRecord, Means, MetricsLine};
use crate::plan::{Plan, WeightFormat};
use crate::ranks::Ranks;
use crate::sets::DataSet;
use crate::step::{RunObjective, StepFailure, TrainBackend, TrainablePolicy, Trainer};
use crate::tracker::Tracker;

/// Trains on all ranks, until the plan is finished or `stop` is set on a rank.
pub(super) fn run<B: TrainBackend, M: Models<B>>(
    plan: &Plan,
    models: M,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
    ranks: &Rc<dyn Ranks>,
) -> Result<Outcome, TrainError> {
    // A plan that was deserialized or changed in code is not checked yet.
    plan.check()?;
    let folder = Folder::new(&plan.output.folder, ranks.is_first());
    // Rank 0 holds the lock for all.
    let _lock = match folder.writes() {
        true => {
            let lock = Lock::take(folder.path())?;
            folder.remove_leftovers()?;
            Some(lock)
        }
        false => None,
    };
    ranks.meet()?;
    let mut plan = plan.clone();
    let previous = match resume {
        true => Some(PreviousPlan::read(&folder, &mut plan)?),
        false => {
            folder.check_free()?;
            None
        }
    };
    // Rank 0 decides what the run pins.
    let mut tokenizer = None;
    if ranks.is_first() {
        pins::pin_data_sets(&mut plan, tracker)?;
        tokenizer = Some(pins::load_tokenizer(&mut plan, tracker)?);
    }
    let mut plan = pins::of_first_rank(plan, &**ranks)?;
    let tokenizer = match tokenizer {
        Some(tokenizer) => tokenizer,
        None => pins::load_tokenizer(&mut plan, tracker)?,
    };
    let start = Start {
        plan: &plan,
        tokenizer: &tokenizer,
        folder: &folder,
        previous: previous.as_ref(),
        ranks,
    };
    let Ready {
        plan,
        trainer,
        identity,
    } = match start.ready::<B, M>(&models, device, tracker, stop)? {
        ControlFlow::Continue(ready) => ready,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    // The trainer has its own copy of the policy.
    drop(models);
    let mut run = Run {
        eval_objective: RunObjective::new(&plan.objective),
        plan: &plan,
        evaluations: BTreeMap::new(),
        events: Events::default(),
        watch: Watch::of(&plan.train),
        verdict: Verdict::default(),
        saved: None,
        timer: SaveTimer::new(plan.train.save_minutes),
        pace: Pace::from(trainer.position.tokens),
        folder,
        identity,
        trainer,
        tracker,
        stop,
        ranks: &**ranks,
    };
    match previous {
        Some(previous) => run.resume(&previous)?,
        None => run.begin()?,
    }
    let outcome = run.finish_all_steps()?;
    // No rank ends before rank 0 has written the last file.
    ranks.meet()?;
    Ok(outcome)
}

/// A run in progress.
struct Run<'a, B: TrainBackend, P: TrainablePolicy<B>> {
    plan: &'a Plan,
    folder: Folder,
    /// The event file, besides the metrics in the folder.
    events: Events,
    identity: Identity,
    trainer: Trainer<B, P>,
    /// The objective on the backend without gradients.
    eval_objective: RunObjective<B::InnerBackend>,
    /// The evaluations in the metrics, by the number of steps before them.
    evaluations: BTreeMap<usize, Means>,
    /// How evaluations are compared.
    watch: Option<Watch>,
    /// What follows from the evaluations so far.
    verdict: Verdict,
    /// The step of the last checkpoint that this process wrote or read.
    saved: Option<usize>,
    timer: SaveTimer,
    pace: Pace,
    tracker: &'a mut dyn Tracker,
    stop: &'a AtomicBool,
    ranks: &'a dyn Ranks,
}

impl<B: TrainBackend, P: TrainablePolicy<B>> Run<'_, B, P> {
    /// Starts the run's folder: the plan, empty metrics, and a checkpoint of step 0 if checkpoints are
    /// written by steps.
    fn begin(&mut self) -> Result<(), TrainError> {
        self.folder.begin(self.plan)?;
        self.events = Events::begin(&self.plan.output, &self.folder)?;
        if self.plan.train.save_every > 0 {
            self.save()?;
        }
        Ok(())
    }

    /// Continues the metrics at the restored step, and records changed settings.
    fn resume(&mut self, previous: &PreviousPlan) -> Result<(), TrainError> {
        let step = self.trainer.position.step;
        self.tracker.note(&format!("resumed after step {step}"));
        let unwritten = self.trainer.position.unwritten.take();
        self.folder.rewind(step, unwritten.as_ref())?;
        // The other ranks read the metrics when they are rewound.
        self.ranks.meet()?;
        for record in self.folder.records()? {
            if let MetricsLine::Eval(record) = record {
                self.evaluations.insert(record.step, record.means);
            }
        }
        self.saved = Some(step);
        self.compare()?;
        if !previous.changes.is_empty() {
            let changes = previous.changes.join(", ");
            self.tracker.note(&format!("resumed with {changes}"));
            let line = change_line(step, &previous.changes);
            self.folder.append("changes.jsonl", &line)?;
        }
        self.events = Events::resume(&self.plan.output, &self.folder)?;
        self.folder.write("plan.toml", &self.plan.to_toml())
    }

    fn finish_all_steps(mut self) -> Result<Outcome, TrainError> {
        let total = self.trainer.total_steps();
        let mut has_reported_start = false;
        loop {
            let step = self.trainer.position.step;
            if self.ranks.any(self.stop.load(Ordering::SeqCst))? {
                return self.interrupted();
            }
            if self.is_evaluation_due(step, total) {
                if self.evaluate()?.is_break() {
                    return self.interrupted();
                }
                self.compare()?;
            }
            self.save_best()?;
            // This comes after the first evaluation, which has a progress bar of its own.
            if !std::mem::replace(&mut has_reported_start, true) {
                self.tracker.training(step, total);
            }
            if step >= total || self.verdict.stops {
                self.trainer.wait();
                return self.finish();
            }
            self.step()?;
            if self.is_checkpoint_due(step + 1, total) {
                self.save()?;
            }
        }
    }

    /// Saves a checkpoint of a run that was asked to stop.
    fn interrupted(&mut self) -> Result<Outcome, TrainError> {
        Ok(Outcome::Interrupted {
            step: self.trainer.position.step,
            checkpoint: self.save()?,
        })
    }

    fn is_evaluation_due(&self, step: usize, total: usize) -> bool {
        let every = self.plan.train.eval_every;
        let is_due = step == 0 || step == total || (every > 0 && step.is_multiple_of(every));
        is_due
            && self.trainer.inputs.n_used(DataSet::Eval) > 0
            && !self.evaluations.contains_key(&step)
    }

    fn is_checkpoint_due(&self, step: usize, total: usize) -> bool {
        let every = self.plan.train.save_every;
        let is_due = (every > 0 && step.is_multiple_of(every)) || self.timer.is_due();
        is_due && step < total
    }

    fn step(&mut self) -> Result<(), TrainError> {
        let begin = Instant::now();
        let record = match self.trainer.step() {
            Ok(record) => record,
            Err(failure) => return Err(self.save_after_failure(failure, None)?),
        };
        self.pace.add(begin.elapsed());
        let Some(record) = record else {
            return Ok(());
        };
        self.tracker.step(&record);
        if record.step == 1
            && let Some(warning) = warning_of_first_step(self.plan, &record)
        {
            self.tracker.note(&warning);
        }
        let times = self.pace.line(&record);
        let record = MetricsLine::Step(record);
        let Err(error) = self.log(&record) else {
            // Times are not needed to continue the run.
            if let Err(error) = self.folder.append("times.jsonl", &times) {
                self.tracker
                    .note(&format!("times are not written: {error}"));
            }
            return Ok(());
        };
        // The line goes into the checkpoint, so that a resumed run writes it.
        self.trainer.position.unwritten = Some(record);
        let kept = match self.save() {
            Ok(checkpoint) => format!(
                "the run is saved in {}; free some space and continue with --resume",
                checkpoint.display()
            ),
            Err(error) => error.to_string(),
        };
        Err(TrainError::Metrics {
            message: error_chain(&error),
            kept,
        })
    }

    /// Appends a line to the metrics and to the event file. The run goes on without the event file, because it can be made
    /// of the metrics.
    fn log(&mut self, record: &MetricsLine) -> Result<(), TrainError> {
        self.folder.log(record)?;
        if let Err(error) = self.events.log(record) {
            let run = self.folder.path().display();
            self.tracker.note(&format!(
                "TensorBoard's event file is no longer written: {error}; a resumed run writes it again, and so does \
                 `pref report {run} --tensorboard FOLDER`"
            ));
        }
        Ok(())
    }

    /// Evaluates the policy. Breaks if the run is asked to stop meanwhile.
    fn evaluate(&mut self) -> Result<ControlFlow<()>, TrainError> {
        let sets = [DataSet::Eval, DataSet::EmptyEval];
        let n_rows = sets.map(|set| self.trainer.inputs.n_used(set)).iter().sum();
        self.tracker.begin("evaluation", n_rows);
        let (tracker, stop) = (&mut *self.tracker, self.stop);
        let trainer = &self.trainer;
        let evaluation = evaluate(
            &trainer.policy().valid(),
            &trainer.inputs,
            &self.eval_objective,
            |n| {
                tracker.advance(n);
                !stop.load(Ordering::SeqCst)
            },
        );
        self.tracker.end();
        let step = self.trainer.position.step;
        let Evaluation {
            means,
            empty,
            pairs,
        } = match evaluation {
            Ok(ControlFlow::Continue(evaluation)) => evaluation,
            Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
            Err(failure) => return Err(self.save_after_failure(failure, Some(step))?),
        };
        let record = EvalRecord {
            step,
            eval_pairs: self.trainer.inputs.n_used(DataSet::Eval),
            means,
            empty,
        };
        // This file comes first, because an evaluation with a line is not repeated.
        if !pairs.is_empty() {
            let examples = self.trainer.inputs.sets.of(DataSet::Eval);
            let lines = evaluated::lines(examples, pairs);
            self.folder.write(&evaluated::name_of(step), &lines)?;
        }
        self.log(&MetricsLine::Eval(record.clone()))?;
        self.tracker.evaluation(&record);
        self.evaluations.insert(record.step, record.means);
        Ok(ControlFlow::Continue(()))
    }

    /// Compares the evaluations so far, if the plan asks for it.
    fn compare(&mut self) -> Result<(), TrainError> {
        if let Some(watch) = &self.watch {
            self.verdict = watch.verdict(&self.evaluations)?;
        }
        Ok(())
    }

    /// Writes a checkpoint if the last evaluation is the best one so far, and the checkpoint does not exist yet.
    fn save_best(&mut self) -> Result<(), TrainError> {
        let step = Some(self.trainer.position.step);
        if self.verdict.best == step && self.saved != step {
            self.save()?;
        }
        Ok(())
    }

    /// Writes a checkpoint, which rank 0 does for all.
    fn save(&mut self) -> Result<PathBuf, TrainError> {
        let trainer = &self.trainer;
        if !self.folder.writes() {
            return Ok(checkpoint::folder_of(
                self.folder.path(),
                trainer.position.step,
            ));
        }
        let snapshot = Snapshot {
            policy: trainer.policy(),
            reference: trainer.changing_reference(),
            optimizer: &trainer.optimizer,
            position: &trainer.position,
            identity: &self.identity,
            processes: self.ranks.size(),
            tokenizer_from: &self.plan.model.path,
        };
        let retention = Retention {
            keep: self.plan.output.keep_checkpoints,
            best: self.verdict.best,
        };
        let folder = self.folder.path();
        let saved = self
            .timer
            .time(|| checkpoint::save(folder, retention, &snapshot))?;
        self.saved = Some(trainer.position.step);
        Ok(saved)
    }

    /// Saves a checkpoint after a failed step, or after a failed evaluation. `evaluation` is the number of
    /// steps before the evaluation. The result is the error to report.
    fn save_after_failure(
        &mut self,
        failure: StepFailure,
        evaluation: Option<usize>,
    ) -> Result<TrainError, TrainError> {
        let (set, pairs, parameters) = match failure {
            StepFailure::Batch(error) => return Ok(TrainError::Batch(error)),
            StepFailure::Ranks(error) => return Ok(TrainError::Ranks(error)),
            StepFailure::Loss(set, pairs) => (set, pairs, None),
            StepFailure::Gradient { parameters, rows } => (DataSet::Train, rows, Some(parameters)),
        };
        let places = self.trainer.places(set, &pairs);
        let checkpoint = self.save()?;
        let step = self.trainer.position.step + 1;
        Ok(match (evaluation, parameters) {
            (Some(step), _) => TrainError::NotFiniteEvaluation {
                step,
                places,
                checkpoint,
            },
            (None, None) => TrainError::NotFinite {
                step,
                places,
                checkpoint,
            },
            (None, Some(parameters)) => TrainError::NotFiniteGradient {
                step,
                parameters,
                places,
                checkpoint,
            },
        })
    }

    /// Writes the weights after `step` steps: the present ones, or those of a checkpoint.
    fn save_model(
        &mut self,
        model: &Path,
        step: usize,
        dtype: SaveDtype,
    ) -> Result<(), TrainError> {
        let tokenizer = &self.plan.model.path;
        if step == self.trainer.position.step {
            return checkpoint::save_model(model, self.trainer.policy(), dtype, tokenizer);
        }
        let folder = checkpoint::folder_of(self.folder.path(), step);
        let policy = restored_policy::<B, P>(&folder, self.trainer.policy())?;
        checkpoint::save_model(model, &policy, dtype, tokenizer)?;
        let note = format!("the final weights are those after step {step}");
        self.tracker.note(&note);
        Ok(())
    }

    /// Writes the final weights, then the last checkpoint. The weights come first, because they are the
    /// result of the run, and the checkpoint takes three times their space.
    fn finish(&mut self) -> Result<Outcome, TrainError> {
        let model = self.folder.model();
        let dtype = match self.plan.output.dtype {
            WeightFormat::Source => SaveDtype::Source,
            WeightFormat::F32 => SaveDtype::F32,
            WeightFormat::F16 => SaveDtype::F16,
            WeightFormat::Bf16 => SaveDtype::Bf16,
        };
        let steps = self.trainer.position.step;
        if self.verdict.stops {
            let Verdict { best, stale, .. } = self.verdict;
            self.tracker.note(&format!(
                "stopped after step {steps}: the last {stale} evaluations are no improvement; the best one is \
                 that after step {}",
                best.unwrap_or_default()
            ));
        }
        let best = self.verdict.best.filter(|_| self.plan.train.load_best);
        let of_model = best.unwrap_or(steps);
        if self.folder.writes() {
            self.save_model(&model, of_model, dtype)?;
        }
        if self.plan.output.last_checkpoint {
            self.save()?;
        }
        let at = |step: usize| self.evaluations.get(&step).copied();
        Ok(Outcome::Finished {
            model,
            steps,
            before: at(0),
            after: at(of_model),
        })
    }
}
