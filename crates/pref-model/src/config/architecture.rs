//! The architecture and the sizes of a decoder. In: a `config.json` that was read and checked. Out: a
//! [`Config`], and the JSON to save again.

use serde_json::{Map, Value, json};

use super::rope::Rope;
use crate::number_format::Format;

/// A decoder's architecture and sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The JSON that the configuration was read from.
    pub(crate) raw: Map<String, Value>,
    /// Keys of the JSON that the caller asked to ignore.
    pub(crate) ignored: Vec<String>,
    /// Number format of the stored model that this one was loaded or trained from.
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
    /// Factor of the attention scores.
    pub(crate) attention_scale: f64,
    /// Limit `c` of the attention scores, which become `c · tanh(score / c)`.
    pub(crate) attention_softcap: Option<f64>,
    /// Limit `c` of the logits, which become `c · tanh(logit / c)`.
    pub(crate) logit_softcap: Option<f64>,
    /// One entry per layer.
    pub(crate) layers: Vec<LayerKind>,
}

/// The decoder families that Pref implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 2 and 3.
    Llama,
    /// Mistral 7B and models of the same layout.
    Mistral,
    /// Qwen2 and 2.5.
    Qwen2,
    /// Qwen3, dense.
    Qwen3,
    /// Gemma 3, text.
    Gemma3,
}

/// The activation function of an MLP's gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x · σ(x)`.
    Silu,
    /// The tanh approximation of the Gaussian error linear unit.
    GeluTanh,
}

/// What one layer's attention computes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerKind {
    /// Token `i` attends to tokens `j` with `i − window < j ≤ i`. Without a window it attends to all
    /// `j ≤ i`.
    pub(crate) window: Option<usize>,
    /// The rotary embedding of the layer's queries and keys.
    pub(crate) rope: Rope,
}

impl Architecture {
    /// Whether the family is Gemma, which scales embeddings, adds 1 to norm weights, and
    /// normalises after each block as well as before it.
    pub(crate) fn is_gemma(self) -> bool {
        self == Architecture::Gemma3
    }

    /// Whether queries and keys are normalised before the rotary embedding.
    pub(crate) fn has_query_key_norm(self) -> bool {
        matches!(self, Architecture::Qwen3 | Architecture::Gemma3)
    }
}

impl Config {
    /// The decoder's family.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Number of rows of the embedding table.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Number of tokens of the longest sequence that the model was trained for.
    pub fn max_position_embeddings(&self) -> usize {
        self.max_positions
    }

    /// Ids of the tokens that end a generation: `eos_token_id` of the file. Empty if the file has none.
    pub fn eos_token_ids(&self) -> &[u32] {
        &self.eos_token_ids
    }

    /// Number of values that the backward pass reads, for each token. In each layer: the inputs of the norms and of
    /// the projections, queries, keys and values, and the three vectors of the MLP.
    pub(crate) fn activations_per_token(&self) -> usize {
        self.layers.len() * self.activations_of_a_layer() + 2 * self.hidden_size
    }

    /// The part of one layer in [`activations_per_token`](Self::activations_per_token).
    pub(crate) fn activations_of_a_layer(&self) -> usize {
        let heads = (2 * self.n_heads + 2 * self.n_kv_heads) * self.head_dim;
        4 * self.hidden_size + heads + 3 * self.intermediate_size
    }

    /// Number of layers.
    pub fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// The rotary embedding of each layer.
    pub fn ropes(&self) -> impl Iterator<Item = &Rope> {
        self.layers.iter().map(|layer| &layer.rope)
    }

    /// The number format of the stored model that this one was loaded or trained from, under the
    /// name that `transformers` gives it. It is taken from `config.json`, or from the weights if
    /// `config.json` does not say. `None` for a model that was never stored.
    pub fn stored_dtype(&self) -> Option<&str> {
        self.stored.map(Format::name)
    }

    /// The JSON that the configuration was read from, with the number format `dtype`. It is written under
    /// each of the keys `dtype` and `torch_dtype` that the JSON has, or under `dtype` if it has neither.
    pub(crate) fn to_json(&self, dtype: &str) -> String {
        let mut raw = self.raw.clone();
        let present = ["dtype", "torch_dtype"].map(|key| raw.contains_key(key).then_some(key));
        let present: Vec<&str> = present.into_iter().flatten().collect();
        let keys = if present.is_empty() {
            vec!["dtype"]
        } else {
            present
        };
        for key in keys {
            raw.insert(key.to_owned(), json!(dtype));
        }
        serde_json::to_string_pretty(&raw).expect("every JSON value can be printed") + "\n"
    }
}
