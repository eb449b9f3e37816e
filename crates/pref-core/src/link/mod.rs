//! Links: from the granule sums of both sides to one loss a granule. One file a family.

mod hinge;
mod length;
mod linear;
mod logistic;
mod odds;
mod relatives;
mod squared;

pub use hinge::Hinge;
pub use length::{LengthRegularized, SimPo};
pub use linear::{Figa, NoPreference};
pub use logistic::{Logistic, RobustLogistic};
pub use odds::OddsRatio;
pub use relatives::{ApoDown, ApoZero, DiscoPop, Exo, Nca, Sppo};
pub use squared::Squared;

use std::fmt::Debug;

use burn::tensor::{Tensor, backend::Backend};

use crate::granules::GranuleSums;

/// A function of the granule sums of both sides.
pub trait Link<B: Backend>: Debug {
    /// One loss a granule, nats, `[pairs, granules]`. It must be finite for sums of 0, which a
    /// granule that a pair does not have is given.
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2>;

    /// The implicit reward that the loss optimises, `[pairs, granules]`: what the metrics log.
    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2>;
}

/// `Δ = S_w − S_l`, `[pairs, granules]`.
fn margin<B: Backend>(chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
    chosen.reward.clone() - rejected.reward.clone()
}
