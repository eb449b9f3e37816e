//! Errors of the hub. In: the cause. Out: a message that names the data set or model and the way
//! out.

use thiserror::Error;

/// A data set or a model cannot be downloaded from the hub.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The text is not the name of a data set.
    #[error(
        "`hub:{0}` is not the name of a data set; expected hub:OWNER/NAME, hub:OWNER/NAME@REVISION or hub:OWNER/NAME:PATTERN"
    )]
    Name(String),
    /// The text is not the name of a model.
    #[error(
        "`hub:{0}` is not the name of a model; expected hub:OWNER/NAME or hub:OWNER/NAME@REVISION"
    )]
    ModelName(String),
    /// The pattern is not valid.
    #[error("`{pattern}` is not a valid pattern of file names: {message}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// The parser's message.
        message: String,
    },
    /// The hub refuses a request, or cannot be reached.
    #[error(
        "{name}: {what}: {message}; check the name and the network, and if access is restricted, log in with `huggingface-cli login`"
    )]
    Request {
        /// The data set or model.
        name: String,
        /// The file or list that was requested.
        what: String,
        /// The error message.
        message: String,
    },
    /// The repository does not have the files of a model.
    #[error(
        "{model}: expected config.json, and model.safetensors or its index; found {found}; weights in other formats cannot be read"
    )]
    NoModel {
        /// The model.
        model: String,
        /// The files that the hub has.
        found: String,
    },
    /// The files belong to several splits.
    #[error(
        "{dataset}: the files belong to several splits: {found}; choose one by a pattern, such as hub:{dataset}:{first}"
    )]
    Splits {
        /// The data set.
        dataset: String,
        /// A pattern for each split.
        found: String,
        /// The pattern of the first split.
        first: String,
    },
    /// No file holds rows.
    #[error("{dataset}: no file {wanted}; found {found}")]
    NoFile {
        /// The data set.
        dataset: String,
        /// The kind of file that was looked for, in words.
        wanted: String,
        /// The files that the hub has.
        found: String,
    },
}
