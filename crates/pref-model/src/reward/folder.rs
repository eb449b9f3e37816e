//! Loads a reward model from a model folder, and saves it into one. In: `config.json` and safetensors of
//! `…ForSequenceClassification`, or of a language model, whose head is replaced. Out: a [`RewardModel`], and
//! files of the first kind.

use std::path::Path;

use burn::module::Param;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::model::{Head, RewardModel, Score};
use crate::config::Config;
use crate::decoder::Decoder;
use crate::number_format::{Format, SaveDtype};
use crate::random::normal;
use crate::weights::{
    LoadError, SHARD_BYTES, SaveError, StoredTensors, TensorsToSave, WeightFiles, load_renamed,
    write_file,
};

/// Hugging Face's name of the head's weights.
const HEAD: &str = "score.weight";

/// The head that a language model gets to become a reward model.
#[derive(Clone, Copy, Debug)]
pub struct FreshHead<'a> {
    /// The name of each score. A folder that has a head already must have as many scores.
    pub labels: &'a [&'a str],
    /// The id that pads shorter texts of a batch, which `config.json` of the saved model names. `None`
    /// keeps what the folder has.
    pub pad_id: Option<u32>,
    /// Seed of the weights, which are normal with mean 0 and the standard deviation `initializer_range` of
    /// `config.json`.
    pub seed: u64,
}

impl<B: Backend> RewardModel<B> {
    /// Reads a folder of a reward model. `ignored` are keys of `config.json` to ignore, as in
    /// [`Decoder::load_ignoring`].
    ///
    /// # Errors
    /// [`LoadError`] names the file and the tensor; a language model has no tensor `score.weight`.
    pub fn load(folder: &Path, ignored: &[String], device: &B::Device) -> Result<Self, LoadError> {
        Self::read(folder, ignored, device, |config, tensors| {
            let rows = tensors.shape(HEAD).and_then(|shape| shape.first().copied());
            let n = rows.unwrap_or(1);
            let values = tensors.values(HEAD, &[n, config.hidden_size])?;
            Ok((values, config.labels(n)))
        })
    }

    /// Reads a folder of a reward model, or of a language model, which gets a fresh head. The output head of
    /// the language model is not used.
    ///
    /// # Errors
    /// The errors of [`load`](Self::load); a head with another number of scores is one of them.
    pub fn load_or_start(
        folder: &Path,
        ignored: &[String],
        fresh: FreshHead<'_>,
        device: &B::Device,
    ) -> Result<Self, LoadError> {
        Self::read(folder, ignored, device, |config, tensors| {
            let shape = [fresh.labels.len(), config.hidden_size];
            let found = tensors.shape(HEAD).is_some();
            let labels: Vec<String> = match found {
                true => config.labels(fresh.labels.len()),
                false => fresh.labels.iter().map(|&label| label.to_owned()).collect(),
            };
            config.become_classifier(&labels, fresh.pad_id);
            let values = match found {
                true => tensors.values(HEAD, &shape)?,
                false => {
                    let mut rng = ChaCha8Rng::seed_from_u64(fresh.seed);
                    normal(&mut rng, config.initializer_range, shape[0] * shape[1])
                }
            };
            Ok((values, labels))
        })
    }

    /// Reads a folder. `head` gives the values of the head, `[labels, hidden]`, and the labels.
    fn read(
        folder: &Path,
        ignored: &[String],
        device: &B::Device,
        head: impl FnOnce(
            &mut Config,
            &mut StoredTensors<'_>,
        ) -> Result<(Vec<f32>, Vec<String>), LoadError>,
    ) -> Result<Self, LoadError> {
        let mut config = Config::from_folder_ignoring(folder, ignored)?;
        // The decoder of a reward model has no output head.
        config.has_tied_head = true;
        WeightFiles::open(folder)?.read(|tensors| {
            if config.stored.is_none() {
                config.stored = tensors.format();
            }
            let (values, labels) = head(&mut config, tensors)?;
            let data = TensorData::new(values, [labels.len(), config.hidden_size]);
            let weight = Param::from_tensor(Tensor::from_data(data, device));
            let decoder =
                Decoder::build(&config, device, |name, shape| tensors.values(name, shape))?;
            tensors.ignore(|name| {
                name.ends_with("rotary_emb.inv_freq") || name.starts_with("lm_head.")
            });
            Ok(Self {
                decoder,
                head: Head {
                    score: Score { weight },
                },
                labels,
            })
        })
    }

    /// Writes the model into a folder, as [`Decoder::save`] does.
    ///
    /// # Errors
    /// The errors of [`Decoder::save`].
    pub fn save(&self, folder: &Path, dtype: SaveDtype) -> Result<(), SaveError> {
        let config = self.config();
        let format = Format::to_save(dtype, config.stored);
        let tensors = TensorsToSave::of_module(self, format, folder)?.renamed(file_name);
        tensors.write(SHARD_BYTES, || {
            let path = folder.join("config.json");
            let text = config.to_json(format.name());
            write_file(&path, text.as_bytes()).map_err(SaveError::at(&path))
        })
    }

    /// This model with the values of a folder.
    pub(super) fn load_values(self, folder: &Path) -> Result<Self, LoadError> {
        load_renamed(self, folder, file_name)
    }
}

/// The name of a tensor in a file, from its parameter's path in the module.
fn file_name(path: &str) -> &str {
    let inner = path.strip_prefix("decoder.");
    inner.or(path.strip_prefix("head.")).unwrap_or(path)
}
