//! The position of a run. In: the steps so far. Out: the part of a checkpoint that says where to continue.

use pref_data::Sampler;
use serde::{Deserialize, Serialize};

use super::mixture::AlphaEstimate;
use crate::metrics::{MetricsLine, Sums};

/// How far a run is, and where its data continues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Number of optimiser steps.
    pub(crate) step: usize,
    /// Number of steps that the optimiser counts, for its bias correction.
    pub(crate) optimizer_steps: u64,
    /// Number of tokens so far, prompts included and padding excluded.
    pub(crate) tokens: u64,
    /// The order of the training rows, and the position of the next row in it.
    pub(crate) sampler: Sampler,
    /// The order of the rows with emptied traces, and the position of the next row in it.
    pub(crate) empty_sampler: Sampler,
    /// Sums since the last line of the metrics: of the training rows, and of the rows with emptied traces.
    pub(crate) unlogged: [Sums; 2],
    /// For bvpo with an optimal `α`, what is known of the gradients of both sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mixture: Option<AlphaEstimate>,
    /// The line of the metrics of the last step, if it could not be written.
    pub(crate) unwritten: Option<MetricsLine>,
}
