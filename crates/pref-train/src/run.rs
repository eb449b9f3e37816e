//! A run from its plan to a model on disk: set-up, the loop, checkpoints, the end.
//!
//! In: a [`Plan`]. Out: the run's folder (`plan.toml`, `metrics.jsonl`, `checkpoints/`, `model/`)
//! and what the evaluations said. A run killed at any moment and resumed ends with the same bytes
//! as one that was not.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use pref_data::{BatchLayout, Tokenizer};
use pref_model::{Decoder, SaveDtype};
use serde_json::Value;

use crate::checkpoint::{self, Snapshot};
use crate::data::examples;
use crate::error::TrainError;
use crate::examples::Examples;
use crate::known::{KnownLogProbs, Places};
use crate::metrics::{PairMeans, Record, StepRecord};
use crate::plan::{Plan, ReferenceKind, WeightFormat};
use crate::reference::{Reference, Set, Sets, cache_key, fill_log_probs};
use crate::tracker::Tracker;
use crate::trainer::{Parts, StepFailure, Trainer};

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
/// # Errors
/// [`TrainError`]. What was written stays: the checkpoints before the error can be resumed from.
pub fn train<B: AutodiffBackend>(
    plan: &Plan,
    resume: bool,
    device: &B::Device,
    tracker: &mut dyn Tracker,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let run = Run {
        plan,
        folder: plan.output.folder.clone(),
    };
    run.open(resume)?;
    let mut trainer = match run.prepare::<B>(device, tracker, stop)? {
        ControlFlow::Continue(trainer) => trainer,
        ControlFlow::Break(outcome) => return Ok(outcome),
    };
    if resume {
        run.restore(&mut trainer, device, tracker)?;
    } else {
        run.begin(&trainer)?;
    }
    let total = trainer.total_steps();
    if trainer.state.step == 0 {
        run.evaluate(&trainer, tracker)?;
    }

    tracker.training(trainer.state.step, total);
    while trainer.state.step < total {
        if stop.load(Ordering::SeqCst) {
            let checkpoint = run.save(&trainer)?;
            let step = trainer.state.step;
            return Ok(Outcome::Interrupted { step, checkpoint });
        }
        let record = match trainer.step() {
            Ok(record) => record,
            Err(failure) => return Err(run.refuse_step(&trainer, failure)?),
        };
        if let Some(record) = record {
            run.log(&Record::Step(record.clone()))?;
            tracker.step(&record);
            if record.step == 1 {
                run.check_first_step(&record, tracker);
            }
        }
        let step = trainer.state.step;
        let is_due = |every: usize| every > 0 && step.is_multiple_of(every);
        if is_due(plan.train.eval_every) && step < total {
            run.evaluate(&trainer, tracker)?;
        }
        if is_due(plan.train.save_every) && step < total {
            run.save(&trainer)?;
        }
    }
    trainer.wait();
    run.finish(&trainer, tracker)
}

struct Run<'a> {
    plan: &'a Plan,
    folder: PathBuf,
}

impl Run<'_> {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Checks that the folder is free, or holds this run.
    fn open(&self, resume: bool) -> Result<(), TrainError> {
        let path = self.file("plan.toml");
        if !resume {
            return match checkpoint::steps(&self.folder).last() {
                Some(&step) => Err(TrainError::Exists {
                    folder: self.folder.clone(),
                    step,
                }),
                None => Ok(()),
            };
        }
        if checkpoint::steps(&self.folder).is_empty() {
            return Err(TrainError::NothingToResume {
                folder: self.folder.clone(),
            });
        }
        let then = fs::read_to_string(&path).map_err(TrainError::file(&path))?;
        let then: Value = toml::from_str(&then)
            .map_err(|e| TrainError::file(&path)(io::Error::other(e.to_string())))?;
        let now: Value = toml::from_str(&self.plan.to_toml())
            .map_err(|e| TrainError::file(&path)(io::Error::other(e.to_string())))?;
        let differences = differences(&then, &now);
        if differences.is_empty() {
            Ok(())
        } else {
            Err(TrainError::OtherPlan {
                folder: self.folder.clone(),
                differences: differences.join(", "),
            })
        }
    }

    /// Reads, tokenises and loads everything that the plan names, unless it is asked to stop.
    fn prepare<B: AutodiffBackend>(
        &self,
        device: &B::Device,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, Trainer<B>>, TrainError> {
        let plan = self.plan;
        let tokenizer = Tokenizer::from_folder(&plan.model.path)?;
        let policy = Decoder::<B>::load(&plan.model.path, device)?;
        let config = policy.config();
        tokenizer.fits(config.vocab_size())?;
        let positions = config.max_position_embeddings();
        let max_length = plan.data.max_length.unwrap_or(positions.min(1024));
        if max_length > positions {
            return Err(TrainError::TooLong {
                path: plan.model.path.clone(),
                max_length,
                positions,
            });
        }
        let sets = examples(plan, &tokenizer, max_length, tracker)?;
        let layout = BatchLayout {
            pad_id: tokenizer.pad_id().or(tokenizer.eos_id()).unwrap_or(0),
            pad_to_multiple_of: plan.train.pad_to_multiple_of,
            pairs: plan.train.batch_size,
            tokens: plan.train.batch_tokens,
            shares_prompts: plan.train.share_prompts,
        };
        let reference = self.reference::<B>(&policy, &sets, layout, device, tracker, stop)?;
        let reference = match reference {
            ControlFlow::Continue(reference) => reference,
            ControlFlow::Break(outcome) => return Ok(ControlFlow::Break(outcome)),
        };
        Ok(ControlFlow::Continue(Trainer::new(
            &plan.train,
            plan.data.shuffle,
            &plan.objective,
            Parts {
                policy,
                reference,
                sets,
                layout,
                device: device.clone(),
            },
        )))
    }

    fn reference<B: AutodiffBackend>(
        &self,
        policy: &Decoder<B>,
        sets: &Sets<Examples>,
        layout: BatchLayout,
        device: &B::Device,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, Reference<B::InnerBackend>>, TrainError> {
        let plan = &self.plan.model;
        let load = || match &plan.reference_path {
            Some(path) => Decoder::<B::InnerBackend>::load(path, device).map_err(TrainError::from),
            None => Ok(policy.valid()),
        };
        match plan.reference {
            ReferenceKind::None => Ok(ControlFlow::Continue(Reference::None)),
            ReferenceKind::FrozenCopy => {
                let model = Box::new(load()?);
                Ok(ControlFlow::Continue(Reference::Model(model)))
            }
            ReferenceKind::Precomputed => {
                let source = plan.reference_path.as_ref().unwrap_or(&plan.path);
                let places = Arc::new(Places::new(&cache_key(source, sets)?, sets));
                let path = self.file("reference.safetensors");
                if let Some(known) = KnownLogProbs::open(&path, &places) {
                    tracker.note(&format!("reference log-probs read from {}", path.display()));
                    return Ok(ControlFlow::Continue(Reference::Known(known)));
                }
                let model = load()?;
                fs::create_dir_all(&self.folder).map_err(TrainError::file(&self.folder))?;
                let failed = || TrainError::file(&path);
                let mut file = places.filling(&path).map_err(failed())?;
                let n_pairs = sets.0.iter().map(Examples::len).sum();
                if file.n_done() > 0 {
                    let n_done = file.n_done();
                    tracker.note(&format!(
                        "reference: {n_done} of {n_pairs} pairs were scored before"
                    ));
                }
                tracker.begin("reference", n_pairs);
                tracker.advance(file.n_done());
                for set in Set::ALL {
                    let examples = sets.of(set);
                    let goes_on = |n| {
                        tracker.advance(n);
                        !stop.load(Ordering::SeqCst)
                    };
                    let whole =
                        fill_log_probs(&mut file, &model, set, examples, layout, device, goes_on);
                    if !whole.map_err(failed())? && file.n_done() < n_pairs {
                        file.save().map_err(failed())?;
                        tracker.end();
                        return Ok(ControlFlow::Break(Outcome::Unstarted {
                            scored: file.n_done(),
                            of: n_pairs,
                        }));
                    }
                }
                tracker.end();
                file.finish().map_err(failed())?;
                match KnownLogProbs::open(&path, &places) {
                    Some(known) => Ok(ControlFlow::Continue(Reference::Known(known))),
                    None => Err(TrainError::file(&path)(io::Error::other(
                        "just written, and not to be read; another program changed it",
                    ))),
                }
            }
        }
    }

    /// Starts the run's folder: the plan, empty metrics, and a checkpoint of step 0.
    fn begin<B: AutodiffBackend>(&self, trainer: &Trainer<B>) -> Result<(), TrainError> {
        fs::create_dir_all(&self.folder).map_err(TrainError::file(&self.folder))?;
        checkpoint::write_text(&self.file("plan.toml"), &self.plan.to_toml())?;
        checkpoint::write_text(&self.file("metrics.jsonl"), "")?;
        if self.plan.train.save_every > 0 {
            self.save(trainer)?;
        }
        Ok(())
    }

    /// Puts the trainer where the newest checkpoint is, and drops later lines of the metrics.
    fn restore<B: AutodiffBackend>(
        &self,
        trainer: &mut Trainer<B>,
        device: &B::Device,
        tracker: &mut dyn Tracker,
    ) -> Result<(), TrainError> {
        let restored = checkpoint::load_newest::<B>(&self.folder, device)?;
        for skipped in &restored.skipped {
            tracker.note(&format!("skipped a damaged checkpoint, {skipped}"));
        }
        let step = restored.state.step;
        tracker.note(&format!("resumed after step {step}"));
        let steps = restored.state.optimizer_steps;
        trainer.policy = restored.policy;
        trainer.optimizer.restore(steps, restored.moments);
        trainer.state = restored.state;

        let path = self.file("metrics.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let kept = text.lines().filter(|line| {
            let record = serde_json::from_str::<Record>(line);
            // step 0's evaluation is made again when no step was taken
            record.is_ok_and(|record| record.step() <= step && (step > 0 || record.step() > 0))
        });
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        checkpoint::write_text(&path, &kept)
    }

    fn evaluate<B: AutodiffBackend>(
        &self,
        trainer: &Trainer<B>,
        tracker: &mut dyn Tracker,
    ) -> Result<Option<PairMeans>, TrainError> {
        if trainer.n_eval() == 0 {
            return Ok(None);
        }
        tracker.begin("evaluation", trainer.n_eval());
        let record = trainer.evaluate(|n| tracker.advance(n))?;
        tracker.end();
        self.log(&Record::Eval(record.clone()))?;
        tracker.evaluation(&record);
        Ok(Some(record.pairs))
    }

    /// Before the first update the policy is its own reference: every reward is zero, and the
    /// logistic loss ln 2. Anything else means that the reference is not what it is thought to be.
    fn check_first_step(&self, record: &StepRecord, tracker: &mut dyn Tracker) {
        let plan = &self.plan.model;
        let is_own = plan.reference != ReferenceKind::None && plan.reference_path.is_none();
        let means = &record.pairs;
        let largest = means.chosen_rewards.abs().max(means.rejected_rewards.abs());
        if is_own && largest > 0.01 {
            tracker.note(&format!(
                "warning: the first step has rewards of {:.4} and {:.4}, where policy and reference \
                 should agree and both be 0; are {} and its reference the same weights?",
                means.chosen_rewards,
                means.rejected_rewards,
                plan.path.display()
            ));
        }
    }

    /// Adds a line to the metrics.
    fn log(&self, record: &Record) -> Result<(), TrainError> {
        let path = self.file("metrics.jsonl");
        let line = serde_json::to_string(record)
            .map_err(|e| TrainError::file(&path)(io::Error::other(e)))?;
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .map_err(TrainError::file(&path))
    }

    fn save<B: AutodiffBackend>(&self, trainer: &Trainer<B>) -> Result<PathBuf, TrainError> {
        checkpoint::save(
            &self.folder,
            self.plan.output.keep_checkpoints,
            &Snapshot {
                policy: &trainer.policy,
                optimizer: &trainer.optimizer,
                state: &trainer.state,
                tokenizer_from: &self.plan.model.path,
            },
        )
    }

    /// Keeps the weights from before a step that cannot be taken, and says why it cannot.
    fn refuse_step<B: AutodiffBackend>(
        &self,
        trainer: &Trainer<B>,
        failure: StepFailure,
    ) -> Result<TrainError, TrainError> {
        let step = trainer.state.step + 1;
        Ok(match failure {
            StepFailure::Batch(error) => TrainError::Batch(error),
            StepFailure::Loss(set, pairs) => TrainError::NotFinite {
                step,
                places: trainer.places(set, &pairs),
                checkpoint: self.save(trainer)?,
            },
            StepFailure::Gradient(pairs) => TrainError::NotFiniteGradient {
                step,
                places: trainer.places(Set::Train, &pairs),
                checkpoint: self.save(trainer)?,
            },
        })
    }

    /// The last evaluation, the last checkpoint, the final weights.
    fn finish<B: AutodiffBackend>(
        &self,
        trainer: &Trainer<B>,
        tracker: &mut dyn Tracker,
    ) -> Result<Outcome, TrainError> {
        let logged = self.evaluations()?;
        let is_evaluated = logged.iter().any(|(step, _)| *step == trainer.state.step);
        if !is_evaluated {
            self.evaluate(trainer, tracker)?;
        }
        self.save(trainer)?;
        let model = self.file("model");
        let dtype = match self.plan.output.dtype {
            WeightFormat::Source => SaveDtype::Source,
            WeightFormat::F32 => SaveDtype::F32,
            WeightFormat::F16 => SaveDtype::F16,
            WeightFormat::Bf16 => SaveDtype::Bf16,
        };
        checkpoint::save_model(&model, &trainer.policy, dtype, &self.plan.model.path)?;
        let logged = self.evaluations()?;
        let at = |wanted: usize| {
            let mut all = logged.iter();
            all.find(|(step, _)| *step == wanted)
                .map(|(_, means)| *means)
        };
        Ok(Outcome::Finished {
            model,
            steps: trainer.state.step,
            before: at(0),
            after: at(trainer.state.step),
        })
    }

    /// The evaluations in the metrics: steps taken, and means.
    fn evaluations(&self) -> Result<Vec<(usize, PairMeans)>, TrainError> {
        let path = self.file("metrics.jsonl");
        let text = fs::read_to_string(&path).map_err(TrainError::file(&path))?;
        let records = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        Ok(records
            .filter_map(|record| match record {
                Record::Eval(record) => Some((record.step, record.pairs)),
                Record::Step(_) => None,
            })
            .collect())
    }
}

/// Settings that change nothing of the mathematics, so that a resumed run may have others.
const FREE: [&str; 3] = [
    "output.keep-checkpoints",
    "output.folder",
    "train.save-every",
];

/// `key: then → now` for every setting that differs.
fn differences(then: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect("", Some(then), Some(now), &mut found);
    found
}

fn collect(path: &str, then: Option<&Value>, now: Option<&Value>, found: &mut Vec<String>) {
    if let (Some(Value::Object(a)), Some(Value::Object(b))) = (then, now) {
        let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
        for key in keys {
            let at = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            collect(&at, a.get(key), b.get(key), found);
        }
    } else if then != now && !FREE.contains(&path) {
        let show = |value: Option<&Value>| value.map_or("unset".to_owned(), ToString::to_string);
        found.push(format!("{path}: {} → {}", show(then), show(now)));
    }
}
