//! What `config.json` says, checked. In: JSON in the current spelling of `transformers` or that of
//! 4.x. Out: a [`Config`] whose every field the decoder implements; anything that would change the
//! mathematics and is not implemented is refused by name.

mod error;
mod json;
mod known;
mod read;
mod rope;
mod ropes;

pub use error::ConfigError;
pub use rope::{Rope, RopeScaling};

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::dtype::Format;

/// `max_position_embeddings` where the file has none.
const DEFAULT_POSITIONS: usize = 2048;

/// A decoder's architecture and sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(crate) raw: Map<String, Value>,
    /// Keys of it that were passed over on the caller's word.
    pub(crate) ignored: Vec<String>,
    /// Number format of the model that this one comes from.
    pub(crate) stored: Option<Format>,
    pub(crate) architecture: Architecture,
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) norm_eps: f64,
    pub(crate) max_positions: usize,
    pub(crate) eos_token_ids: Vec<u32>,
    pub(crate) initializer_range: f64,
    pub(crate) has_tied_head: bool,
    pub(crate) has_qkv_bias: bool,
    pub(crate) has_output_bias: bool,
    pub(crate) has_mlp_bias: bool,
    pub(crate) activation: Activation,
    /// Scale of the attention scores.
    pub(crate) attention_scale: f64,
    pub(crate) attention_softcap: Option<f64>,
    pub(crate) logit_softcap: Option<f64>,
    /// One a layer.
    pub(crate) layers: Vec<LayerKind>,
}

/// The families of decoders there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 2 and 3.
    Llama,
    /// Mistral 7B and its like.
    Mistral,
    /// Qwen2 and 2.5.
    Qwen2,
    /// Qwen3, dense.
    Qwen3,
    /// Gemma 3, text.
    Gemma3,
}

/// The function between an MLP's two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Silu,
    GeluTanh,
}

/// What one layer's attention sees.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerKind {
    /// Token `i` attends to `j` with `i − window < j ≤ i`; all before it if absent.
    pub(crate) window: Option<usize>,
    pub(crate) rope: Rope,
}

impl Architecture {
    /// Gemma scales embeddings, shifts norm weights by one, and norms after each block as well.
    pub(crate) fn is_gemma(self) -> bool {
        self == Architecture::Gemma3
    }

    pub(crate) fn has_query_key_norm(self) -> bool {
        matches!(self, Architecture::Qwen3 | Architecture::Gemma3)
    }
}

impl Config {
    /// Reads `config.json` of a model's folder.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and the key.
    pub fn from_folder(folder: &Path) -> Result<Self, ConfigError> {
        Self::from_folder_ignoring(folder, &[])
    }

    /// The same, passing over settings of unknown effect that the user knows to have none: keys of
    /// the file, those of an object inside it as `rope_scaling.key`.
    ///
    /// # Errors
    /// As [`from_folder`](Self::from_folder), and for a key that the decoder reads.
    pub fn from_folder_ignoring(folder: &Path, ignored: &[String]) -> Result<Self, ConfigError> {
        let path = folder.join("config.json");
        let text = fs::read_to_string(&path).map_err(|source| ConfigError::Read {
            path: path.clone(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string(), ignored)
    }

    /// Reads the text of a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// [`ConfigError`] names the key, what was found and what is supported.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, ConfigError> {
        Self::parse(text, origin, &[])
    }

    fn parse(text: &str, origin: &str, ignored: &[String]) -> Result<Self, ConfigError> {
        let raw = serde_json::from_str(text).map_err(|error| ConfigError::Json {
            origin: origin.to_owned(),
            message: error.to_string(),
        })?;
        read::read(raw, origin, ignored)
    }

    /// A fresh Llama of any size, with rope base 10,000 and an untied head of its own.
    ///
    /// # Errors
    /// [`ConfigError`] for sizes that do not fit together.
    ///
    /// ```
    /// use pref_model::{Config, LlamaSizes};
    /// let config = Config::llama(&LlamaSizes {
    ///     vocab: 512, hidden: 64, intermediate: 128, layers: 2, heads: 4, kv_heads: 2,
    ///     positions: 256, eos: 1, pad: 0,
    /// })?;
    /// assert_eq!(config.n_layers(), 2);
    /// # Ok::<(), pref_model::ConfigError>(())
    /// ```
    pub fn llama(sizes: &LlamaSizes) -> Result<Self, ConfigError> {
        let raw = json!({
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": null,
            "dtype": "float32",
            "eos_token_id": sizes.eos,
            "head_dim": sizes.hidden / sizes.heads.max(1),
            "hidden_act": "silu",
            "hidden_size": sizes.hidden,
            "initializer_range": 0.02,
            "intermediate_size": sizes.intermediate,
            "max_position_embeddings": sizes.positions,
            "mlp_bias": false,
            "model_type": "llama",
            "num_attention_heads": sizes.heads,
            "num_hidden_layers": sizes.layers,
            "num_key_value_heads": sizes.kv_heads,
            "pad_token_id": sizes.pad,
            "rms_norm_eps": 1e-6,
            "rope_parameters": { "rope_theta": 10000.0, "rope_type": "default" },
            "tie_word_embeddings": false,
            "use_cache": true,
            "vocab_size": sizes.vocab,
        });
        match raw {
            Value::Object(raw) => read::read(raw, "a fresh Llama", &[]),
            _ => unreachable!("the literal above is an object"),
        }
    }

    /// Which family.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Rows of the embedding.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Longest sequence that the model was made for.
    pub fn max_position_embeddings(&self) -> usize {
        self.max_positions
    }

    /// Tokens that end a generation, as the configuration names them.
    pub fn eos_token_ids(&self) -> &[u32] {
        &self.eos_token_ids
    }

    /// Number of layers.
    pub fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// The rotary embedding of each layer.
    pub fn ropes(&self) -> impl Iterator<Item = &Rope> {
        self.layers.iter().map(|layer| &layer.rope)
    }

    /// The number format of the model that this one comes from, as `transformers` calls it: what
    /// its `config.json` says, or its weights where that says nothing; none if it was never stored.
    pub fn stored_dtype(&self) -> Option<&str> {
        self.stored.map(Format::name)
    }

    /// The JSON it was read from, with another number format, under both its names where both are
    /// there.
    pub(crate) fn to_json(&self, dtype: &str) -> String {
        let mut raw = self.raw.clone();
        let known = ["dtype", "torch_dtype"].map(|key| raw.contains_key(key).then_some(key));
        let known: Vec<&str> = known.into_iter().flatten().collect();
        let keys = if known.is_empty() {
            vec!["dtype"]
        } else {
            known
        };
        for key in keys {
            raw.insert(key.to_owned(), json!(dtype));
        }
        serde_json::to_string_pretty(&raw).expect("JSON values always have a text") + "\n"
    }
}

/// Sizes of a fresh Llama.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlamaSizes {
    /// Rows of the embedding.
    pub vocab: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Width of the MLPs.
    pub intermediate: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Longest sequence.
    pub positions: usize,
    /// End-of-sequence token.
    pub eos: u32,
    /// Padding token.
    pub pad: u32,
}
