//! The hinge link.

use burn::tensor::{Tensor, activation::relu, backend::Backend};

use super::{Link, margin};
use crate::granules::GranuleSums;

/// `max(0, 1 − βΔ)` (SLiC, Zhao et al. 2023, on DPO's margin).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hinge {
    /// Scale `β` of the margin, `> 0`; its reciprocal is the margin asked for, in nats.
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
