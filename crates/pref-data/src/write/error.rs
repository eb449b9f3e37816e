//! Errors of writing rows. In: the cause. Out: a message with the file and the way out.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::format::ENDINGS;

/// A file cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file system reports an error.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The ending of the name belongs to no format.
    #[error("{}: `{ending}` is not the ending of a format that can be written; the endings are {ENDINGS}, and text formats may add .gz or .zst", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
        /// The ending of its name.
        ending: String,
    },
    /// The values of a column have different types.
    #[error("{}: the rows cannot be written as columns with types: {message}; write them to a .jsonl file", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The column and the cause.
        message: String,
    },
}

impl WriteError {
    pub(super) fn file(path: &Path, source: std::io::Error) -> Self {
        WriteError::File {
            path: path.to_owned(),
            source,
        }
    }
}
