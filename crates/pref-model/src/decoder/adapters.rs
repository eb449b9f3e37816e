//! A decoder with a LoRA adapter. In: a decoder, and the settings or the folder of an adapter. Out: the decoder
//! with the adapter on its linear layers, or with the adapter merged into its weights; the adapter's files.

use std::path::Path;

use burn::module::Module;
use burn::tensor::{TensorData, backend::Backend};

use super::layers::Linear;
use super::model::{Decoder, Layer};
use crate::lora::{Adapter, CONFIG, LoraConfig, LoraError, TrainingPass, WEIGHTS};
use crate::number_format::{Format, SaveDtype};
use crate::weights::{LoadError, SaveError, StoredTensors, TensorsToSave, WeightFiles, write_file};

impl<B: Backend> Decoder<B> {
    /// The decoder with a new adapter, whose update is 0. The weights of the decoder are frozen: they require no
    /// gradient.
    ///
    /// `A` is drawn as in PEFT; a seed gives the same values on every backend.
    ///
    /// # Errors
    /// [`LoraError`] for settings out of range, for targets that fit no layer or a layer that cannot have an
    /// adapter, and for a decoder that has an adapter.
    pub fn add_lora(self, config: LoraConfig, seed: u64) -> Result<Self, LoraError> {
        if self.lora.is_some() {
            return Err(LoraError::Second);
        }
        let names = self.linears().into_iter().map(|(name, _)| name);
        let shapes = config.shapes(&names.collect::<Vec<_>>(), self.config.has_tied_head)?;
        let mut decoder = self.no_grad();
        for ((name, linear), shape) in decoder.linears_mut().into_iter().zip(shapes) {
            let weight = linear.weight.val();
            linear.lora = shape.map(|shape| Adapter::new(shape, seed, &name, &weight));
        }
        decoder.lora = Some(config);
        Ok(decoder)
    }

    /// The decoder with the adapter of a folder that PEFT or Pref wrote. The weights of the decoder are frozen.
    ///
    /// # Errors
    /// [`LoraError`] names the file and the setting or the tensor. A setting that may change what the adapter
    /// computes and is not implemented is refused.
    pub fn load_lora(self, folder: &Path) -> Result<Self, LoraError> {
        self.load_lora_as(LoraConfig::from_folder(folder)?, folder)
    }

    /// The decoder with the adapter of a folder, with the settings `config` in place of those of the folder.
    ///
    /// # Errors
    /// The errors of [`load_lora`](Self::load_lora).
    pub fn load_lora_as(self, config: LoraConfig, folder: &Path) -> Result<Self, LoraError> {
        Ok(self.add_lora(config, 0)?.restore_lora(folder)?)
    }

    /// Whether the output head has an adapter.
    pub fn has_adapted_head(&self) -> bool {
        self.lm_head
            .as_ref()
            .is_some_and(|head| head.lora.is_some())
    }

    /// The decoder without its adapter. Both share the memory of the weights.
    #[must_use]
    pub fn without_lora(&self) -> Self {
        let mut decoder = self.clone();
        decoder.lora = None;
        for (_, linear) in decoder.linears_mut() {
            linear.lora = None;
        }
        decoder
    }

    /// The decoder with the updates of its adapter added to its weights. It computes the same up to rounding, is
    /// as fast as a decoder without an adapter, and is saved as a whole model.
    #[must_use]
    pub fn merge_lora(mut self) -> Self {
        self.lora = None;
        for (_, linear) in self.linears_mut() {
            if let Some(adapter) = linear.lora.take() {
                let weight = linear.weight.clone();
                linear.weight = weight.map(|weight| adapter.merged(weight));
            }
        }
        self
    }

    /// The decoder as it computes in one forward pass of training, with the dropout of its adapter.
    pub(crate) fn in_pass(&self, pass: TrainingPass) -> Self {
        let mut decoder = self.clone();
        for (name, linear) in decoder.linears_mut() {
            if let Some(adapter) = &mut linear.lora {
                adapter.set_pass(pass, &name);
            }
        }
        decoder
    }

    /// The decoder with the values of its adapter replaced by those of a folder.
    ///
    /// # Errors
    /// [`LoadError`] names the file and the tensor; names and shapes must match exactly.
    pub(crate) fn restore_lora(mut self, folder: &Path) -> Result<Self, LoadError> {
        WeightFiles::open_file(folder, WEIGHTS)?.read(|tensors| {
            self.check_copies(folder, tensors)?;
            for (name, linear) in self.linears_mut() {
                if let Some(adapter) = linear.lora.take() {
                    linear.lora = Some(restored(adapter, &name, tensors)?);
                }
            }
            Ok(())
        })?;
        Ok(self)
    }

    /// Compares the weights of the base model that PEFT stores beside the adapter of a head with the weights of
    /// the decoder.
    fn check_copies(
        &self,
        folder: &Path,
        tensors: &mut StoredTensors<'_>,
    ) -> Result<(), LoadError> {
        let head = self.lm_head.as_ref().map(|head| &head.weight);
        let copies = [
            ("lm_head", "weight", head),
            ("lm_head", "base_layer.weight", head),
            (
                "model.embed_tokens",
                "weight",
                Some(&self.model.embed_tokens.weight),
            ),
        ];
        for (layer, part, weight) in copies {
            let (tensor, Some(weight)) = (tensor_name(layer, part), weight) else {
                continue;
            };
            if tensors.shape(&tensor).is_some() {
                let stored = tensors.values(&tensor, &weight.dims())?;
                if !weight.val().into_data().iter::<f32>().eq(stored) {
                    let folder = folder.to_owned();
                    return Err(LoadError::OtherBase { folder, tensor });
                }
            }
        }
        Ok(())
    }

    /// Writes the adapter into a folder, which is created if necessary.
    pub(super) fn save_lora(
        &self,
        config: &LoraConfig,
        folder: &Path,
        dtype: SaveDtype,
    ) -> Result<(), SaveError> {
        let format = Format::to_save(dtype, None);
        let linears = self.linears().into_iter();
        let values =
            linears.flat_map(|(name, linear)| linear.lora.as_ref().map(|a| tensors_of(&name, a)));
        TensorsToSave::of_values(values.flatten(), format, folder)?.write_file(WEIGHTS)?;
        let linears = self.linears().into_iter();
        let adapted = linears.filter(|(_, linear)| linear.lora.is_some());
        let names = adapted.map(|(name, _)| name).collect();
        let path = folder.join(CONFIG);
        write_file(&path, config.to_json(names).as_bytes()).map_err(SaveError::at(&path))
    }

    /// Every linear layer with its name.
    fn linears(&self) -> Vec<(String, &Linear<B>)> {
        let layers = self.model.layers.iter().enumerate();
        let of_layer = |(i, layer): (usize, _)| {
            let named = move |(part, linear)| (format!("model.layers.{i}.{part}"), linear);
            Layer::linears(layer).into_iter().map(named)
        };
        let head = self.lm_head.iter().map(|head| ("lm_head".to_owned(), head));
        layers.flat_map(of_layer).chain(head).collect()
    }

    /// Every linear layer with its name, in the same order.
    fn linears_mut(&mut self) -> Vec<(String, &mut Linear<B>)> {
        let layers = self.model.layers.iter_mut().enumerate();
        let of_layer = |(i, layer): (usize, _)| {
            let named = move |(part, linear)| (format!("model.layers.{i}.{part}"), linear);
            Layer::linears_mut(layer).into_iter().map(named)
        };
        let head = self.lm_head.iter_mut();
        let head = head.map(|head| ("lm_head".to_owned(), head));
        layers.flat_map(of_layer).chain(head).collect()
    }
}

impl<B: Backend> Layer<B> {
    fn linears(&self) -> [(&'static str, &Linear<B>); 7] {
        let (attention, mlp) = (&self.self_attn, &self.mlp);
        [
            ("self_attn.q_proj", &attention.q_proj),
            ("self_attn.k_proj", &attention.k_proj),
            ("self_attn.v_proj", &attention.v_proj),
            ("self_attn.o_proj", &attention.o_proj),
            ("mlp.gate_proj", &mlp.gate_proj),
            ("mlp.up_proj", &mlp.up_proj),
            ("mlp.down_proj", &mlp.down_proj),
        ]
    }

    fn linears_mut(&mut self) -> [(&'static str, &mut Linear<B>); 7] {
        let (attention, mlp) = (&mut self.self_attn, &mut self.mlp);
        [
            ("self_attn.q_proj", &mut attention.q_proj),
            ("self_attn.k_proj", &mut attention.k_proj),
            ("self_attn.v_proj", &mut attention.v_proj),
            ("self_attn.o_proj", &mut attention.o_proj),
            ("mlp.gate_proj", &mut mlp.gate_proj),
            ("mlp.up_proj", &mut mlp.up_proj),
            ("mlp.down_proj", &mut mlp.down_proj),
        ]
    }
}

/// PEFT's name of a tensor of the adapter of a layer.
fn tensor_name(layer: &str, tensor: &str) -> String {
    format!("base_model.model.{layer}.{tensor}")
}

/// PEFT's names of the tensors of an adapter.
const NAMES: [&str; 3] = ["lora_A.weight", "lora_B.weight", "lora_magnitude_vector"];

/// The tensors of the adapter of a layer.
fn tensors_of<B: Backend>(layer: &str, adapter: &Adapter<B>) -> Vec<(String, TensorData)> {
    let mut tensors = vec![
        (tensor_name(layer, NAMES[0]), adapter.a.val().into_data()),
        (tensor_name(layer, NAMES[1]), adapter.b.val().into_data()),
    ];
    if let Some(magnitude) = &adapter.magnitude {
        let data = magnitude.val().into_data();
        tensors.push((tensor_name(layer, NAMES[2]), data));
    }
    tensors
}

/// The adapter of a layer with the values of stored tensors.
fn restored<B: Backend>(
    adapter: Adapter<B>,
    layer: &str,
    tensors: &mut StoredTensors<'_>,
) -> Result<Adapter<B>, LoadError> {
    let mut data = |name: &str, shape: &[usize]| -> Result<TensorData, LoadError> {
        let values = tensors.values(&tensor_name(layer, name), shape)?;
        Ok(TensorData::new(values, shape.to_vec()))
    };
    let a = data(NAMES[0], &adapter.a.dims())?;
    let b = data(NAMES[1], &adapter.b.dims())?;
    let magnitude = match &adapter.magnitude {
        Some(magnitude) => Some(data(NAMES[2], &magnitude.dims())?),
        None => None,
    };
    Ok(adapter.with_values(a, b, magnitude))
}
