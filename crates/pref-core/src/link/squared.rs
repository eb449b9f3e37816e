//! The squared link of IPO.

use burn::tensor::{Tensor, backend::Backend};

use super::Link;
use crate::granules::GranuleSums;

/// `(Δ − 1/(2τ))²` (IPO, Azar et al. 2023).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squared {
    /// Regularisation `τ`, `> 0`: the margin is drawn to `1/(2τ)` nats.
    pub tau: f64,
    /// Divide each side by its token count first, as TRL and HALOs do.
    pub length_average: bool,
}

impl Squared {
    fn score<B: Backend>(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        if self.length_average {
            side.mean()
        } else {
            side.reward.clone()
        }
    }
}

impl<B: Backend> Link<B> for Squared {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let margin = self.score(chosen) - self.score(rejected);
        (margin - 1.0 / (2.0 * self.tau)).square()
    }

    /// `τ S`: with `τ` in the place of DPO's `β`, as TRL logs it.
    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.tau
    }
}
