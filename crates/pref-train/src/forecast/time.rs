//! The time of a training step. In: the shape of a model, the work, and a machine. Out: operations, bytes between
//! ranks, and seconds.

use pref_model::Config;
use serde::Serialize;

use super::machine::Machine;
use super::workload::{Passes, Workload};
use crate::plan::ReferenceKind;

/// Bytes that the optimiser reads and writes for a parameter: the parameter twice and the gradient once.
const BYTES_OF_AN_UPDATE: f64 = 12.0;

/// Bytes that it reads and writes for a value that it keeps.
const BYTES_OF_A_MOMENT: f64 = 8.0;

/// Bytes of a gradient's value.
const BYTES_OF_A_VALUE: f64 = 4.0;

/// The time of a step, and what it is spent on. Operations count a multiplication and an addition as two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TimeForecast {
    /// Operations for a token of a training step, averaged over prompts and answers.
    pub flops_per_token: f64,
    /// Operations of a step on all ranks.
    pub flops: f64,
    /// Operations of the reference for a row before training, if its log-probs are precomputed.
    pub reference_flops_per_row: f64,
    /// Bytes that each rank sends in a step.
    pub traffic: f64,
    /// Seconds of the forward and backward passes.
    pub compute_seconds: f64,
    /// Seconds of the optimiser's update.
    pub update_seconds: f64,
    /// Seconds of the sum of gradients over ranks.
    pub sum_seconds: f64,
    /// All seconds of a step.
    pub seconds: f64,
    /// Tokens a second of all ranks.
    pub tokens_per_second: f64,
}

impl TimeForecast {
    pub(super) fn new(
        model: &Config,
        [trained, moments]: [usize; 2],
        workload: &Workload,
        passes: &Passes,
        machine: &Machine,
    ) -> Self {
        let cost = model.cost();
        let row = workload.tokens_of_a_row();
        let length = workload.prompt_tokens + workload.answer_tokens;
        let layers = cost.layer_products as f64 + model.attention_products(length);
        let response = workload.logits_of_a_row() as f64;
        let layers_of_a_row = 2.0 * layers * row as f64;
        let head_of_a_row = 2.0 * cost.head_products as f64 * response;
        let forward = layers_of_a_row + head_of_a_row;
        // A backward pass has two products for each product of the forward pass: of the inputs and of the weight.
        // A frozen weight has no gradient.
        let backward = match trained >= cost.parameters {
            true => 2.0,
            false => 1.0,
        };
        let repeated = match passes.repeats_logits {
            true => head_of_a_row,
            false => 0.0,
        };
        let reference = match workload.reference {
            ReferenceKind::FrozenCopy | ReferenceKind::AdapterOff => forward,
            ReferenceKind::Precomputed | ReferenceKind::None => 0.0,
        };
        let again = match workload.checkpoint_activations {
            true => layers_of_a_row,
            false => 0.0,
        };
        let of_a_row = forward * (1.0 + backward) + again + repeated + reference;
        let rows_of_a_rank = (passes.of_a_rank * passes.rows).min(workload.rows) as f64;
        let speed = machine.flops * machine.efficiency;
        let compute_seconds = of_a_row * rows_of_a_rank / speed;
        let update = BYTES_OF_AN_UPDATE * trained as f64 + BYTES_OF_A_MOMENT * moments as f64;
        let update_seconds = update / machine.memory_bandwidth;
        let ranks = workload.ranks as f64;
        let gradients = BYTES_OF_A_VALUE * trained as f64;
        // Each rank sends its values of the parts that others sum, and then its sums to the others.
        let traffic = 2.0 * gradients * (ranks - 1.0) / ranks;
        // The gradients leave the device, and their sums come back.
        let copies = match (workload.ranks, machine.host_bandwidth) {
            (1, _) | (_, None) => 0.0,
            (_, Some(bandwidth)) => 2.0 * gradients / bandwidth,
        };
        let sum_seconds = traffic / machine.link_bandwidth + copies;
        let seconds = compute_seconds + update_seconds + sum_seconds;
        let rows = workload.rows as f64;
        Self {
            flops_per_token: of_a_row / row.max(1) as f64,
            flops: of_a_row * rows,
            reference_flops_per_row: match workload.reference {
                ReferenceKind::Precomputed => forward,
                ReferenceKind::FrozenCopy | ReferenceKind::AdapterOff | ReferenceKind::None => 0.0,
            },
            traffic,
            compute_seconds,
            update_seconds,
            sum_seconds,
            seconds,
            tokens_per_second: rows * row as f64 / seconds,
        }
    }
}
