//! Why a run cannot go on.

use thiserror::Error;

use crate::store::StoreError;

/// A run that cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template failed.
    #[error(transparent)]
    Template(#[from] crate::templates::TemplateError),
}
