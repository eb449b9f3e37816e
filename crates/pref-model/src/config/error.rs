//! What can be wrong with a `config.json`.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A configuration that names no decoder that there is.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: {source}; a model's folder holds config.json and safetensors", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is no JSON object.
    #[error("{origin}: {message}")]
    Json {
        /// Which file.
        origin: String,
        /// Line, column and what is wrong there.
        message: String,
    },
    /// A family that is not implemented.
    #[error("{origin}: model_type {found} is not supported; supported are {supported}")]
    Architecture {
        /// Which file.
        origin: String,
        /// The `model_type` found.
        found: String,
        /// Those there are.
        supported: &'static str,
    },
    /// A key is absent.
    #[error("{origin}: `{key}` is missing; expected {expected}")]
    Missing {
        /// Which file.
        origin: String,
        /// The key.
        key: String,
        /// What it holds.
        expected: &'static str,
    },
    /// A value of the wrong type, or out of its range.
    #[error("{origin}: `{key}` is {found}; expected {expected}")]
    Value {
        /// Which file.
        origin: String,
        /// The key.
        key: String,
        /// What was there.
        found: String,
        /// What it takes.
        expected: String,
    },
    /// A setting that would change the mathematics and is not implemented.
    #[error("{origin}: `{key}` = {found} is not supported{reason}")]
    Unsupported {
        /// Which file.
        origin: String,
        /// The key.
        key: String,
        /// What was there.
        found: String,
        /// `; supported are …`, or why not.
        reason: String,
    },
    /// A setting to be ignored that cannot be.
    #[error("`{key}` cannot be ignored: it decides what the model computes, and is supported")]
    NotIgnorable {
        /// The key.
        key: String,
    },
}
