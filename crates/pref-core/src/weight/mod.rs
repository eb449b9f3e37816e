//! Token weights `w_t`: how much each token's reward counts. One file a source.

mod confidence;
mod simple;

pub use confidence::{Confidence, ReferenceConfidence};
pub use simple::{Given, Importance, SharedLength, TemporalDecay, Unit, Varied};

use std::fmt::Debug;

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::{PairBatch, Role};
use crate::error::BatchError;

/// Weights of one side's tokens, `[pairs, tokens]`. Policy and reference log-probs may be weighed
/// differently (the BMC authors' code does); a [`From`] a single tensor weighs both alike.
#[derive(Clone, Debug)]
pub struct TokenWeights<B: Backend> {
    /// Weights of the policy's log-probs.
    pub policy: Tensor<B, 2>,
    /// Weights of the reference's.
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

/// A source of token weights.
pub trait TokenWeight<B: Backend>: Debug {
    /// The weights of that side's tokens. No gradient may flow through them: detach what depends
    /// on the policy.
    ///
    /// # Errors
    /// [`BatchError::Missing`] when the batch lacks what the weights are made from.
    fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError>;
}
