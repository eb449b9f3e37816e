//! Granularity: which tokens of the two answers are compared with each other. In: a batch. Out: the
//! granule of each token, for both answers of each pair.

mod adaptive;
mod interface;
mod parts;
mod position;
mod ranked;
mod ranking;

pub use adaptive::Adaptive;
pub use interface::Granularity;
pub use parts::Parts;
pub use position::{Static, Whole};
pub use ranked::Ranked;
