//! Links: the function that makes a loss of two granule sums. In: the granule sums of both sides.
//! Out: one loss per granule. Each file holds one family of links.

mod hinge;
mod interface;
mod length;
mod linear;
mod logistic;
mod odds;
mod relatives;
mod squared;

pub use hinge::Hinge;
pub use interface::Link;
pub use length::{LengthRegularized, SimPo};
pub use linear::{Figa, NoPreference};
pub use logistic::{Logistic, RobustLogistic};
pub use odds::OddsRatio;
pub use relatives::{ApoDown, ApoZero, DiscoPop, Exo, Nca, Sppo};
pub use squared::Squared;
