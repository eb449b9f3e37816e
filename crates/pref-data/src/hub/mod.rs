//! Data sets and models of the Hugging Face hub. In: `owner/name`, with a revision or a pattern.
//! Out: paths of files in the hub's cache. Without the feature `hub`, names are parsed but nothing
//! is downloaded.

#[cfg(feature = "hub")]
mod data_set;
#[cfg(feature = "hub")]
mod error;
#[cfg(feature = "hub")]
mod model;
mod path;
#[cfg(feature = "hub")]
mod repository;

#[cfg(feature = "hub")]
pub use data_set::{hub_commit, hub_files};
#[cfg(feature = "hub")]
pub use error::HubError;
#[cfg(feature = "hub")]
pub use model::hub_model;
pub(crate) use path::{HubPath, hub_text};
#[cfg(feature = "hub")]
pub use repository::HubOptions;
