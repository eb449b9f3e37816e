//! Errors of a `config.json`. In: a key and its value. Out: a message that names the file, the key, what was
//! found and what is supported.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A configuration that Pref cannot build a decoder from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelConfigError {
    /// The file cannot be read.
    #[error("{}: {source}; a model's folder holds config.json and safetensors", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file is not a JSON object.
    #[error("{origin}: {message}")]
    Json {
        /// The file.
        origin: String,
        /// Line, column and what the parser expected there.
        message: String,
    },
    /// A family that is not implemented.
    #[error("{origin}: model_type {found} is not supported; supported are {supported}")]
    Architecture {
        /// The file.
        origin: String,
        /// The `model_type` found.
        found: String,
        /// The families that are implemented.
        supported: &'static str,
    },
    /// A key is absent.
    #[error("{origin}: `{key}` is missing; expected {expected}")]
    Missing {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// What the key should hold.
        expected: &'static str,
    },
    /// A value of the wrong type, or out of its range.
    #[error("{origin}: `{key}` is {found}; expected {expected}")]
    Value {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// The value found.
        found: String,
        /// What the key should hold.
        expected: String,
    },
    /// A setting that changes what the model computes, and is not implemented.
    #[error("{origin}: `{key}` = {found} is not supported{reason}")]
    Unsupported {
        /// The file.
        origin: String,
        /// The key.
        key: String,
        /// The value found.
        found: String,
        /// `; supported are …`, or why the value is not supported.
        reason: String,
    },
    /// The caller asked to ignore a setting that must not be ignored.
    #[error(
        "`{key}` cannot be ignored: the decoder reads it, and it decides what the model computes"
    )]
    NotIgnorable {
        /// The key.
        key: String,
    },
}
