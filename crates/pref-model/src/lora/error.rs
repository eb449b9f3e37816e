//! Errors of adapters. In: a file or a setting, and what was found. Out: a message that names them and the way
//! out.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::weights::LoadError;

/// An adapter cannot be read, or cannot be added to a model.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoraError {
    /// The settings of the adapter cannot be read.
    #[error("{}: {source}; an adapter's folder holds adapter_config.json and adapter_model.safetensors, as PEFT writes them", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The settings are not a JSON object.
    #[error("{}: {message}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and what the parser expected there.
        message: String,
    },
    /// A setting has a value that is not implemented, and it may change what the adapter computes.
    #[error("{}: `{key}` = {found} is not supported; {expected}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
        /// Its value.
        found: String,
        /// What is supported.
        expected: &'static str,
    },
    /// A number is outside its range.
    #[error("the {key} of an adapter must be {expected}, found {found}")]
    Range {
        /// What the number is.
        key: &'static str,
        /// The value found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A pattern is not a regular expression.
    #[error("`{pattern}` is not a regular expression of a layer's name: {message}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The problem.
        message: String,
    },
    /// No layer has a name that fits.
    #[error(
        "no linear layer of the model fits the targets {targets}; a list holds ends of names, such as [\"q_proj\"], and a text is a regular expression of the whole name, such as \".*self_attn.*\"; the layers are {names}"
    )]
    NoTarget {
        /// The targets.
        targets: String,
        /// Names of layers.
        names: String,
    },
    /// A target is the table of embeddings.
    #[error(
        "the targets name `{name}`, which is a table of embeddings; adapters are implemented for linear layers only, so leave it out"
    )]
    Embedding {
        /// The name.
        name: String,
    },
    /// A target is a head that shares its weight with the embedding.
    #[error(
        "the targets name `lm_head`, whose weight is the table of embeddings in this model; an adapter would separate both, which is not implemented, so leave it out"
    )]
    TiedHead,
    /// The model has an adapter already.
    #[error("the model has an adapter already; merge it first with `pref merge`")]
    Second,
    /// The weights of the adapter cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
}
