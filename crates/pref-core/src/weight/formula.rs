//! Weights computed from a token's position and the answers' lengths. In: the masks of a batch.
//! Out: a weight for each token.

use burn::tensor::backend::Backend;

use super::interface::{TokenWeight, TokenWeights};
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;

/// 1 for every token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit;

impl<B: Backend> TokenWeight<B> for Unit {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        Ok(batch.side(role).policy.ones_like().detach().into())
    }
}

/// `γ^t`, where `t` is 0 at the first token of the answer (D2PO, Shao et al. 2025).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TemporalDecay {
    /// Factor from each token to the next, `0 < γ ≤ 1`. Default of the configuration: 0.98.
    pub gamma: f64,
}

impl<B: Backend> TokenWeight<B> for TemporalDecay {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let positions = batch.side(role).cumulative_counts() - 1.0;
        Ok((positions * self.gamma.ln()).exp().into())
    }
}

/// 1 for `t < min(n_w, n_l)`, that is up to the length of the shorter answer, and `α` for later
/// tokens (LD-DPO, Liu et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharedLength {
    /// Weight of the tokens after the shared length, `0 ≤ α ≤ 1`. Default of the configuration:
    /// 0.5.
    pub alpha: f64,
}

impl<B: Backend> TokenWeight<B> for SharedLength {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let side = batch.side(role);
        let shared = batch.chosen.n_tokens().min_pair(batch.rejected.n_tokens());
        let one = side.mask.ones_like();
        let is_beyond = side.cumulative_counts().greater(shared);
        Ok(one.mask_fill(is_beyond, self.alpha).into())
    }
}
