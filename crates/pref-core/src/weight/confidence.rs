//! Confidence weights of the tokens that differ between the answers (BMC). In: log-probs and varied
//! tokens of a batch. Out: a weight for each token.

use burn::tensor::{Tensor, backend::Backend};

use super::column::varied_mask;
use super::interface::{TokenWeight, TokenWeights};
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;

/// Whose confidence weights the reference's log-probs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferenceConfidence {
    /// The policy's, as in the paper: a token has one weight.
    #[default]
    Policy,
    /// The reference's own, as in the code of the paper's authors.
    Own,
}

/// `w_t = 1 + min(sg(1/π_θ(y_t)), δ)` where token `t` is varied, else 1
/// (BMC, Jiang et al. 2024, eq. 7 and 10).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// Upper limit `δ` of the inverse probability, `> 0`. Default of the configuration: 3.
    pub delta: f64,
    /// Whose confidence weights the reference's log-probs.
    pub reference: ReferenceConfidence,
}

impl Confidence {
    /// The weights computed from these log-probs; all tensors are `[pairs, tokens]`.
    fn weights_of<B: Backend>(
        &self,
        log_probs: Tensor<B, 2>,
        varied: Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        // min(1/π, δ) = exp(min(−log π, log δ)), which cannot overflow
        let inverse = log_probs.detach().neg().clamp_max(self.delta.ln()).exp();
        inverse * varied + 1.0
    }
}

impl<B: Backend> TokenWeight<B> for Confidence {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let side = batch.side(role);
        let varied = varied_mask(batch, role, "confidence weighting")?;
        let policy = self.weights_of(side.policy.clone(), varied.clone());
        let reference = match self.reference {
            ReferenceConfidence::Policy => None,
            ReferenceConfidence::Own => side.reference.clone(),
        };
        let reference = match reference {
            Some(reference) => self.weights_of(reference, varied),
            None => policy.clone(),
        };
        Ok(TokenWeights { policy, reference })
    }
}
