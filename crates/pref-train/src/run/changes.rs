//! The settings that a resumed run may change. In: the previous plan of the run, and the plan to resume with.
//! Out: the changed settings, or an error that names the settings that must not change.

use std::collections::BTreeSet;
use std::io;

use serde_json::{Value, json};

use super::checkpoint;
use super::folder::Folder;
use super::pins;
use crate::error::TrainError;
use crate::plan::{Plan, TrainPlan};

/// Settings that may change: the length of the run, the learning rate, the rows to leave out, what is written
/// and when, and the paths of the inputs, because fingerprints check their content. The run can only become
/// longer; this is checked when the number of rows is known.
const MAY_CHANGE: [&str; 24] = [
    "train.steps",
    "train.epochs",
    "train.learning-rate",
    "train.log-every",
    "train.eval-every",
    "train.save-every",
    "train.save-minutes",
    "train.early-stopping-patience",
    "train.early-stopping-min-delta",
    "train.load-best",
    "train.lora.adapter",
    "data.skip",
    "output.folder",
    "output.dtype",
    "output.keep-checkpoints",
    "output.last-checkpoint",
    "output.report-to",
    "output.tensorboard-folder",
    "model.path",
    "model.reference-path",
    "data.train",
    "data.eval",
    "data.empty",
    "data.empty-eval",
];

/// The previous plan of a run, as far as resuming needs it.
#[derive(Clone, Debug)]
pub(super) struct PreviousPlan {
    /// Number of optimiser steps. If it is not set, `epochs` gives the length of the run.
    steps: Option<usize>,
    epochs: f64,
    /// `key: then → now` for each setting that changes.
    pub(super) changes: Vec<String>,
}

impl PreviousPlan {
    /// Compares the plan in a run's folder with `plan`, the plan to resume with. The values that the run
    /// pinned at its start are copied into `plan`.
    ///
    /// # Errors
    /// [`TrainError::NothingToResume`] for a folder without a checkpoint, [`TrainError::OtherPlan`]
    /// for changes to settings that must stay as they were.
    pub(super) fn read(folder: &Folder, plan: &mut Plan) -> Result<Self, TrainError> {
        if !checkpoint::has_checkpoint(folder.path()) {
            return Err(TrainError::NothingToResume {
                folder: folder.path().to_owned(),
            });
        }
        let not_toml = |message: String| {
            let path = folder.file("plan.toml");
            TrainError::file(&path)(io::Error::other(message))
        };
        let then: Value =
            toml::from_str(&folder.read("plan.toml")?).map_err(|e| not_toml(e.to_string()))?;
        pins::copy_pins(plan, &then);
        let now: Value =
            toml::from_str(&plan.to_toml()).map_err(|error| not_toml(error.to_string()))?;
        let mut changes = Changes::default();
        changes.collect("", Some(&then), Some(&now));
        if !changes.fixed.is_empty() {
            return Err(TrainError::OtherPlan {
                folder: folder.path().to_owned(),
                differences: changes.fixed.join(", "),
            });
        }
        let steps = then["train"]["steps"].as_u64();
        Ok(Self {
            steps: steps.and_then(|n| usize::try_from(n).ok()),
            epochs: then["train"]["epochs"].as_f64().unwrap_or_default(),
            changes: changes.free,
        })
    }

    /// The number of optimiser steps of the resumed run on `n_rows` training rows.
    ///
    /// # Errors
    /// [`TrainError::Shorter`] if the run would be shorter than before.
    pub(super) fn check_length(&self, plan: &Plan, n_rows: usize) -> Result<usize, TrainError> {
        let now = plan.train.total_steps(n_rows);
        let then = TrainPlan {
            steps: self.steps,
            epochs: self.epochs,
            ..plan.train.clone()
        };
        let then = then.total_steps(n_rows);
        match now >= then {
            true => Ok(now),
            false => Err(TrainError::Shorter {
                folder: plan.output.folder.clone(),
                then,
                now,
            }),
        }
    }
}

/// `key: then → now` for settings that differ.
#[derive(Debug, Default)]
struct Changes {
    /// Settings that may change.
    free: Vec<String>,
    /// Settings that must not change.
    fixed: Vec<String>,
}

impl Changes {
    fn collect(&mut self, path: &str, then: Option<&Value>, now: Option<&Value>) {
        if let (Some(Value::Object(a)), Some(Value::Object(b))) = (then, now) {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = match path {
                    "" => key.clone(),
                    path => format!("{path}.{key}"),
                };
                self.collect(&at, a.get(key), b.get(key));
            }
        } else if then != now {
            let show =
                |value: Option<&Value>| value.map_or("unset".to_owned(), ToString::to_string);
            let change = format!("{path}: {} → {}", show(then), show(now));
            match MAY_CHANGE.contains(&path) {
                true => self.free.push(change),
                false => self.fixed.push(change),
            }
        }
    }
}

/// A line of `changes.jsonl`, which records the settings that changed after a step.
pub(super) fn change_line(step: usize, changes: &[String]) -> String {
    format!("{}\n", json!({"step": step, "changes": changes}))
}
