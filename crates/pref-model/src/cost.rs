//! What a decoder costs. In: its configuration. Out: numbers of parameters, of multiplications, and of values that a
//! training step keeps. They are counted from the shapes alone, so no weight is read.

use crate::config::Config;
use crate::kernels::TOKENS_OF_A_BLOCK;
use crate::lora::{LoraError, LoraTargets};

/// Numbers that follow from the shape of a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Number of parameters.
    pub parameters: usize,
    /// Number of token ids.
    pub vocab_size: usize,
    /// Number of elements of the table of embeddings.
    pub embeddings: usize,
    /// Number of elements of the matrices in the layers. It is also the number of
    /// multiplications of one token in the linear layers, without the output head and without attention scores.
    pub layer_products: usize,
    /// Multiplications of the output head, for one token whose logits are computed.
    pub head_products: usize,
    /// Number of values that a training step keeps for the backward pass, for each token.
    pub kept_per_token: usize,
    /// The same with checkpoints of the activations: the inputs of all layers, and the values of one layer.
    pub kept_with_checkpoints: usize,
    /// The values of `kept_per_token` that are in float32 if the products are in bfloat16: inputs of norms.
    pub kept_in_float32: usize,
}

/// A linear layer: its name within the decoder layer, and its shape.
struct Linear {
    name: &'static str,
    n_in: usize,
    n_out: usize,
    has_bias: bool,
}

impl Config {
    /// The cost of the decoder.
    pub fn cost(&self) -> Cost {
        let n_layers = self.layers.len();
        let linear = self.linear_layers();
        let products: usize = linear.iter().map(|l| l.n_in * l.n_out).sum();
        let biases: usize = linear.iter().filter(|l| l.has_bias).map(|l| l.n_out).sum();
        let n_norms = match self.architecture.is_gemma() {
            true => 4,
            false => 2,
        };
        let head_norms = match self.architecture.has_query_key_norm() {
            true => 2 * self.head_dim,
            false => 0,
        };
        let layer = products + biases + n_norms * self.hidden_size + head_norms;
        let embeddings = self.vocab_size * self.hidden_size;
        let head = match self.has_tied_head {
            true => 0,
            false => embeddings,
        };
        Cost {
            parameters: embeddings + head + n_layers * layer + self.hidden_size,
            vocab_size: self.vocab_size,
            embeddings,
            layer_products: n_layers * products,
            head_products: embeddings,
            kept_per_token: self.activations_per_token(),
            kept_with_checkpoints: (n_layers + 2) * self.hidden_size
                + self.activations_of_a_layer(),
            kept_in_float32: 2 * (n_layers + 1) * self.hidden_size,
        }
    }

    /// The bytes of the keys and values of this number of new tokens of one text, while it is continued.
    pub fn cache_bytes(&self, n_tokens: usize) -> u64 {
        let n_places = n_tokens.div_ceil(TOKENS_OF_A_BLOCK) * TOKENS_OF_A_BLOCK;
        let of_place = 2 * self.n_layers() * self.n_kv_heads * self.head_dim * size_of::<f32>();
        (n_places * of_place) as u64
    }

    /// Multiplications of the attention of one token, averaged over the tokens of a text: scores and weighted values.
    /// A token attends to itself and to the earlier tokens within the window of each layer.
    pub fn attention_products(&self, n_tokens: usize) -> f64 {
        let mean = |window: Option<usize>| {
            let (n, window) = (n_tokens as f64, window.unwrap_or(n_tokens) as f64);
            let growing = window.min(n);
            // The first tokens see ever more, and the rest see a window.
            (growing * (growing + 1.0) / 2.0 + (n - growing) * window) / n.max(1.0)
        };
        let attended: f64 = self.layers.iter().map(|layer| mean(layer.window)).sum();
        attended * (2 * self.n_heads * self.head_dim) as f64
    }

    /// Number of parameters of a LoRA adapter of this rank.
    ///
    /// # Errors
    /// [`LoraError`] if a pattern of the targets is not a regular expression.
    pub fn adapter_parameters(
        &self,
        rank: usize,
        targets: &LoraTargets,
    ) -> Result<usize, LoraError> {
        let mut n = 0;
        for i in 0..self.layers.len() {
            for linear in self.linear_layers() {
                if targets.contain(&format!("model.layers.{i}.{}", linear.name))? {
                    n += rank * (linear.n_in + linear.n_out);
                }
            }
        }
        if !self.has_tied_head && targets.contain("lm_head")? {
            n += rank * (self.hidden_size + self.vocab_size);
        }
        Ok(n)
    }

    /// The linear layers of one decoder layer.
    fn linear_layers(&self) -> [Linear; 7] {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let (q, kv) = (
            self.n_heads * self.head_dim,
            self.n_kv_heads * self.head_dim,
        );
        let linear = |name, n_in, n_out, has_bias| Linear {
            name,
            n_in,
            n_out,
            has_bias,
        };
        [
            linear("self_attn.q_proj", hidden, q, self.has_qkv_bias),
            linear("self_attn.k_proj", hidden, kv, self.has_qkv_bias),
            linear("self_attn.v_proj", hidden, kv, self.has_qkv_bias),
            linear("self_attn.o_proj", q, hidden, self.has_output_bias),
            linear("mlp.gate_proj", hidden, inner, self.has_mlp_bias),
            linear("mlp.up_proj", hidden, inner, self.has_mlp_bias),
            linear("mlp.down_proj", inner, hidden, self.has_mlp_bias),
        ]
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use std::path::Path;

    use burn::backend::Flex;
    use burn::module::Module;

    use super::*;
    use crate::{Decoder, LoraConfig};

    fn models() -> impl Iterator<Item = Config> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
        let names = ["gemma3", "llama", "llama2", "mistral", "qwen2", "qwen3"];
        names
            .into_iter()
            .map(move |name| Config::from_folder(&folder.join(name)).unwrap())
    }

    #[test]
    fn parameters_are_counted_without_a_model() {
        for config in models() {
            let decoder = Decoder::<Flex>::init(&config, 1, &Default::default());
            assert_eq!(config.cost().parameters, decoder.num_params(), "{config:?}");
            for targets in [LoraTargets::attention(), LoraTargets::AllLinear] {
                let adapter = LoraConfig {
                    rank: 3,
                    targets: targets.clone(),
                    ..LoraConfig::default()
                };
                let n = config.adapter_parameters(3, &targets).unwrap();
                let with_adapter = decoder.clone().add_lora(adapter, 1).unwrap();
                assert_eq!(with_adapter.num_params(), decoder.num_params() + n);
            }
        }
    }

    #[test]
    fn a_token_attends_to_itself_and_to_earlier_tokens_of_its_window() {
        for config in models() {
            let n = 7;
            let attended: usize = config
                .layers
                .iter()
                .flat_map(|layer| (1..=n).map(|seen: usize| seen.min(layer.window.unwrap_or(n))))
                .sum();
            let expected = (attended * 2 * config.n_heads * config.head_dim) as f64 / n as f64;
            assert!((config.attention_products(n) - expected).abs() < 1e-9);
        }
    }
}
