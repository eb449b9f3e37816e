//! What can be wrong with a folder of weights.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{INDEX, SINGLE};
use crate::checksums::ChecksumError;
use crate::config::ConfigError;

/// A folder whose weights cannot be loaded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Neither a single file nor an index.
    #[error("{} holds neither {SINGLE} nor {INDEX}; other formats are not read, save the model as safetensors", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The header does not describe the file.
    #[error("{}: not a whole safetensors file: {message}; download or save it again", path.display())]
    Header {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The index is no index.
    #[error("{}: {message}", path.display())]
    Index {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file that the index names is not there.
    #[error("{} names the shard {shard}, which is not there; download or save it again", index.display())]
    MissingShard {
        /// The index.
        index: PathBuf,
        /// The file it names.
        shard: String,
    },
    /// The index is wrong about a shard.
    #[error("{} says that {} holds `{tensor}`, and it does not", index.display(), shard.display())]
    NotInShard {
        /// The index.
        index: PathBuf,
        /// The shard.
        shard: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor that the configuration implies is not there.
    #[error("{}: tensor `{tensor}` {shape:?} is missing; config.json and the weights do not belong together", folder.display())]
    MissingTensor {
        /// The folder.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Tensors are there that the configuration knows nothing of.
    #[error("{}: unexpected tensors {tensors}; config.json and the weights do not belong together", folder.display())]
    UnexpectedTensors {
        /// The folder.
        folder: PathBuf,
        /// Some of them.
        tensors: String,
    },
    /// The weights are not those that were saved.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// A weight is NaN or infinite.
    #[error(
        "{}: tensor `{tensor}` has {n} of {of} values that are not finite, the first at {index:?}; the model computes nothing with them, take an earlier checkpoint or download it again",
        path.display()
    )]
    NotFinite {
        /// Which file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// How many values are NaN or infinite.
        n: usize,
        /// How many there are.
        of: usize,
        /// Index of the first.
        index: Vec<usize>,
    },
    /// A tensor has another shape than the configuration implies.
    #[error("{}: tensor `{tensor}` is {found:?}, config.json implies {expected:?}", path.display())]
    Shape {
        /// Which file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape in the file.
        found: Vec<usize>,
        /// Its shape by the configuration.
        expected: Vec<usize>,
    },
    /// A number format that is not read.
    #[error("{}: tensor `{tensor}` is stored as {found}; read are F32, F16 and BF16", path.display())]
    Dtype {
        /// Which file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its format in the file.
        found: String,
    },
}
