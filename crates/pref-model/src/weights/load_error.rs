//! Errors of loading weights. In: a file, a tensor and what was found. Out: a message that names them and the
//! way out.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::checksums::ChecksumError;
use super::names::{INDEX, SINGLE};
use crate::config::ModelConfigError;

/// The weights of a folder cannot be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ModelConfigError),
    /// The folder has neither a single weight file nor an index.
    #[error("{} has neither {SINGLE} nor {INDEX}; Pref reads no other format, so save the model as safetensors", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The header of a file does not describe its content.
    #[error("{}: not a complete safetensors file: {message}; download or save it again", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The problem.
        message: String,
    },
    /// The index cannot be parsed.
    #[error("{}: {message}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// The problem.
        message: String,
    },
    /// A file that the index names does not exist.
    #[error("{} names the shard {shard}, which does not exist; download or save the model again", index.display())]
    MissingShard {
        /// The index.
        index: PathBuf,
        /// The file it names.
        shard: String,
    },
    /// A file does not hold a tensor that the index expects in it.
    #[error("{} says that {} holds `{tensor}`, but it does not; download or save the model again", index.display(), shard.display())]
    NotInShard {
        /// The index.
        index: PathBuf,
        /// The shard.
        shard: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A parameter of the model has no tensor.
    #[error("{}: tensor `{tensor}` {shape:?} is missing; the weights do not belong to this model or config.json", folder.display())]
    MissingTensor {
        /// The folder.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shape of the parameter.
        shape: Vec<usize>,
    },
    /// Tensors do not belong to any parameter of the model.
    #[error("{}: unexpected tensors {tensors}; the weights do not belong to this model or config.json", folder.display())]
    UnexpectedTensors {
        /// The folder.
        folder: PathBuf,
        /// The names of the first tensors.
        tensors: String,
    },
    /// An adapter holds a copy of a weight of its base model, and the base model has another one.
    #[error("{}: the adapter's copy `{tensor}` of a weight of its base model differs from the model; give the model that the adapter was trained with", folder.display())]
    OtherBase {
        /// The folder of the adapter.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A file differs from its checksum.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// A weight is NaN or infinite.
    #[error(
        "{}: tensor `{tensor}` has {n} of {of} values that are not finite, the first at {index:?}; use an earlier checkpoint, or download the model again",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// How many values are NaN or infinite.
        n: usize,
        /// How many values the tensor has.
        of: usize,
        /// Index of the first.
        index: Vec<usize>,
    },
    /// A tensor has another shape than its parameter.
    #[error("{}: tensor `{tensor}` has shape {found:?}, but the model or its config.json expects {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// The shape of the parameter.
        expected: Vec<usize>,
    },
    /// A tensor has a number format that is not implemented.
    #[error("{}: tensor `{tensor}` is stored as {found}; supported are F32, F16 and BF16", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its format in the file.
        found: String,
    },
}
