//! Links without a comparison: each side's sum enters the loss as it is.

use burn::tensor::{Tensor, backend::Backend};

use super::Link;
use crate::granules::GranuleSums;

/// `−α S_w + β S_l` over the varied tokens' log-probs (FIGA, Guo et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figa {
    /// Weight `α` of the chosen side.
    pub alpha: f64,
    /// Weight `β` of the rejected side.
    pub beta: f64,
}

impl<B: Backend> Link<B> for Figa {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        rejected.reward.clone() * self.beta - chosen.reward.clone() * self.alpha
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone()
    }
}

/// No preference term: what remains is the objective's SFT term on the chosen answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPreference;

impl<B: Backend> Link<B> for NoPreference {
    fn loss(&self, chosen: &GranuleSums<B>, _rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        chosen.reward.zeros_like()
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.mean()
    }
}
