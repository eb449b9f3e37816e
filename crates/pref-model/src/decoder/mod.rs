//! The decoder of the supported families. In: token ids. Out: hidden states and logits.

mod adapters;
mod attention;
mod build;
mod cache;
mod folder;
mod layers;
mod model;
mod positions;
mod step;

pub(crate) use cache::Cache;
pub use model::Decoder;
