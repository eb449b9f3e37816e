//! Tensors to safetensors, as `transformers` writes and reads them. In: the parameters of a Burn
//! module and a number format. Out: `model.safetensors`, or shards with their index, and checksums.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{TensorData, backend::Backend};
use safetensors::tensor::{Dtype, View};
use serde_json::json;

use super::finite::NotFinite;
use super::names::{INDEX, SINGLE, shard};
use super::parameters::try_for_each_parameter;
use super::save_error::SaveError;
use super::weight_folder::{WeightFolder, write_alone};
use crate::number_format::Format;

/// Largest number of bytes of weights in one file, as `transformers` splits them.
pub(crate) const SHARD_BYTES: usize = 5_000_000_000;

/// The tensors of a model, ready to be written into a folder.
pub(crate) struct TensorsToSave {
    folder: PathBuf,
    by_name: BTreeMap<String, Stored>,
}

/// A tensor as it is written.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

impl TensorsToSave {
    /// Copies every float parameter of a module from its device. A parameter's name is its path in
    /// the module, such as `model.layers.0.mlp.up_proj.weight`.
    ///
    /// # Errors
    /// [`SaveError::NotFinite`] or [`SaveError::TooLarge`] for a value that the format cannot hold.
    pub(crate) fn of_module<B: Backend, M: Module<B>>(
        module: &M,
        format: Format,
        folder: &Path,
    ) -> Result<Self, SaveError> {
        let mut by_name = BTreeMap::new();
        try_for_each_parameter(module, |name, data| -> Result<(), SaveError> {
            by_name.insert(name.to_owned(), stored(name, data, format, folder)?);
            Ok(())
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            by_name,
        })
    }

    /// The same tensors under other names.
    pub(crate) fn renamed(self, name: impl Fn(&str) -> &str) -> Self {
        let by_name = self.by_name.into_iter();
        Self {
            folder: self.folder,
            by_name: by_name
                .map(|(old, stored)| (name(&old).to_owned(), stored))
                .collect(),
        }
    }

    /// Tensors with their names and values.
    ///
    /// # Errors
    /// The errors of [`of_module`](Self::of_module).
    pub(crate) fn of_values(
        values: impl IntoIterator<Item = (String, TensorData)>,
        format: Format,
        folder: &Path,
    ) -> Result<Self, SaveError> {
        let stored = |(name, data): (String, TensorData)| {
            let tensor = stored(&name, data, format, folder)?;
            Ok((name, tensor))
        };
        Ok(Self {
            folder: folder.to_owned(),
            by_name: values
                .into_iter()
                .map(stored)
                .collect::<Result<_, SaveError>>()?,
        })
    }

    /// Writes all tensors into one file of the folder, which is created if necessary, and its checksum.
    pub(crate) fn write_file(self, name: &str) -> Result<(), SaveError> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(SaveError::at(folder))?;
        let tensors: Shard<'_> = self.by_name.iter().map(|(n, s)| (n.as_str(), s)).collect();
        write_alone(folder, name, |path| write_tensors(path, &tensors))
    }

    /// Writes the tensors in files of at most `shard_bytes` bytes of weights, then calls `finish` to write
    /// other files, and at last removes the weights of an earlier save.
    pub(crate) fn write(
        self,
        shard_bytes: usize,
        finish: impl FnOnce() -> Result<(), SaveError>,
    ) -> Result<(), SaveError> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(SaveError::at(folder))?;
        let shards = split(&self.by_name, shard_bytes);
        let n = shards.len();
        let mut saved = WeightFolder::open(folder, n)?;
        let mut weight_map = BTreeMap::new();
        for (i, tensors) in shards.iter().enumerate() {
            let name = match n {
                1 => SINGLE.to_owned(),
                n => shard(i + 1, n),
            };
            for (tensor, _) in tensors {
                weight_map.insert(tensor.to_owned(), name.clone());
            }
            saved.write(&name, |path| write_tensors(path, tensors))?;
        }
        if n > 1 {
            let total: usize = self.by_name.values().map(|stored| stored.bytes.len()).sum();
            let index = json!({"metadata": {"total_size": total}, "weight_map": weight_map});
            let text = format!("{index:#}\n");
            saved.write(INDEX, |path| {
                fs::write(path, &text).map_err(SaveError::at(path))
            })?;
        }
        finish()?;
        saved.finish()
    }
}

/// A tensor in a number format. `name` and `folder` are for the error about a value that the format cannot
/// hold.
fn stored(
    name: &str,
    data: TensorData,
    format: Format,
    folder: &Path,
) -> Result<Stored, SaveError> {
    let shape = data.shape.to_vec();
    let values: Vec<f32> = data.iter::<f32>().collect();
    let rounded: Vec<f32> = values.iter().map(|&v| format.round(v)).collect();
    let Some(NotFinite { n, index, at }) = NotFinite::among(&rounded, &shape) else {
        return Ok(Stored {
            dtype: format.dtype(),
            shape,
            bytes: format.bytes(&rounded),
        });
    };
    let (folder, tensor, value) = (folder.to_owned(), name.to_owned(), values[at]);
    Err(match value.is_finite() {
        true => SaveError::TooLarge {
            folder,
            tensor,
            format: format.name(),
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
    })
}

type Shard<'a> = Vec<(&'a str, &'a Stored)>;

/// Fills shards in the order of the names, each up to the limit.
fn split(tensors: &BTreeMap<String, Stored>, limit: usize) -> Vec<Shard<'_>> {
    let mut shards: Vec<Shard<'_>> = vec![Vec::new()];
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

fn write_tensors(path: &Path, tensors: &Shard<'_>) -> Result<(), SaveError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let tensors = tensors.iter().map(|(name, stored)| (*name, *stored));
    safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|error| {
        SaveError::Format {
            path: path.to_owned(),
            message: error.to_string(),
        }
    })
}
