//! The trait of links. In: the granule sums of both sides. Out: a loss and a reward for each
//! granule.

use std::fmt::Debug;

use burn::tensor::{Tensor, backend::Backend};

use crate::granules::GranuleSums;

/// A function of the granule sums of both sides.
pub trait Link<B: Backend>: Debug {
    /// One loss per granule, nats, `[pairs, granules]`. It must be finite for sums of 0, because a
    /// granule that a pair does not have gets the sum 0.
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2>;

    /// The implicit reward of one side that the loss optimises, `[pairs, granules]`. The metrics
    /// report it.
    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2>;
}

/// `Δ = S_w − S_l`, nats, `[pairs, granules]`.
pub(super) fn margin<B: Backend>(
    chosen: &GranuleSums<B>,
    rejected: &GranuleSums<B>,
) -> Tensor<B, 2> {
    chosen.reward.clone() - rejected.reward.clone()
}
