//! Token weights `w_t`: how much the reward of each token counts. In: a batch. Out: a weight for
//! each token of one side.

mod column;
mod confidence;
mod formula;
mod interface;

pub use column::{Given, Importance, Varied};
pub use confidence::{Confidence, ReferenceConfidence};
pub use formula::{SharedLength, TemporalDecay, Unit};
pub use interface::{TokenWeight, TokenWeights};
