//! The trait of granularities. In: a batch. Out: one or more divisions of its tokens into granules.

use std::fmt::Debug;

use burn::tensor::backend::Backend;

use crate::batch::PairBatch;
use crate::error::BatchError;
use crate::granules::Granules;

/// A rule that divides both answers of each pair into granules.
pub trait Granularity<B: Backend>: Debug {
    /// The divisions of a batch. The loss is the sum over all granules of all divisions; most rules
    /// give one division.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks what the rule needs.
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError>;
}
