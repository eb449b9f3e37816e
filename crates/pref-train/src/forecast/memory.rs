//! The memory of a training step. In: the shape of a model, and the work. Out: bytes of one rank, by what they hold.

use pref_model::{Cost, Precision};
use serde::Serialize;

use super::workload::{Passes, Workload};
use crate::plan::ReferenceKind;
use crate::step::VALUES_OF_A_SUM;

/// Bytes of a value.
const F32: usize = size_of::<f32>();

/// The memory of one rank, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MemoryForecast {
    /// The weights of the policy.
    pub weights: usize,
    /// The gradients of the trained parameters, with a second one of the table of embeddings, which is added to the
    /// first.
    pub gradients: usize,
    /// What the optimiser keeps.
    pub moments: usize,
    /// A reference model beside the policy.
    pub reference: usize,
    /// What the backward pass reads.
    pub activations: usize,
    /// Logits and their gradient.
    pub logits: usize,
    /// Buffers of the sum over ranks.
    pub sums: usize,
    /// All of these.
    pub total: usize,
}

impl MemoryForecast {
    pub(super) fn new(
        cost: &Cost,
        trained: usize,
        moments: usize,
        workload: &Workload,
        passes: &Passes,
    ) -> Self {
        let weights = cost.parameters * F32;
        let trains_all = trained >= cost.parameters;
        // A copy of the policy shares its memory until the first update changes the policy.
        let reference = match workload.reference {
            ReferenceKind::FrozenCopy if trains_all => weights,
            ReferenceKind::FrozenCopy
            | ReferenceKind::AdapterOff
            | ReferenceKind::Precomputed
            | ReferenceKind::None => 0,
        };
        let embeddings = if trains_all { cost.embeddings } else { 0 };
        // The values on the host, and the parts of the other ranks.
        let sums = match workload.ranks {
            1 => 0,
            _ => trained.min(VALUES_OF_A_SUM.max(embeddings)) + trained.min(VALUES_OF_A_SUM),
        };
        let mut forecast = Self {
            weights,
            gradients: (trained + embeddings) * F32,
            moments: moments * F32,
            reference,
            activations: passes.rows * workload.tokens_of_a_row() * kept_bytes(cost, workload),
            logits: 2 * passes.logits * cost.vocab_size * F32,
            sums: sums * F32,
            total: 0,
        };
        let parts = [
            forecast.weights,
            forecast.gradients,
            forecast.moments,
            forecast.reference,
            forecast.activations,
            forecast.logits,
            forecast.sums,
        ];
        forecast.total = parts.iter().sum();
        forecast
    }
}

/// Bytes that a pass keeps for the backward pass, for each token.
fn kept_bytes(cost: &Cost, workload: &Workload) -> usize {
    let values = match workload.checkpoint_activations {
        true => cost.kept_with_checkpoints,
        false => cost.kept_per_token,
    };
    let wide = match workload.precision {
        Precision::F32 => values,
        Precision::Bf16 => cost.kept_in_float32.min(values),
    };
    wide * F32 + (values - wide) * F32 / 2
}
