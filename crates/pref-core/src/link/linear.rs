//! Links that do not compare the sides. In: granule sums of both sides. Out: a loss that is linear
//! in each sum, or 0.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::Link;
use crate::granules::GranuleSums;

/// `−α S_w + β S_l` (FIGA, Guo et al. 2024). With the weight [`Varied`](crate::Varied), `S` is the
/// sum of the log-probs of the varied tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figa {
    /// Weight `α` of the chosen side, `≥ 0`. Default of the configuration: 1.
    pub alpha: f64,
    /// Weight `β` of the rejected side, `≥ 0`. Default of the configuration: 0.5.
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

/// A loss of 0, so that only the SFT term on the chosen answers is left of the objective.
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
