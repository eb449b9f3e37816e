//! BVPO: one objective on answers with their reasoning traces and on answers without, mixed.
//! In: two batches. Out: the mixed loss. The best mixture is [`GradientMoments`]'s.

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::PairBatch;
use crate::config::PairwiseConfig;
use crate::error::BatchError;
use crate::moments::GradientMoments;
use crate::pairwise::LossOutput;

/// The weight `α` of the answers with traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BvpoAlpha {
    /// A number from 0 to 1.
    Fixed(f64),
    /// The `α*` of gradient estimates, fixed by [`BvpoConfig::with_moments`].
    Optimal,
}

/// `L = α L_trace + (1−α) L_empty` (Bias-Variance Optimized Preference Optimization).
#[derive(Clone, Debug, PartialEq)]
pub struct BvpoConfig {
    /// Weight `α` of the answers with traces.
    pub alpha: BvpoAlpha,
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
    /// The same objective with an optimal `α` replaced by the `α*` of these estimates. A fixed `α`
    /// stays.
    #[must_use]
    pub fn with_moments(&self, moments: &GradientMoments) -> Self {
        let alpha = match self.alpha {
            BvpoAlpha::Fixed(alpha) => alpha,
            BvpoAlpha::Optimal => moments.optimal_alpha(),
        };
        Self {
            alpha: BvpoAlpha::Fixed(alpha),
            inner: self.inner.clone(),
        }
    }

    /// The loss of a batch of each set.
    ///
    /// # Errors
    /// As the inner objective's; [`BatchError::NoMoments`] for an optimal `α` that nothing fixed.
    pub fn loss<B: Backend>(
        &self,
        trace: &PairBatch<B>,
        empty: &PairBatch<B>,
    ) -> Result<BvpoOutput<B>, BatchError> {
        let alpha = match self.alpha {
            BvpoAlpha::Fixed(alpha) => alpha,
            BvpoAlpha::Optimal => return Err(BatchError::NoMoments),
        };
        let objective = self.inner.build();
        let trace = objective.loss(trace)?;
        let empty = objective.loss(empty)?;
        let loss = trace.loss.clone() * alpha + empty.loss.clone() * (1.0 - alpha);
        Ok(BvpoOutput { loss, trace, empty })
    }
}
