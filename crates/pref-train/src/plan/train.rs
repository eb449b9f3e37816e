//! The section `train` of a plan. In: settings. Out: how the loss is minimised.

use pref_model::Precision;
use serde::{Deserialize, Serialize};

use super::auto::Auto;
use super::error::PlanError;
use super::groups::GroupPlan;
use super::lora::LoraPlan;
use super::optimizer::{MuonRate, OptimizerKind};
use super::pattern::name_pattern;
use super::schedule::ScheduleKind;

/// How the loss is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    /// Number of passes over the data, unless `steps` is set. Default: 1.
    pub epochs: f64,
    /// Number of optimiser steps. By default it follows from `epochs`.
    pub steps: Option<usize>,
    /// Number of pairs or single answers in one batch, on all processes together; with `packing`, number of bins.
    /// Default: 8.
    pub batch_size: usize,
    /// For sft: whether a batch takes bins of texts instead of single texts. The texts of a bin have together
    /// at most `max_length` tokens, so that every batch has about as many tokens. A text does not attend to
    /// the other texts of its bin. Default: false.
    pub packing: bool,
    /// Largest number of tokens in one forward pass, padding included; 0 for no limit. A batch with more
    /// tokens is divided into several forward passes. The pairs of an optimiser step stay the same, and so
    /// do its loss and gradients. Default: `auto`, which the run replaces by a number that suits the model and
    /// the device.
    pub batch_tokens: Auto<usize>,
    /// Whether both answers of a pair share one row with their prompt, so that the prompt is computed once.
    /// Default: `auto`, which means true if this saves more than a twentieth of the tokens.
    pub share_prompts: Auto<bool>,
    /// Rows are padded to a multiple of this number of tokens, so that a GPU compiles kernels for few
    /// shapes; 0 pads to the longest row. Default: 0.
    pub pad_to_multiple_of: usize,
    /// Number of batches of `batch_size` in one optimiser step. Default: 1.
    pub gradient_accumulation: usize,
    /// Peak learning rate. Default: 1e-6; for sft 2e-5, for reward models 1e-4.
    pub learning_rate: f64,
    /// How the learning rate falls after the warm-up. Default: `linear`.
    pub schedule: ScheduleKind,
    /// Number of steps over which the learning rate rises from 0. Default: 0.
    pub warmup_steps: usize,
    /// The same as a fraction of all steps, from 0 to 1, rounded up; not together with `warmup_steps`.
    /// Default: 0.
    pub warmup_ratio: f64,
    /// Fraction of all steps at the end of the run over which the learning rate falls, above 0 and at most 1,
    /// rounded up. Only for the schedule `wsd`, whose default is 0.1.
    pub decay_ratio: Option<f64>,
    /// The rate that the schedules `cosine` (default: 0) and `polynomial` (default: 1e-7) fall to, below
    /// `learning_rate`. Only for these two.
    pub min_learning_rate: Option<f64>,
    /// The exponent of the schedule `polynomial`, above 0. Only for this schedule, whose default is 1.
    pub schedule_power: Option<f64>,
    /// How gradients change the weights. Default: `adamw`.
    pub optimizer: OptimizerKind,
    /// Weight decay of matrices, embeddings included. Norms and biases do not decay. It is decoupled from the
    /// gradient for `adamw` and `muon`, and a part of the gradient for `adam` and `sgd`. Default: 0.
    pub weight_decay: f64,
    /// `β₁` of AdamW and Adam, the decay of the running mean of the gradient. Default: 0.9.
    pub adam_beta1: f64,
    /// `β₂` of AdamW and Adam, the decay of the running mean of the squared gradient. Default: 0.999.
    pub adam_beta2: f64,
    /// `ε` of AdamW and Adam, which is added to the denominator. Default: 1e-8.
    pub adam_epsilon: f64,
    /// For `sgd`: the factor of the earlier gradients in each step, from 0 to below 1; by default 0. For `muon`:
    /// the decay of the running mean of the gradient, by default 0.95.
    pub momentum: Option<f64>,
    /// For `sgd` and `muon`: Nesterov's momentum. Default: false for `sgd`, true for `muon`.
    pub nesterov: Option<bool>,
    /// For `muon`: number of Newton–Schulz iterations, from 1 to 99. Default: 5.
    pub muon_steps: Option<usize>,
    /// For `muon`: how the learning rate depends on the shape of a weight. Default: `match-rms-adamw`.
    pub muon_rate: Option<MuonRate>,
    /// Parameters with a learning rate or a weight decay of their own. If several patterns fit a name, the first
    /// one counts. Default: none.
    pub groups: Vec<GroupPlan>,
    /// Parameters that are not trained, as patterns of their names, such as
    /// `["model.embed_tokens.*", "model.layers.[0-3].*"]`. `*` stands for any text, `?` for any
    /// character and `[0-3]` for one of these. Default: none.
    pub freeze: Vec<String>,
    /// Gradients with a larger global norm are scaled down to this norm; 0 for never. Default: 1.
    pub max_grad_norm: f64,
    /// Seed of the shuffling, of the evaluation split, of the fresh head of a reward model, and of new adapters and
    /// their dropout. Default: 42.
    pub seed: u64,
    /// Number of response tokens whose logits are in memory at the same time; 0 for all. In a forward pass with
    /// more response tokens, the logits are computed twice. Default: `auto`, which limits the logits to 256 MiB.
    pub vocab_chunk: Auto<usize>,
    /// Whether a forward pass keeps only the inputs of the layers. The backward pass then computes each layer a second
    /// time, which takes about a third more time, and needs the memory of the activations of one layer only. The
    /// gradients are the same. Default: false.
    pub checkpoint_activations: bool,
    /// The number format of the products in the layers and in the head: `f32` or `bf16`. Weights, their gradients,
    /// optimiser, log-softmax and losses are in float32 with both. Only for devices with arithmetic in bfloat16.
    /// Default: `f32`.
    pub precision: Precision,
    /// For reward models: whether only the head is trained, and the decoder stays as it is. Default: false.
    pub head_only: bool,
    /// Number of optimiser steps that one line of the metrics averages. Default: 1.
    pub log_every: usize,
    /// Whether the metrics have `entropy`, the mean entropy of the policy's next-token distributions over the tokens of
    /// the answers, nats. It computes the logits of the answers a second time. Default: false.
    pub log_entropy: bool,
    /// Number of steps between evaluations; 0 evaluates only before and after. Default: 0.
    pub eval_every: usize,
    /// Number of steps between checkpoints; 0 for none by steps. Default: 0.
    pub save_every: usize,
    /// Minutes between checkpoints; 0 for none by time. If writing a checkpoint takes long, the next one is
    /// written after at least 20 times that duration. Default: 5.
    pub save_minutes: f64,
    /// The metric of the evaluations that decides which one is best, with or without `eval_`, such as
    /// `rewards/accuracies`. The checkpoint of the best evaluation is kept. Default: none, or `loss` if `load_best`
    /// or `early_stopping_patience` is set.
    pub best_metric: Option<String>,
    /// Whether larger values of `best_metric` are better. Default: true, unless its name ends with `loss`.
    pub best_is_greater: Option<bool>,
    /// Whether the final model is that of the best evaluation, and not that of the last step. Default: false.
    pub load_best: bool,
    /// The run ends after this number of evaluations without an improvement; 0 for never. Default: 0.
    pub early_stopping_patience: usize,
    /// Only a difference above this one from the best value so far is an improvement, for
    /// `early_stopping_patience`. At least 0. Default: 0.
    pub early_stopping_min_delta: f64,
    /// Whether an adapter is trained, and the weights of the model stay as they are: true, or the
    /// settings of the adapter. By default, the weights are trained.
    pub lora: Option<LoraPlan>,
}

impl Default for TrainPlan {
    fn default() -> Self {
        Self {
            epochs: 1.0,
            steps: None,
            batch_size: 8,
            packing: false,
            batch_tokens: Auto::Auto,
            share_prompts: Auto::Auto,
            pad_to_multiple_of: 0,
            gradient_accumulation: 1,
            learning_rate: 1e-6,
            schedule: ScheduleKind::Linear,
            warmup_steps: 0,
            warmup_ratio: 0.0,
            decay_ratio: None,
            min_learning_rate: None,
            schedule_power: None,
            optimizer: OptimizerKind::AdamW,
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            momentum: None,
            nesterov: None,
            muon_steps: None,
            muon_rate: None,
            groups: Vec::new(),
            freeze: Vec::new(),
            max_grad_norm: 1.0,
            seed: 42,
            vocab_chunk: Auto::Auto,
            checkpoint_activations: false,
            precision: Precision::F32,
            head_only: false,
            log_every: 1,
            log_entropy: false,
            eval_every: 0,
            save_every: 0,
            save_minutes: 5.0,
            best_metric: None,
            best_is_greater: None,
            load_best: false,
            early_stopping_patience: 0,
            early_stopping_min_delta: 0.0,
            lora: None,
        }
    }
}

impl TrainPlan {
    /// Number of optimiser steps of one pass over `n_rows` rows.
    ///
    /// # Panics
    /// If `batch_size` or `gradient_accumulation` is 0, which no checked plan has.
    pub fn steps_per_epoch(&self, n_rows: usize) -> usize {
        n_rows.div_ceil(self.batch_size * self.gradient_accumulation)
    }

    /// Number of optimiser steps of the whole run on `n_rows` rows.
    ///
    /// # Panics
    /// As [`steps_per_epoch`](Self::steps_per_epoch).
    pub fn total_steps(&self, n_rows: usize) -> usize {
        let by_epochs = self.epochs * self.steps_per_epoch(n_rows) as f64;
        self.steps.unwrap_or(by_epochs.ceil() as usize)
    }

    /// Number of warm-up steps of a run of `steps` steps.
    pub fn warmup(&self, steps: usize) -> usize {
        match self.warmup_ratio > 0.0 {
            true => (self.warmup_ratio * steps as f64).ceil() as usize,
            false => self.warmup_steps,
        }
    }

    /// Number of steps at the end of a run of `steps` steps over which the learning rate of the schedule `wsd`
    /// falls. 0 for another schedule.
    pub fn decay(&self, steps: usize) -> usize {
        let ratio = self.decay_ratio.unwrap_or(0.1);
        match self.schedule {
            ScheduleKind::Wsd => (ratio * steps as f64).ceil() as usize,
            ScheduleKind::Constant
            | ScheduleKind::Linear
            | ScheduleKind::Cosine
            | ScheduleKind::Polynomial
            | ScheduleKind::InverseSqrt => 0,
        }
    }

    /// The momentum of `sgd` and `muon`. 0 for another optimiser.
    pub fn momentum(&self) -> f64 {
        let default = match self.optimizer {
            OptimizerKind::Muon => 0.95,
            OptimizerKind::AdamW | OptimizerKind::Adam | OptimizerKind::Sgd => 0.0,
        };
        self.momentum.unwrap_or(default)
    }

    /// Whether `sgd` and `muon` use Nesterov's momentum.
    pub fn nesterov(&self) -> bool {
        self.nesterov
            .unwrap_or(self.optimizer == OptimizerKind::Muon)
    }

    /// Number of Newton–Schulz iterations of `muon`.
    pub fn muon_iterations(&self) -> usize {
        self.muon_steps.unwrap_or(5)
    }

    /// The metric that evaluations are compared by, without `eval_`. `None` if they are not compared.
    pub(crate) fn compared_metric(&self) -> Option<&str> {
        let is_needed = self.load_best || self.early_stopping_patience > 0;
        let metric = self.best_metric.as_deref();
        let metric = metric.or(is_needed.then_some("loss"))?;
        Some(metric.strip_prefix("eval_").unwrap_or(metric))
    }

    /// Checks the settings of the optimiser that belong to some optimisers only.
    pub(super) fn check_optimizer(&self) -> Result<(), PlanError> {
        let (is_sgd, is_muon) = (
            self.optimizer == OptimizerKind::Sgd,
            self.optimizer == OptimizerKind::Muon,
        );
        for (key, is_set, is_used, optimizers) in [
            (
                "train.momentum",
                self.momentum.is_some(),
                is_sgd || is_muon,
                "\"sgd\" or \"muon\"",
            ),
            (
                "train.nesterov",
                self.nesterov.is_some(),
                is_sgd || is_muon,
                "\"sgd\" or \"muon\"",
            ),
            (
                "train.muon-steps",
                self.muon_steps.is_some(),
                is_muon,
                "\"muon\"",
            ),
            (
                "train.muon-rate",
                self.muon_rate.is_some(),
                is_muon,
                "\"muon\"",
            ),
        ] {
            if is_set && !is_used {
                return Err(PlanError::OtherOptimizer {
                    key,
                    optimizer: self.optimizer.name(),
                    optimizers,
                });
            }
        }
        let out_of_range = |key, value: String, expected| {
            Err(PlanError::OutOfRange {
                key,
                value,
                expected,
            })
        };
        let momentum = self.momentum();
        if !(0.0..1.0).contains(&momentum) {
            let expected = "from 0 to below 1";
            return out_of_range("train.momentum", momentum.to_string(), expected);
        }
        if is_sgd && self.nesterov() && momentum == 0.0 {
            return Err(PlanError::NoMomentum);
        }
        if let Some(steps) = self.muon_steps
            && !(1..100).contains(&steps)
        {
            return out_of_range("train.muon-steps", steps.to_string(), "from 1 to 99");
        }
        for (index, group) in self.groups.iter().enumerate() {
            group.check(index)?;
        }
        Ok(())
    }

    /// Checks the settings of the schedule that belong to some schedules only.
    pub(super) fn check_schedule(&self) -> Result<(), PlanError> {
        let unused = |key, schedules| {
            Err(PlanError::OtherSchedule {
                key,
                schedule: self.schedule.name(),
                schedules,
            })
        };
        if self.decay_ratio.is_some() && self.schedule != ScheduleKind::Wsd {
            return unused("train.decay-ratio", "\"wsd\"");
        }
        if self.schedule_power.is_some() && self.schedule != ScheduleKind::Polynomial {
            return unused("train.schedule-power", "\"polynomial\"");
        }
        let end = match (self.schedule.default_end(), self.min_learning_rate) {
            (None, None) => return Ok(()),
            (None, Some(_)) => {
                return unused("train.min-learning-rate", "\"cosine\" or \"polynomial\"");
            }
            (Some(default), given) => given.unwrap_or(default),
        };
        if !(0.0..self.learning_rate).contains(&end) {
            return Err(PlanError::HighEnd {
                end,
                peak: self.learning_rate,
            });
        }
        match self.schedule_power {
            Some(power) if !(power > 0.0 && power.is_finite()) => Err(PlanError::OutOfRange {
                key: "train.schedule-power",
                value: power.to_string(),
                expected: "above 0",
            }),
            _ => Ok(()),
        }
    }

    /// Checks the settings that choose what is trained.
    pub(super) fn check_trained(&self) -> Result<(), PlanError> {
        for pattern in &self.freeze {
            name_pattern("train.freeze", pattern)?;
        }
        match &self.lora {
            Some(_) if !self.freeze.is_empty() => Err(PlanError::FrozenAnyway),
            Some(lora) => lora.check(),
            None => Ok(()),
        }
    }

    /// Refuses a warm-up that is longer than a run of `steps` steps, and a warm-up and a decay that overlap.
    pub(crate) fn check_warmup(&self, steps: usize) -> Result<(), PlanError> {
        let (warmup, decay) = (self.warmup(steps), self.decay(steps));
        if warmup > steps {
            return Err(PlanError::LongWarmup { warmup, steps });
        }
        match warmup + decay > steps {
            true => Err(PlanError::LongDecay {
                warmup,
                decay,
                steps,
            }),
            false => Ok(()),
        }
    }
}
