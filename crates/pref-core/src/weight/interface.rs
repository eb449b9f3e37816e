//! The trait of token weights. In: a batch and a role. Out: weights of the tokens of that side.

use std::fmt::Debug;

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::{PairBatch, Role};
use crate::error::BatchError;

/// Weights of one side's tokens, dimensionless.
///
/// The policy's and the reference's log-probs may have different weights, as in the code of BMC's
/// authors. [`From`] a single tensor makes both the same.
#[derive(Clone, Debug)]
pub struct TokenWeights<B: Backend> {
    /// Weights of the policy's log-probs, `[pairs, tokens]`.
    pub policy: Tensor<B, 2>,
    /// Weights of the reference's log-probs, `[pairs, tokens]`.
    pub reference: Tensor<B, 2>,
}

impl<B: Backend> From<Tensor<B, 2>> for TokenWeights<B> {
    fn from(weights: Tensor<B, 2>) -> Self {
        Self {
            policy: weights.clone(),
            reference: weights,
        }
    }
}

/// A rule that gives each token a weight.
pub trait TokenWeight<B: Backend>: Debug {
    /// The weights of the tokens of the side with this role, each `[pairs, tokens]`. Weights count
    /// as constants of the loss, so detach a tensor that depends on the policy.
    ///
    /// # Errors
    /// [`BatchError::Missing`] when the batch lacks data from which the weights are computed.
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError>;
}
