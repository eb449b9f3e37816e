//! The configuration of objectives: from names to objectives. In: JSON such as
//! `{"method": "adpo", "beta": 0.1, "granularity": {"adaptive": 256}}`. Out: an
//! [`ObjectiveConfig`], in which every value is valid and every default is spelled out.

mod bvpo;
mod combination;
mod divergence;
mod error;
mod fields;
mod granularity;
mod link;
mod method;
mod needs;
mod objective;
mod pairwise;
mod preset;
mod reading;
mod sum;
mod weight;

pub use bvpo::{BvpoAlpha, BvpoConfig};
pub use error::ObjectiveConfigError;
pub use granularity::GranularityConfig;
pub use link::LinkConfig;
pub use method::{Method, MethodInfo};
pub use needs::Needs;
pub use objective::{ObjectiveConfig, ObjectiveKind};
pub use pairwise::PairwiseConfig;
pub use sum::TermConfig;
pub use weight::WeightConfig;
