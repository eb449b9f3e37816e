//! BVPO: mixes the losses of pairs with reasoning traces and of pairs with emptied traces. In: a
//! batch of each. Out: the mixed loss.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::LossOutput;
use super::pairwise::PairwiseObjective;
use crate::batch::PairBatch;
use crate::error::BatchError;

/// `L = α L_trace + (1−α) L_empty` (Bias-Variance Optimized Preference Optimization).
///
/// The `α` with the least error of the mixed gradient is
/// [`GradientMoments::optimal_alpha`](crate::GradientMoments::optimal_alpha).
#[derive(Debug)]
pub struct Bvpo<B: Backend> {
    /// Weight `α` of the pairs with traces, from 0 to 1.
    pub alpha: f64,
    /// The objective of both sets of pairs.
    pub inner: PairwiseObjective<B>,
}

/// The mixed loss, and the output of each set.
#[derive(Clone, Debug)]
pub struct BvpoOutput<B: Backend> {
    /// The mixed loss, nats, `[1]`. Call `backward()` on it.
    pub loss: Tensor<B, 1>,
    /// Output of the pairs with reasoning traces.
    pub trace: LossOutput<B>,
    /// Output of the pairs with emptied traces.
    pub empty: LossOutput<B>,
}

impl<B: Backend> Bvpo<B> {
    /// The loss of one batch of each set. The two may differ in the number of pairs.
    ///
    /// # Errors
    /// [`BatchError`] when a batch lacks an input that the inner objective needs.
    ///
    /// # Panics
    /// If the shapes of a batch's tensors do not fit together.
    pub fn loss(
        &self,
        trace: &PairBatch<B>,
        empty: &PairBatch<B>,
    ) -> Result<BvpoOutput<B>, BatchError> {
        let trace = self.inner.loss(trace)?;
        let empty = self.inner.loss(empty)?;
        let loss = trace.loss.clone() * self.alpha + empty.loss.clone() * (1.0 - self.alpha);
        Ok(BvpoOutput { loss, trace, empty })
    }
}
