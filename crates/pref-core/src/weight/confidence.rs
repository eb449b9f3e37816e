//! Confidence weights on the tokens that differ (BMC).

use burn::tensor::{Tensor, backend::Backend};

use super::{TokenWeight, TokenWeights};
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;
use crate::weight::simple::varied_mask;

/// Which confidence weighs the reference's log-probs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceConfidence {
    /// The policy's, as in the paper: one weight a token.
    #[default]
    Policy,
    /// The reference's own, as in the authors' code.
    Own,
}

/// `w_t = 1 + min(sg(1/π_θ(y_t)), δ)` where token `t` is varied, else 1
/// (BMC, Jiang et al. 2024, eq. 7 and 10).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// Cap `δ` of the inverse probability, `> 0`.
    pub delta: f64,
    /// Which confidence weighs the reference's log-probs.
    pub reference: ReferenceConfidence,
}

impl Confidence {
    fn of<B: Backend>(&self, log_probs: Tensor<B, 2>, varied: Tensor<B, 2>) -> Tensor<B, 2> {
        // min(1/π, δ) = exp(min(−log π, log δ)), which cannot overflow
        let inverse = log_probs.detach().neg().clamp_max(self.delta.ln()).exp();
        inverse * varied + 1.0
    }
}

impl<B: Backend> TokenWeight<B> for Confidence {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let side = batch.side(role);
        let varied = varied_mask(batch, role, "confidence weighting")?;
        let policy = self.of(side.policy.clone(), varied.clone());
        let reference = match (self.reference, &side.reference) {
            (ReferenceConfidence::Own, Some(reference)) => self.of(reference.clone(), varied),
            (ReferenceConfidence::Own | ReferenceConfidence::Policy, _) => policy.clone(),
        };
        Ok(TokenWeights { policy, reference })
    }
}
