//! BVPO: one objective on answers with their reasoning traces and on answers without, mixed.
//! In: two losses, or gradient estimates of both. Out: the mixed loss, or the best mixture.

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::PairBatch;
use crate::config::PairwiseConfig;
use crate::error::BatchError;
use crate::pairwise::LossOutput;

/// `L = α L_trace + (1−α) L_empty` (Bias-Variance Optimized Preference Optimization).
#[derive(Clone, Debug, PartialEq)]
pub struct BvpoConfig {
    /// Weight `α` of the answers with traces, from 0 to 1.
    pub alpha: f64,
    /// The objective of both sets.
    pub inner: PairwiseConfig,
}

/// The mixed loss and what each set gave.
#[derive(Clone, Debug)]
pub struct BvpoOutput<B: Backend> {
    /// `[1]`.
    pub loss: Tensor<B, 1>,
    /// Of the pairs with traces.
    pub trace: LossOutput<B>,
    /// Of the pairs with emptied traces.
    pub empty: LossOutput<B>,
}

impl BvpoConfig {
    /// The loss of a batch of each set.
    ///
    /// # Errors
    /// As the inner objective's.
    pub fn loss<B: Backend>(
        &self,
        trace: &PairBatch<B>,
        empty: &PairBatch<B>,
    ) -> Result<BvpoOutput<B>, BatchError> {
        let objective = self.inner.build();
        let trace = objective.loss(trace)?;
        let empty = objective.loss(empty)?;
        let loss = trace.loss.clone() * self.alpha + empty.loss.clone() * (1.0 - self.alpha);
        Ok(BvpoOutput { loss, trace, empty })
    }
}
