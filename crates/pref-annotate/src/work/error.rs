//! Errors of annotation work. In: a row, a setting or a template. Out: where, what was found, and the way out.

use thiserror::Error;

use crate::store::StoreError;
use crate::templates::TemplateError;

/// Rows cannot be annotated or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A row cannot be annotated.
    #[error("{place}: {message}")]
    Row {
        /// The row.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// A setting is wrong.
    #[error("{name}: {message}")]
    Setting {
        /// The setting.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// There are no rows.
    #[error("there are no rows to annotate")]
    NoRows,
    /// The output cannot be written.
    #[error(transparent)]
    Write(#[from] pref_data::WriteError),
    /// A row cannot be tokenized.
    #[error(transparent)]
    Tokenize(#[from] pref_data::TokenizeError),
    /// The tokenizer cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] pref_data::TokenizerError),
}
