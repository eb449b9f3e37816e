//! A run's plan: what to train, on what, with which objective, and how.
//!
//! In: layers of settings (a TOML file, `--set` pairs, flags). Out: a [`Plan`] whose values are
//! known valid; training accepts nothing else, and the run's folder keeps it with every default
//! spelled out.

mod error;
mod keys;
mod objective;

pub use error::PlanError;
pub use keys::Settings;

use std::collections::BTreeMap;
use std::path::PathBuf;

use pref_core::{BvpoAlpha, ObjectiveConfig, ObjectiveKind};
use pref_data::{
    Boundary, DiffAlgorithm, LongPrompts, PartMarker, Shape, TemplateKwargs, Truncation,
};
use serde::{Deserialize, Serialize};

/// Everything that decides a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// The policy and its reference.
    pub model: ModelPlan,
    /// Where the pairs come from and how they become tokens.
    pub data: DataPlan,
    /// What is optimised.
    pub objective: ObjectiveConfig,
    /// How it is optimised.
    pub train: TrainPlan,
    /// What is written.
    pub output: OutputPlan,
}

/// The policy and its reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelPlan {
    /// Folder of the policy to start from, in Hugging Face's layout.
    pub path: PathBuf,
    /// Where reference log-probs come from.
    pub reference: ReferenceKind,
    /// Folder of the reference model; the policy's own start if absent.
    pub reference_path: Option<PathBuf>,
    /// Keys of `config.json` that Pref does not know and the user knows to change nothing; of an
    /// object inside it as `rope_scaling.key`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_config: Vec<String>,
}

/// Where reference log-probs come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceKind {
    /// Computed once before training and kept in the run's folder.
    Precomputed,
    /// A second copy of the model in memory, run beside the policy.
    FrozenCopy,
    /// None: the objective is reference-free.
    None,
}

/// Where the pairs come from and how they become tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataPlan {
    /// Training pairs: a file of JSON Lines, JSON, CSV or Parquet, plain or compressed, a folder of
    /// them, a pattern, or `hub:OWNER/NAME`.
    pub train: PathBuf,
    /// Training pairs with emptied reasoning traces, for an objective that mixes both sets.
    pub empty: Option<PathBuf>,
    /// The rows' shape; found out from the first row, and reported, if absent.
    pub shape: Option<Shape>,
    /// Fields by the names that the file has for them, such as `prompt = "question"`.
    pub columns: BTreeMap<String, String>,
    /// What becomes of rows that are no pairs.
    pub on_error: OnError,
    /// Rows `[start, end)` of the training file to use, of those that can be read, in file order;
    /// all if absent. A row that is read as two answers is one row.
    pub rows: Option<[usize; 2]>,
    /// Evaluation pairs, read as the training pairs are.
    pub eval: Option<PathBuf>,
    /// Evaluation pairs with emptied traces.
    pub empty_eval: Option<PathBuf>,
    /// This fraction of the training pairs is held out for evaluation; not together with `eval`.
    pub eval_fraction: f64,
    /// Longest prompt and response together, in tokens; 1024 if absent, or the model's positions
    /// where it has fewer.
    pub max_length: Option<usize>,
    /// What is cut of pairs that are longer than `max_length`.
    pub truncation: Truncation,
    /// How the tokens of prompt and answer meet.
    pub boundary: Boundary,
    /// What becomes of a prompt that fills `max_length` by itself.
    pub long_prompts: LongPrompts,
    /// Settings of the chat template, such as `enable_thinking = false`; those of a row, in its
    /// `chat_template_kwargs`, come before them.
    pub chat_template_kwargs: TemplateKwargs,
    /// How the varied tokens of two answers are found, for objectives that look at them.
    pub diff: DiffAlgorithm,
    /// English stop words never count as varied, as in the BMC authors' code.
    pub ignore_stop_words: bool,
    /// Label of an answer's first part, for objectives that look at parts.
    pub first_part: String,
    /// Where other parts begin, in rows that do not name theirs.
    pub parts: Vec<PartMarker>,
    /// Shuffle the pairs anew for each epoch; file order if false.
    pub shuffle: bool,
    /// The time that the chat template writes where it asks for one, RFC 3339; the run's start if
    /// absent, which is then recorded here, so that a resumed run makes the same tokens.
    pub template_time: Option<String>,
    /// Rows to leave out of training and evaluation, as messages name them: `pairs.jsonl:12`.
    pub skip: Vec<String>,
}

/// What becomes of rows that are no pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The first one ends the run before it begins.
    Stop,
    /// They are passed over, counted, and listed in the run's `rejects.txt`.
    Skip,
}

/// How the objective is optimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    /// Passes over the data, if `steps` is absent.
    pub epochs: f64,
    /// Optimiser steps.
    pub steps: Option<usize>,
    /// Pairs in one forward pass.
    pub batch_size: usize,
    /// Tokens in one forward pass at most, padding included, so that long pairs come in smaller
    /// batches; 0 is no limit. The pairs of an optimiser step stay the same.
    pub batch_tokens: usize,
    /// Both answers of a pair in one row behind their prompt, which is computed once. Worth it
    /// where prompts are longer than answers.
    pub share_prompts: bool,
    /// Rows are padded to a multiple of this, so that a GPU sees few shapes; 0 to the longest.
    pub pad_to_multiple_of: usize,
    /// Forward passes in one optimiser step.
    pub gradient_accumulation: usize,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// How the learning rate falls after the warm-up.
    pub schedule: ScheduleKind,
    /// Steps over which the learning rate rises from 0.
    pub warmup_steps: usize,
    /// AdamW's decoupled weight decay, of matrices; norms and biases have none.
    pub weight_decay: f64,
    /// AdamW's decay of the first moment.
    pub adam_beta1: f64,
    /// AdamW's decay of the second moment.
    pub adam_beta2: f64,
    /// AdamW's `ε`.
    pub adam_epsilon: f64,
    /// Gradients are scaled down to this global norm; 0 never.
    pub max_grad_norm: f64,
    /// Seed of the shuffling and of the evaluation split.
    pub seed: u64,
    /// Response tokens whose logits are held at a time, which bounds the memory of a large
    /// vocabulary for a second projection's time; 0 holds all.
    pub vocab_chunk: usize,
    /// Optimiser steps averaged in one line of the metrics.
    pub log_every: usize,
    /// Steps between evaluations; 0 only before and after.
    pub eval_every: usize,
    /// Steps between checkpoints; 0 by time only.
    pub save_every: usize,
    /// Minutes between checkpoints, and at least 20 times as long as one takes to write; 0 by steps
    /// only.
    pub save_minutes: f64,
}

impl TrainPlan {
    /// Optimiser steps of one pass over so many rows.
    pub fn steps_per_epoch(&self, n_rows: usize) -> usize {
        n_rows.div_ceil(self.batch_size * self.gradient_accumulation)
    }

    /// Optimiser steps of the whole run on so many rows.
    pub fn total_steps(&self, n_rows: usize) -> usize {
        let by_epochs = self.epochs * self.steps_per_epoch(n_rows) as f64;
        self.steps.unwrap_or(by_epochs.ceil() as usize)
    }

    /// Refuses a warm-up that is longer than a run of `steps` steps.
    pub(crate) fn check_warmup(&self, steps: usize) -> Result<(), PlanError> {
        let warmup = self.warmup_steps;
        match warmup > steps {
            true => Err(PlanError::LongWarmup { warmup, steps }),
            false => Ok(()),
        }
    }
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// It does not.
    #[serde(alias = "constant_with_warmup")]
    Constant,
    /// In a straight line, to 0 at the last step.
    Linear,
    /// Along half a cosine, to 0 at the last step.
    Cosine,
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputPlan {
    /// The run's folder.
    pub folder: PathBuf,
    /// Number format of the final weights.
    pub dtype: WeightFormat,
    /// How many checkpoints are kept; 0 keeps all.
    pub keep_checkpoints: usize,
    /// Write a checkpoint after the last step, from which a longer run can go on. It takes three
    /// times the space of the weights.
    pub last_checkpoint: bool,
}

/// Number format of the final weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightFormat {
    /// As the model that training started from.
    Source,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

impl Plan {
    /// The plan that settings describe, checked.
    ///
    /// # Errors
    /// [`PlanError`] names the setting, what was found and what it takes.
    pub fn from_settings(settings: Settings) -> Result<Self, PlanError> {
        let plan: Plan = settings.into_plan()?;
        plan.check()?;
        Ok(plan)
    }

    /// The plan as TOML, every default spelled out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a plan's values all have a TOML form")
    }

    fn check(&self) -> Result<(), PlanError> {
        let train = &self.train;
        let range = |key: &'static str, holds: bool, value: f64, expected: &'static str| {
            if holds && value.is_finite() {
                Ok(())
            } else {
                let value = value.to_string();
                Err(PlanError::OutOfRange {
                    key,
                    value,
                    expected,
                })
            }
        };
        let count = |key, n: usize| range(key, n > 0, n as f64, "at least 1");
        let unit = |key, x: f64| range(key, (0.0..1.0).contains(&x), x, "from 0 to below 1");
        range("train.epochs", train.epochs > 0.0, train.epochs, "above 0")?;
        if let Some(steps) = train.steps {
            count("train.steps", steps)?;
        }
        range(
            "train.save-minutes",
            train.save_minutes >= 0.0,
            train.save_minutes,
            "at least 0",
        )?;
        count("train.batch-size", train.batch_size)?;
        count("train.gradient-accumulation", train.gradient_accumulation)?;
        count("train.log-every", train.log_every)?;
        range(
            "train.learning-rate",
            train.learning_rate > 0.0,
            train.learning_rate,
            "above 0",
        )?;
        range(
            "train.weight-decay",
            train.weight_decay >= 0.0,
            train.weight_decay,
            "at least 0",
        )?;
        range(
            "train.max-grad-norm",
            train.max_grad_norm >= 0.0,
            train.max_grad_norm,
            "at least 0",
        )?;
        range(
            "train.adam-epsilon",
            train.adam_epsilon > 0.0,
            train.adam_epsilon,
            "above 0",
        )?;
        unit("train.adam-beta1", train.adam_beta1)?;
        unit("train.adam-beta2", train.adam_beta2)?;
        unit("data.eval-fraction", self.data.eval_fraction)?;
        if self.data.eval.is_some() && self.data.eval_fraction > 0.0 {
            let fraction = self.data.eval_fraction;
            return Err(PlanError::TwoEvaluations { fraction });
        }
        if let Some(steps) = train.steps {
            train.check_warmup(steps)?;
        }
        if let Some(max_length) = self.data.max_length {
            range(
                "data.max-length",
                max_length >= 2,
                max_length as f64,
                "at least 2 (a token of prompt, a token of response)",
            )?;
        }
        if let Some([start, end]) = self.data.rows
            && start >= end
        {
            return Err(PlanError::OutOfRange {
                key: "data.rows",
                value: format!("[{start}, {end}]"),
                expected: "[start, end) with start below end",
            });
        }
        self.check_objective()
    }

    fn check_objective(&self) -> Result<(), PlanError> {
        let method = self.objective.method().name();
        let needs = self.objective.needs();
        if !needs.traces {
            for (key, set) in [
                ("data.empty", &self.data.empty),
                ("data.empty-eval", &self.data.empty_eval),
            ] {
                if set.is_some() {
                    return Err(PlanError::IgnoredEmptySet { method, key });
                }
            }
        } else if self.data.empty.is_none() {
            return Err(PlanError::NeedsEmptySet { method });
        }
        if self.data.empty.is_some() && self.data.eval.is_some() != self.data.empty_eval.is_some() {
            return Err(PlanError::HalfEvaluation);
        }
        if let ObjectiveKind::Bvpo(bvpo) = self.objective.kind()
            && bvpo.alpha == BvpoAlpha::Optimal
        {
            return Err(PlanError::NoMoments);
        }
        if needs.kl && self.model.reference != ReferenceKind::FrozenCopy {
            return Err(PlanError::NeedsDistributions { method });
        }
        match (needs.reference, self.model.reference) {
            (true, ReferenceKind::None) => Err(PlanError::NeedsReference { method }),
            (true, ReferenceKind::Precomputed | ReferenceKind::FrozenCopy) => Ok(()),
            // a reference that the objective ignores costs time and memory, and says nothing
            (false, ReferenceKind::None) if self.model.reference_path.is_none() => Ok(()),
            (
                false,
                ReferenceKind::None | ReferenceKind::Precomputed | ReferenceKind::FrozenCopy,
            ) => Err(PlanError::IgnoredReference { method }),
        }
    }
}
