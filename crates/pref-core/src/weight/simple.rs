//! Weights that are one formula of position, length or a column of the data.

use burn::tensor::{Tensor, backend::Backend};

use super::{TokenWeight, TokenWeights};
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

/// 1 where the token is varied, else 0 (FIGA).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Varied;

impl<B: Backend> TokenWeight<B> for Varied {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        Ok(varied_mask(batch, role, "weighting by varied tokens")?.into())
    }
}

/// 1 on the chosen side, `1 − s_t` on the rejected (cDPO, Lin et al. 2024, eq. 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Importance;

impl<B: Backend> TokenWeight<B> for Importance {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        match role {
            Role::Chosen => Unit.weights(batch, role),
            Role::Rejected => {
                let importance = batch.rejected.importance.clone();
                let importance = importance.ok_or(BatchError::Missing {
                    user: "importance weighting",
                    input: "`importance` in 0..1",
                    side: role.name(),
                    remedy: "give every rejected token its importance in the data",
                })?;
                Ok((importance.neg() + 1.0).into())
            }
        }
    }
}

/// Weights given in the data, both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given;

impl<B: Backend> TokenWeight<B> for Given {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let given = batch.side(role).given.clone();
        let given = given.ok_or(BatchError::Missing {
            user: "given weights",
            input: "`weights`",
            side: role.name(),
            remedy: "give every token its weight in the data",
        })?;
        Ok(given.into())
    }
}

/// `γ^t`, `t` from 0 at the answer's first token (D2PO, Shao et al. 2025).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TemporalDecay {
    /// Decay a token, `0 < γ ≤ 1`.
    pub gamma: f64,
}

impl<B: Backend> TokenWeight<B> for TemporalDecay {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let positions = batch.side(role).counted() - 1.0;
        Ok((positions * self.gamma.ln()).exp().into())
    }
}

/// 1 for the tokens within the shorter answer's length, `α` beyond it (LD-DPO, Liu et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharedLength {
    /// Weight of the tokens past the shared length, `0 ≤ α ≤ 1`.
    pub alpha: f64,
}

impl<B: Backend> TokenWeight<B> for SharedLength {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let side = batch.side(role);
        let shared = batch.chosen.n_tokens().min_pair(batch.rejected.n_tokens());
        let one = side.mask.ones_like();
        let beyond = side.counted().greater(shared);
        Ok(one.mask_fill(beyond, self.alpha).into())
    }
}

/// The varied mask of a side, or the error that names who needed it.
pub(super) fn varied_mask<B: Backend>(
    batch: &PairBatch<B>,
    role: Role,
    user: &'static str,
) -> Result<Tensor<B, 2>, BatchError> {
    batch.side(role).varied.clone().ok_or(BatchError::Missing {
        user,
        input: "`varied` (1 where the token differs from the other answer)",
        side: role.name(),
        remedy: "align the two answers' tokens first",
    })
}
