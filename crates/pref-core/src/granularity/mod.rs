//! Granularity: the grain at which two answers are compared. One file a kind.

mod adaptive;
mod fixed;
mod parts;
mod ranked;

pub use adaptive::Adaptive;
pub use fixed::{Static, Whole};
pub use parts::Parts;
pub use ranked::Ranked;

use std::fmt::Debug;

use burn::tensor::backend::Backend;

use crate::batch::PairBatch;
use crate::error::BatchError;
use crate::granules::Granules;

/// A rule that divides both answers of each pair into granules.
pub trait Granularity<B: Backend>: Debug {
    /// The divisions; the loss is summed over all granules of all of them. One, for most rules.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks what the rule divides by.
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError>;
}
