//! The squared link of IPO. In: granule sums of both sides. Out: one loss per granule.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::Link;
use crate::granules::GranuleSums;

/// `(Δ − 1/(2τ))²`, `Δ = S_w − S_l` (IPO, Azar et al. 2023).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squared {
    /// Regularisation `τ`, `> 0`. The loss is 0 at a margin of `1/(2τ)` nats. Default of the
    /// configuration: 0.1.
    pub tau: f64,
    /// Whether the sum of each side is first divided by its token count, as in TRL and HALOs. The
    /// paper does not divide. Default of the configuration: false.
    pub length_average: bool,
}

impl Squared {
    /// The sum of one side, or its mean over tokens, `[pairs, granules]`.
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

    /// `τ S`, as in TRL's metrics: `τ` takes the place of DPO's `β`.
    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.tau
    }
}
