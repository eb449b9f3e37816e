//! What a training step will need, before anything is run. In: the shape of a model, the shape of the data, and a
//! machine. Out: memory, multiplications, traffic and time.

mod machine;
mod memory;
mod time;
mod workload;

pub use machine::Machine;
pub use memory::MemoryForecast;
pub use time::TimeForecast;
pub use workload::Workload;
pub(crate) use workload::{saves_by_sharing, tokens_of_a_pass, vocab_chunk};

use pref_model::{Config, Cost};
use serde::Serialize;

use crate::error::TrainError;
use crate::plan::{OptimizerKind, TrainPlan};

/// What a training step will need.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Number of parameters of the model.
    pub parameters: usize,
    /// Number of parameters that are trained.
    pub trained: usize,
    /// Number of tokens of a step, prompts included and padding excluded. A shared prompt counts once.
    pub tokens: usize,
    /// Number of forward passes of a step on the rank with the most.
    pub passes: usize,
    /// Number of tokens of a forward pass.
    pub tokens_of_a_pass: usize,
    /// Memory of a rank.
    pub memory: MemoryForecast,
    /// Time of a step.
    pub time: TimeForecast,
}

impl Forecast {
    /// The forecast of a step. `train` says which parameters are trained: all, or those of an adapter or of a head.
    ///
    /// # Errors
    /// [`TrainError::Lora`] if a pattern of the adapter's targets is not a regular expression.
    pub fn new(
        model: &Config,
        train: &TrainPlan,
        workload: &Workload,
        machine: &Machine,
    ) -> Result<Self, TrainError> {
        let cost = model.cost();
        let trained = match &train.lora {
            Some(lora) => {
                let adapter = lora.config(String::new());
                model.adapter_parameters(adapter.rank, &adapter.targets)?
            }
            None if train.head_only => cost.embeddings / cost.vocab_size.max(1),
            None => cost.parameters,
        };
        let passes = workload.passes(&cost);
        let moments = moments(train, &cost, trained);
        Ok(Self {
            parameters: cost.parameters,
            trained,
            tokens: workload.rows * workload.tokens_of_a_row(),
            passes: passes.of_a_rank,
            tokens_of_a_pass: passes.rows * workload.tokens_of_a_row(),
            memory: MemoryForecast::new(&cost, trained, moments, workload, &passes),
            time: TimeForecast::new(model, [trained, moments], workload, &passes, machine),
        })
    }
}

/// Number of values that the optimiser keeps for `trained` parameters.
fn moments(train: &TrainPlan, cost: &Cost, trained: usize) -> usize {
    match train.optimizer {
        OptimizerKind::AdamW | OptimizerKind::Adam => 2 * trained,
        OptimizerKind::Sgd if train.momentum() > 0.0 => trained,
        OptimizerKind::Sgd => 0,
        // One for each matrix of the layers, or of an adapter, and two for all others.
        OptimizerKind::Muon => 2 * trained - trained.min(cost.layer_products),
    }
}
