//! The training step. In: rows, a policy and an objective. Out: the policy after one update, and what was
//! measured.

mod checkpoints;
mod features;
mod gradients;
mod groups;
mod loss_inputs;
mod mixture;
mod objective;
mod optimizer;
mod policy;
mod position;
mod reference_sync;
mod rows_of_step;
mod rule;
mod schedule;
mod scores;
mod trainer;

pub(crate) use features::attach;
pub use gradients::NamedGradients;
pub(crate) use gradients::{VALUES_OF_A_SUM, all_shapes, parameter_shapes};
pub(crate) use loss_inputs::{LossInputs, StepFailure, mixed_means};
pub(crate) use objective::RunObjective;
pub use optimizer::Optimizer;
pub(crate) use optimizer::{Moments, flaw_of_moments};
pub use policy::{TrainBackend, TrainablePolicy};
pub(crate) use position::Position;
pub use schedule::Schedule;
pub(crate) use scores::ScoreObjective;
pub(crate) use trainer::{Passes, Trainer};
