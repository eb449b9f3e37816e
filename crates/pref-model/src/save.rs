//! Weights to safetensors, as `transformers` writes and reads them.
//! In: a decoder and a number format. Out: `config.json` and `model.safetensors`, or shards with
//! their index, each file whole or not there.

mod target;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use thiserror::Error;

use crate::checksums::ChecksumError;
use crate::decoder::Decoder;
use crate::dtype::{Format, SaveDtype};
use crate::finite::NotFinite;
use crate::load::{INDEX, SINGLE};
use crate::whole::write_whole;
use target::Target;

/// Bytes of weights in one file, as `transformers` splits them.
const SHARD_BYTES: usize = 5_000_000_000;

/// A model that cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SaveError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A weight is NaN or infinite.
    #[error(
        "{}: not saved, because tensor `{tensor}` has {n} values that are not finite, the first at {index:?}; go on from an earlier checkpoint, with a lower learning rate",
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
        /// The format by its name in `config.json`.
        format: &'static str,
        /// How many values become infinite.
        n: usize,
        /// The first.
        value: f32,
        /// Index of the first.
        index: Vec<usize>,
    },
    /// Weights of another program, which would be loaded in the place of those to be saved.
    #[error(
        "{}: not saved, because a loader takes this file before the shards of a model, and it was not saved here; save into another folder, or remove it",
        path.display()
    )]
    InTheWay {
        /// Which file.
        path: PathBuf,
    },
    /// The checksums.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
    /// The weights make no safetensors file.
    #[error("{}: {message}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
}

impl SaveError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| SaveError::Write { path, source }
    }
}

impl<B: Backend> Decoder<B> {
    /// Writes the model into a folder, which is made if it is not there: `config.json`, and
    /// `model.safetensors` or, above 5 GB, shards with an index, and the checksums of both
    /// ([`Checksums`](crate::Checksums)). Weights of an earlier save that have no part in the new
    /// one are removed; no other file is.
    ///
    /// # Errors
    /// [`SaveError`] names the file, or the weight that is not finite; then nothing is written.
    pub fn save(&self, folder: &Path, dtype: SaveDtype) -> Result<(), SaveError> {
        self.save_sharded(folder, dtype, SHARD_BYTES)
    }

    /// The same with another limit on the bytes of one file.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub fn save_sharded(
        &self,
        folder: &Path,
        dtype: SaveDtype,
        shard_bytes: usize,
    ) -> Result<(), SaveError> {
        let format = self.format(dtype);
        let mut collector = Collector {
            folder,
            path: Vec::new(),
            format,
            tensors: BTreeMap::new(),
            failure: None,
        };
        self.visit(&mut collector);
        if let Some(failure) = collector.failure {
            return Err(failure);
        }
        let shards = split(collector.tensors, shard_bytes);
        fs::create_dir_all(folder).map_err(SaveError::at(folder))?;
        let mut target = Target::open(folder, shards.len())?;
        let n = shards.len();
        let mut weight_map = BTreeMap::new();
        let mut total = 0;
        for (i, shard) in shards.iter().enumerate() {
            let name = match n {
                1 => SINGLE.to_owned(),
                _ => format!("model-{:05}-of-{n:05}.safetensors", i + 1),
            };
            for (tensor, stored) in shard {
                weight_map.insert(tensor.clone(), name.clone());
                total += stored.bytes.len();
            }
            target.write(&name, &serialize(&folder.join(&name), shard)?)?;
        }
        if n > 1 {
            let index = json!({"metadata": {"total_size": total}, "weight_map": weight_map});
            target.write(INDEX, format!("{index:#}\n").as_bytes())?;
        }
        let path = folder.join("config.json");
        let config = self.config().to_json(format.name());
        write_whole(&path, config.as_bytes()).map_err(SaveError::at(&path))?;
        target.finish()
    }

    fn format(&self, dtype: SaveDtype) -> Format {
        match dtype {
            SaveDtype::F32 => Format::F32,
            SaveDtype::F16 => Format::F16,
            SaveDtype::Bf16 => Format::Bf16,
            SaveDtype::Source => self.config().stored.unwrap_or(Format::F32),
        }
    }
}

/// A tensor as it is written.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

struct Collector<'a> {
    folder: &'a Path,
    path: Vec<String>,
    format: Format,
    tensors: BTreeMap<String, Stored>,
    /// The first weight that cannot be stored.
    failure: Option<SaveError>,
}

impl<B: Backend> ModuleVisitor<B> for Collector<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if self.failure.is_some() {
            return;
        }
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
        let name = self.path.join(".");
        let stored: Vec<f32> = values.iter().map(|&v| self.format.round(v)).collect();
        if let Some(found) = NotFinite::among(&stored, &shape) {
            let (folder, tensor) = (self.folder.to_owned(), name);
            let (n, index, value) = (found.n, found.index, values[found.at]);
            self.failure = Some(match value.is_finite() {
                true => SaveError::TooLarge {
                    folder,
                    tensor,
                    format: self.format.name(),
                    n,
                    value,
                    index,
                },
                false => SaveError::NotFinite {
                    folder,
                    tensor,
                    n,
                    index,
                },
            });
            return;
        }
        let stored = Stored {
            dtype: self.format.dtype(),
            shape,
            bytes: self.format.bytes(&stored),
        };
        self.tensors.insert(name, stored);
    }
}

type Shard = Vec<(String, Stored)>;

/// Fills shards in the order of the names, each up to the limit.
fn split(tensors: BTreeMap<String, Stored>, limit: usize) -> Vec<Shard> {
    let mut shards: Vec<Shard> = vec![Vec::new()];
    let mut filled = 0;
    for (name, stored) in tensors {
        let n = stored.bytes.len();
        let is_full = filled > 0 && filled + n > limit;
        if is_full {
            shards.push(Vec::new());
            filled = 0;
        }
        filled += n;
        let last = shards.last_mut().expect("there is at least one shard");
        last.push((name, stored));
    }
    shards
}

fn serialize(path: &Path, shard: &Shard) -> Result<Vec<u8>, SaveError> {
    let format = |error: safetensors::SafeTensorError| SaveError::Format {
        path: path.to_owned(),
        message: error.to_string(),
    };
    let mut views = Vec::new();
    for (name, stored) in shard {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes);
        views.push((name, view.map_err(format)?));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(format)
}
