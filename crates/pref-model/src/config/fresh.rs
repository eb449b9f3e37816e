//! The configuration of a model that starts from random weights. In: sizes. Out: a [`Config`].

use serde_json::json;

use super::architecture::Config;
use super::error::ModelConfigError;

/// Sizes of a new Llama.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LlamaSizes {
    /// Number of rows of the embedding table.
    pub vocab: usize,
    /// Width of the hidden states.
    pub hidden: usize,
    /// Width of the MLPs.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of query heads.
    pub heads: usize,
    /// Number of key and value heads.
    pub kv_heads: usize,
    /// Number of tokens of the longest sequence.
    pub positions: usize,
    /// Id of the end-of-sequence token.
    pub eos: u32,
    /// Id of the padding token.
    pub pad: u32,
}

impl Config {
    /// The configuration of a new Llama of any size, with a rope base of 10,000 and an output head
    /// that is not tied to the embedding.
    ///
    /// # Errors
    /// [`ModelConfigError`] for a size of 0, for `kv_heads` that do not divide `heads`, and for an odd number of
    /// channels per head (`hidden / heads`).
    ///
    /// ```
    /// use pref_model::{Config, LlamaSizes};
    /// let config = Config::llama(&LlamaSizes {
    ///     vocab: 512, hidden: 64, intermediate: 128, layers: 2, heads: 4, kv_heads: 2,
    ///     positions: 256, eos: 1, pad: 0,
    /// })?;
    /// assert_eq!(config.n_layers(), 2);
    /// # Ok::<(), pref_model::ModelConfigError>(())
    /// ```
    pub fn llama(sizes: &LlamaSizes) -> Result<Self, ModelConfigError> {
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
        Self::from_json(&raw.to_string(), "a new Llama")
    }
}
