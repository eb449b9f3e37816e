//! Weights to safetensors, as `transformers` writes and reads them.
//! In: a decoder and a number format. Out: `config.json` and `model.safetensors`, or shards with
//! their index, each file whole or not there.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, backend::Backend};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use thiserror::Error;

use crate::decoder::Decoder;

/// Bytes of weights in one file, as `transformers` splits them.
const SHARD_BYTES: usize = 5_000_000_000;

/// The number format that weights are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveDtype {
    /// As `config.json` says they were stored; f32 where it says nothing.
    Source,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
}

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
    /// The weights make no safetensors file.
    #[error("{}: {message}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
}

impl<B: Backend> Decoder<B> {
    /// Writes the model into a folder, which is made if it is not there: `config.json`, and
    /// `model.safetensors` or, above 5 GB, shards with an index.
    ///
    /// # Errors
    /// [`SaveError`] names the file. A file that was there before stays as it was.
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
            path: Vec::new(),
            format,
            tensors: BTreeMap::new(),
        };
        self.visit(&mut collector);
        fs::create_dir_all(folder).map_err(|source| SaveError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let mut written = Vec::new();
        let shards = split(collector.tensors, shard_bytes);
        let n = shards.len();
        let mut weight_map = BTreeMap::new();
        let mut total = 0;
        for (i, shard) in shards.iter().enumerate() {
            let name = match n {
                1 => "model.safetensors".to_owned(),
                _ => format!("model-{:05}-of-{n:05}.safetensors", i + 1),
            };
            for (tensor, stored) in shard {
                weight_map.insert(tensor.clone(), name.clone());
                total += stored.bytes.len();
            }
            write(&folder.join(&name), &serialize(&folder.join(&name), shard)?)?;
            written.push(name);
        }
        if n > 1 {
            let name = "model.safetensors.index.json";
            let index = json!({"metadata": {"total_size": total}, "weight_map": weight_map});
            write(&folder.join(name), format!("{index:#}\n").as_bytes())?;
            written.push(name.to_owned());
        }
        let config = self.config().to_json(format.name());
        write(&folder.join("config.json"), config.as_bytes())?;
        remove_stale(folder, &written)
    }

    fn format(&self, dtype: SaveDtype) -> Format {
        match dtype {
            SaveDtype::F32 => Format::F32,
            SaveDtype::F16 => Format::F16,
            SaveDtype::Bf16 => Format::Bf16,
            SaveDtype::Source => match self.config().stored_dtype() {
                Some("bfloat16") => Format::Bf16,
                Some("float16") => Format::F16,
                _ => Format::F32,
            },
        }
    }
}

#[derive(Clone, Copy)]
enum Format {
    F32,
    F16,
    Bf16,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::F32 => "float32",
            Format::F16 => "float16",
            Format::Bf16 => "bfloat16",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Format::F32 => Dtype::F32,
            Format::F16 => Dtype::F16,
            Format::Bf16 => Dtype::BF16,
        }
    }

    fn bytes(self, values: impl Iterator<Item = f32>) -> Vec<u8> {
        match self {
            Format::F32 => values.flat_map(f32::to_le_bytes).collect(),
            Format::F16 => values
                .flat_map(|v| f16::from_f32(v).to_le_bytes())
                .collect(),
            Format::Bf16 => values
                .flat_map(|v| bf16::from_f32(v).to_le_bytes())
                .collect(),
        }
    }
}

/// A tensor as it is written.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

struct Collector {
    path: Vec<String>,
    format: Format,
    tensors: BTreeMap<String, Stored>,
}

impl<B: Backend> ModuleVisitor<B> for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let bytes = self.format.bytes(tensor.into_data().iter::<f32>());
        let dtype = self.format.dtype();
        self.tensors.insert(
            self.path.join("."),
            Stored {
                dtype,
                shape,
                bytes,
            },
        );
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

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), SaveError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    let result = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    result.map_err(|source| {
        // the error that matters is the one above
        let _ = fs::remove_file(&temporary);
        SaveError::Write {
            path: path.to_owned(),
            source,
        }
    })
}

/// Removes weights of an older save that the new one has no part in: a loader would find them.
fn remove_stale(folder: &Path, written: &[String]) -> Result<(), SaveError> {
    let as_write = |path: &Path| {
        let path = path.to_owned();
        move |source| SaveError::Write { path, source }
    };
    for entry in fs::read_dir(folder).map_err(as_write(folder))? {
        let path = entry.map_err(as_write(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_weights = name == "model.safetensors"
            || name == "model.safetensors.index.json"
            || (name.starts_with("model-") && name.ends_with(".safetensors"));
        if is_weights && !written.contains(&name.to_string()) {
            fs::remove_file(&path).map_err(as_write(&path))?;
        }
    }
    Ok(())
}
