//! The hinge link. In: granule sums of both sides. Out: one loss per granule.

use burn::tensor::{Tensor, activation::relu, backend::Backend};

use super::interface::{Link, margin};
use crate::granules::GranuleSums;

/// `max(0, 1 − βΔ)`, `Δ = S_w − S_l` (SLiC, Zhao et al. 2023, with DPO's margin).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hinge {
    /// Scale `β` of the margin, `> 0`. The loss is 0 for margins of at least `1/β` nats. Default of
    /// the configuration: 0.1.
    pub beta: f64,
}

impl<B: Backend> Link<B> for Hinge {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        relu(margin(chosen, rejected) * -self.beta + 1.0)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}
