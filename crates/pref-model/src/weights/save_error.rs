//! Errors of saving weights. In: a file or a tensor. Out: a message that names it and the way out.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::checksums::ChecksumError;

/// The weights of a model cannot be saved.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file system reported an error.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A weight is NaN or infinite.
    #[error(
        "{}: not saved, because tensor `{tensor}` has {n} values that are not finite, the first at {index:?}; continue from an earlier checkpoint with a lower learning rate",
        folder.display()
    )]
    NotFinite {
        /// The folder.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
        /// How many values are NaN or infinite.
        n: usize,
        /// Index of the first.
        index: Vec<usize>,
    },
    /// A weight is too large for the format.
    #[error(
        "{}: not saved, because {n} values of tensor `{tensor}` are too large for {format}, the first, {value:e}, at {index:?}; save as bfloat16 or float32",
        folder.display()
    )]
    TooLarge {
        /// The folder.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
        /// The name of the format in `config.json`.
        format: &'static str,
        /// How many values become infinite.
        n: usize,
        /// The first of these values.
        value: f32,
        /// Index of the first.
        index: Vec<usize>,
    },
    /// The folder has weights of another program, and a loader would read them instead of the saved weights.
    #[error(
        "{}: not saved, because this file was written by another program, and a loader would prefer it to the shards; save into another folder, or remove the file",
        path.display()
    )]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// The checksums cannot be written.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// The weights cannot be written as safetensors.
    #[error("{}: {message}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The cause.
        message: String,
    },
}

impl SaveError {
    /// Adds the path to an I/O error.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| SaveError::Write { path, source }
    }
}
