//! Loads a decoder from a model folder, and saves it into one. In: `config.json` and safetensors. Out: a
//! [`Decoder`], and files of the same kinds.

use std::path::Path;

use burn::tensor::backend::Backend;

use super::model::Decoder;
use crate::config::Config;
use crate::number_format::{Format, SaveDtype};
use crate::weights::{LoadError, SHARD_BYTES, SaveError, TensorsToSave, WeightFiles, write_file};

impl<B: Backend> Decoder<B> {
    /// Reads a model folder in Hugging Face's layout.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the tensor.
    pub fn load(folder: &Path, device: &B::Device) -> Result<Self, LoadError> {
        Self::load_ignoring(folder, &[], device)
    }

    /// Reads a model folder, but ignores some settings of `config.json` that Pref does not know, as
    /// [`Config::from_folder_ignoring`] does.
    ///
    /// # Errors
    /// The errors of [`load`](Self::load).
    pub fn load_ignoring(
        folder: &Path,
        ignored: &[String],
        device: &B::Device,
    ) -> Result<Self, LoadError> {
        let mut config = Config::from_folder_ignoring(folder, ignored)?;
        WeightFiles::open(folder)?.read(|tensors| {
            if config.stored.is_none() {
                config.stored = tensors.format();
            }
            let decoder = Self::build(&config, device, |name, shape| tensors.values(name, shape))?;
            // Older checkpoints store a buffer of each layer, and some store the tied head again.
            tensors.ignore(|name| {
                let is_tied_head = config.has_tied_head && name == "lm_head.weight";
                name.ends_with("rotary_emb.inv_freq") || is_tied_head
            });
            Ok(decoder)
        })
    }

    /// Writes the model into a folder, which is created if necessary: `config.json`, and
    /// `model.safetensors` or, above 5 GB, shards with an index, and the checksums of the weights
    /// ([`Checksums`](crate::Checksums)). Weight files of an earlier save that are not part of the new
    /// one are removed. No other file is touched.
    ///
    /// A decoder with an adapter writes the adapter alone, in PEFT's files: `adapter_config.json` and
    /// `adapter_model.safetensors`. [`SaveDtype::Source`] then writes f32, as PEFT does.
    ///
    /// # Errors
    /// [`SaveError`] names the file, or the weight that the format cannot hold. If there is such a weight,
    /// nothing is written.
    pub fn save(&self, folder: &Path, dtype: SaveDtype) -> Result<(), SaveError> {
        self.save_sharded(folder, dtype, SHARD_BYTES)
    }

    /// Writes the model into a folder as [`save`](Self::save) does, in files of at most `shard_bytes` bytes
    /// of weights. A single larger tensor still gets one file. An adapter is always one file.
    ///
    /// # Errors
    /// The errors of [`save`](Self::save).
    pub fn save_sharded(
        &self,
        folder: &Path,
        dtype: SaveDtype,
        shard_bytes: usize,
    ) -> Result<(), SaveError> {
        if let Some(config) = self.lora() {
            return self.save_lora(config, folder, dtype);
        }
        let format = Format::to_save(dtype, self.config().stored);
        let tensors = TensorsToSave::of_module(self, format, folder)?;
        tensors.write(shard_bytes, || {
            let path = folder.join("config.json");
            let config = self.config().to_json(format.name());
            write_file(&path, config.as_bytes()).map_err(SaveError::at(&path))
        })
    }
}
