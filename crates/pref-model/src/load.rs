//! Weights from safetensors, single or sharded, in f32, f16 or bf16.
//! In: a folder. Out: a decoder, or an error that names file and tensor. Files are mapped, not
//! read, so a header that lies costs nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;
use thiserror::Error;

use crate::config::{Config, ConfigError};
use crate::decoder::Decoder;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

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

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

pub(crate) fn load<B: Backend>(folder: &Path, device: &B::Device) -> Result<Decoder<B>, LoadError> {
    let config = Config::from_folder(folder)?;
    let files = Files::open(folder)?;
    let tensors = files.tensors()?;
    let mut unused: BTreeSet<&str> = tensors.keys().map(String::as_str).collect();
    let decoder = Decoder::build(&config, device, |name, shape| {
        unused.remove(name);
        match tensors.get(name) {
            Some((path, view)) => values(path, name, view, shape),
            None => Err(LoadError::MissingTensor {
                folder: folder.to_owned(),
                tensor: name.to_owned(),
                shape: shape.to_vec(),
            }),
        }
    })?;
    // a buffer of older checkpoints, and the copy of a tied head
    unused.retain(|name| {
        let is_tied_head = config.has_tied_head && *name == "lm_head.weight";
        !name.ends_with("rotary_emb.inv_freq") && !is_tied_head
    });
    if unused.is_empty() {
        return Ok(decoder);
    }
    let mut names: Vec<&str> = unused.iter().copied().take(3).collect();
    if unused.len() > names.len() {
        names.push("…");
    }
    Err(LoadError::UnexpectedTensors {
        folder: folder.to_owned(),
        tensors: names.join(", "),
    })
}

/// The files of a model, mapped.
struct Files {
    files: Vec<(PathBuf, Mmap)>,
    /// The index, and which tensor it says is where.
    index: Option<(PathBuf, Index)>,
}

impl Files {
    fn open(folder: &Path) -> Result<Self, LoadError> {
        let index_path = folder.join(INDEX);
        let single = folder.join(SINGLE);
        if single.is_file() {
            let files = vec![(single.clone(), map(&single)?)];
            return Ok(Self { files, index: None });
        }
        if !index_path.is_file() {
            return Err(LoadError::NoWeights {
                folder: folder.to_owned(),
            });
        }
        let text = std::fs::read(&index_path).map_err(|source| LoadError::Read {
            path: index_path.clone(),
            source,
        })?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| LoadError::Index {
            path: index_path.clone(),
            message: error.to_string(),
        })?;
        let shards: BTreeSet<&String> = index.weight_map.values().collect();
        let mut files = Vec::new();
        for shard in shards {
            let path = folder.join(shard);
            let is_plain_name = Path::new(shard).file_name() == Some(shard.as_ref());
            if !is_plain_name || !path.is_file() {
                return Err(LoadError::MissingShard {
                    index: index_path,
                    shard: shard.clone(),
                });
            }
            let mapped = map(&path)?;
            files.push((path, mapped));
        }
        Ok(Self {
            files,
            index: Some((index_path, index)),
        })
    }

    /// Every tensor by name, with the file it is in.
    fn tensors(&self) -> Result<BTreeMap<String, (&Path, TensorView<'_>)>, LoadError> {
        let mut tensors = BTreeMap::new();
        for (path, bytes) in &self.files {
            let file = SafeTensors::deserialize(bytes).map_err(|error| LoadError::Header {
                path: path.clone(),
                message: error.to_string(),
            })?;
            for (name, view) in file.tensors() {
                tensors.insert(name, (path.as_path(), view));
            }
        }
        if let Some((index_path, index)) = &self.index {
            for (name, shard) in &index.weight_map {
                let is_there = tensors
                    .get(name)
                    .is_some_and(|(path, _)| path.ends_with(shard));
                if !is_there {
                    return Err(LoadError::NotInShard {
                        index: index_path.clone(),
                        shard: index_path.with_file_name(shard),
                        tensor: name.clone(),
                    });
                }
            }
        }
        Ok(tensors)
    }
}

fn map(path: &Path) -> Result<Mmap, LoadError> {
    let read = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    // SAFETY: the map is only read. A program that truncates the file meanwhile can fault this one,
    // as with every mapped file; weights are not written in place by anything that we know of.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by its nature")]
    unsafe { Mmap::map(&file) }.map_err(read)
}

fn values(
    path: &Path,
    name: &str,
    view: &TensorView<'_>,
    expected: &[usize],
) -> Result<Vec<f32>, LoadError> {
    if view.shape() != expected {
        return Err(LoadError::Shape {
            path: path.to_owned(),
            tensor: name.to_owned(),
            found: view.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()),
        Dtype::F16 => Ok(bytes
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect()),
        Dtype::BF16 => Ok(bytes
            .chunks_exact(2)
            .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect()),
        other => Err(LoadError::Dtype {
            path: path.to_owned(),
            tensor: name.to_owned(),
            found: format!("{other:?}"),
        }),
    }
}
