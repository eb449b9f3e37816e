//! The lines of `metrics.jsonl`. In: the means of training steps or of an evaluation. Out: one JSON object.

use serde::{Deserialize, Serialize};

use super::means::{Means, PairMeans};
use super::prefix;

/// One line of `metrics.jsonl`: the optimiser steps since the previous line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Number of optimiser steps so far.
    pub step: usize,
    /// Number of passes over the training rows so far; a part of a pass is a fraction.
    pub epoch: f64,
    /// Means over the rows of these steps.
    #[serde(flatten)]
    pub means: Means,
    /// For an objective on two sets, means over the pairs with emptied traces. The loss in `means` is
    /// then the loss of the mixture, and the other means in `means` are over the pairs with traces.
    #[serde(flatten, with = "prefix::empty")]
    pub empty: Option<PairMeans>,
    /// For bvpo with an optimal `α`, how both sets were mixed in the last of these steps.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<MixtureRecord>,
    /// Global gradient norm of the last of these steps, before clipping.
    pub grad_norm: f64,
    /// Learning rate of the last of these steps.
    pub learning_rate: f64,
    /// Number of tokens so far, prompts included and padding excluded.
    pub num_tokens: u64,
}

/// How the gradients of bvpo's two sets are mixed: averages over the steps so far, of which later ones count more.
/// Variances and covariance are those of the mean gradient of a step, summed over all parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MixtureRecord {
    /// The optimal weight `α*` of the pairs with traces, from 0 to 1.
    #[serde(rename = "bvpo/alpha")]
    pub alpha: f64,
    /// `‖b_e‖`: how far the expected gradient of the pairs without traces is from that of the pairs with traces.
    #[serde(rename = "bvpo/bias")]
    pub bias: f64,
    /// `V_t`, of the pairs with traces.
    #[serde(rename = "bvpo/variance_trace")]
    pub variance_trace: f64,
    /// `V_e`, of the pairs with emptied traces.
    #[serde(rename = "bvpo/variance_empty")]
    pub variance_empty: f64,
    /// `C`, of both.
    #[serde(rename = "bvpo/covariance")]
    pub covariance: f64,
}

/// One line of `metrics.jsonl`: an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalRecord {
    /// Number of optimiser steps before the evaluation.
    pub step: usize,
    /// Number of evaluated pairs or single answers.
    pub eval_pairs: usize,
    /// Means over these pairs or answers.
    #[serde(flatten, with = "prefix::eval")]
    pub means: Means,
    /// For an objective on two sets, means over the pairs with emptied traces.
    #[serde(flatten, with = "prefix::eval_empty")]
    pub empty: Option<PairMeans>,
}

/// A line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MetricsLine {
    /// An evaluation.
    Eval(EvalRecord),
    /// Training steps.
    Step(StepRecord),
}

impl MetricsLine {
    /// Number of optimiser steps so far.
    pub fn step(&self) -> usize {
        match self {
            MetricsLine::Eval(record) => record.step,
            MetricsLine::Step(record) => record.step,
        }
    }
}
