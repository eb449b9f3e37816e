//! Weights that are read from a column of the data. In: the varied tokens, importance or given
//! weights of a batch. Out: a weight for each token.

use burn::tensor::{Tensor, backend::Backend};

use super::formula::Unit;
use super::interface::{TokenWeight, TokenWeights};
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;

/// 1 where the token differs from the other answer, else 0 (FIGA, Guo et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Varied;

impl<B: Backend> TokenWeight<B> for Varied {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        Ok(varied_mask(batch, role, "weighting by varied tokens")?.into())
    }
}

/// 1 on the chosen side and `1 − s_t` on the rejected side, where `s_t` is the token's importance
/// (cDPO, Lin et al. 2024, eq. 16).
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
                    input: "`importance` (0 to 1)",
                    side: role.name(),
                    remedy: "give every rejected token its importance in the data",
                })?;
                Ok((importance.neg() + 1.0).into())
            }
        }
    }
}

/// The weights that the data gives for the tokens of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given;

impl<B: Backend> TokenWeight<B> for Given {
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
        let given = batch.side(role).given.clone();
        let given = given.ok_or(BatchError::Missing {
            user: "weighting by given weights",
            input: "`weights`",
            side: role.name(),
            remedy: "give every token its weight in the data",
        })?;
        Ok(given.into())
    }
}

/// The varied mask of a side, `[pairs, tokens]`. If there is none, the error names `user`.
pub(super) fn varied_mask<B: Backend>(
    batch: &PairBatch<B>,
    role: Role,
    user: &'static str,
) -> Result<Tensor<B, 2>, BatchError> {
    batch.side(role).varied.clone().ok_or(BatchError::Missing {
        user,
        input: "`varied` (1 where the token differs from the other answer)",
        side: role.name(),
        remedy: "align the tokens of the two answers first",
    })
}
