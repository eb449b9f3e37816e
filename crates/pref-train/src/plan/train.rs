//! The section `train` of a plan. In: settings. Out: how the loss is minimised.

use pref_model::Precision;
use serde::{Deserialize, Serialize};

use super::auto::Auto;
use super::error::PlanError;
use super::lora::LoraPlan;

/// How the loss is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    /// Number of passes over the data, unless `steps` is set. Default: 1.
    pub epochs: f64,
    /// Number of optimiser steps. By default it follows from `epochs`.
    pub steps: Option<usize>,
    /// Number of pairs or single answers in one batch; with `packing`, number of bins. Default: 8.
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
    /// AdamW's decoupled weight decay of matrices, embeddings included. Norms and biases do not decay.
    /// Default: 0.
    pub weight_decay: f64,
    /// AdamW's `β₁`, the decay of the running mean of the gradient. Default: 0.9.
    pub adam_beta1: f64,
    /// AdamW's `β₂`, the decay of the running mean of the squared gradient. Default: 0.999.
    pub adam_beta2: f64,
    /// AdamW's `ε`, which is added to the denominator. Default: 1e-8.
    pub adam_epsilon: f64,
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
    /// Number of steps between evaluations; 0 evaluates only before and after. Default: 0.
    pub eval_every: usize,
    /// Number of steps between checkpoints; 0 for none by steps. Default: 0.
    pub save_every: usize,
    /// Minutes between checkpoints; 0 for none by time. If writing a checkpoint takes long, the next one is
    /// written after at least 20 times that duration. Default: 5.
    pub save_minutes: f64,
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
            weight_decay: 0.0,
            adam_beta1: 0.9,
            adam_beta2: 0.999,
            adam_epsilon: 1e-8,
            freeze: Vec::new(),
            max_grad_norm: 1.0,
            seed: 42,
            vocab_chunk: Auto::Auto,
            checkpoint_activations: false,
            precision: Precision::F32,
            head_only: false,
            log_every: 1,
            eval_every: 0,
            save_every: 0,
            save_minutes: 5.0,
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
            ScheduleKind::Constant | ScheduleKind::Linear | ScheduleKind::Cosine => 0,
        }
    }

    /// Checks the settings that choose what is trained.
    pub(super) fn check_trained(&self) -> Result<(), PlanError> {
        for pattern in &self.freeze {
            glob::Pattern::new(pattern).map_err(|error| PlanError::Value {
                key: "train.freeze".to_owned(),
                message: format!("`{pattern}` is not a pattern: {}", error.msg),
            })?;
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

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// The rate stays at its peak.
    #[serde(alias = "constant_with_warmup")]
    Constant,
    /// The rate falls in a straight line, and would be 0 one step after the last.
    Linear,
    /// The rate falls along half a cosine, and would be 0 one step after the last.
    Cosine,
    /// It stays at its peak, and falls along half a cosine over the last steps, whose number
    /// `decay_ratio` gives (warm-up, stable, decay; Hu et al. 2024, "MiniCPM").
    #[serde(alias = "warmup_stable_decay")]
    Wsd,
}
