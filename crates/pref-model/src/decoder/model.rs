//! The forward pass. In: token ids. Out: hidden states and logits.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Int, Tensor, backend::Backend, module::embedding};

use super::attention::Attention;
use super::cache::{Cache, KeysValues};
use super::layers::{Embedding, Linear, Mlp, Norm};
use super::positions::Positions;
use crate::config::{Config, LayerKind};
use crate::kernels::{Kernels, Visibility, head_logits, token_log_probs};
use crate::lora::LoraConfig;

/// A decoder-only language model.
#[derive(Module, Debug)]
pub struct Decoder<B: Backend> {
    pub(super) model: Stack<B>,
    /// Absent if the head is tied to the embedding.
    pub(super) lm_head: Option<Linear<B>>,
    #[module(skip)]
    pub(super) config: Config,
    /// The settings of the adapter, if there is one. Its values are in the layers.
    #[module(skip)]
    pub(super) lora: Option<LoraConfig>,
}

/// All parts of the decoder except the head. Hugging Face's name for it is `model`.
#[derive(Module, Debug)]
pub(super) struct Stack<B: Backend> {
    pub(super) embed_tokens: Embedding<B>,
    pub(super) layers: Vec<Layer<B>>,
    pub(super) norm: Norm<B>,
}

/// One decoder layer.
#[derive(Module, Debug)]
pub(super) struct Layer<B: Backend> {
    pub(super) input_layernorm: Norm<B>,
    pub(super) self_attn: Attention<B>,
    /// Before the MLP; in Gemma after the attention.
    pub(super) post_attention_layernorm: Norm<B>,
    /// Before the MLP in Gemma; absent in other families.
    pub(super) pre_feedforward_layernorm: Option<Norm<B>>,
    /// After the MLP in Gemma; absent in other families.
    pub(super) post_feedforward_layernorm: Option<Norm<B>>,
    pub(super) mlp: Mlp<B>,
}

impl<B: Backend> Decoder<B> {
    /// The architecture and its sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings of the adapter, if the decoder has one.
    pub fn lora(&self) -> Option<&LoraConfig> {
        self.lora.as_ref()
    }

    /// The output head, `[vocab, hidden]`: a weight of its own, or the embedding if both are tied. An adapter
    /// of the head is not part of it.
    fn head(&self) -> Tensor<B, 2> {
        match &self.lm_head {
            Some(head) => head.weight.val(),
            None => self.model.embed_tokens.weight.val(),
        }
    }

    /// The output head if it has an adapter.
    fn adapted_head(&self) -> Option<&Linear<B>> {
        self.lm_head.as_ref().filter(|head| head.lora.is_some())
    }
}

impl<B: Kernels> Decoder<B> {
    /// Hidden states after the last norm, `[rows, tokens, hidden]`, of `[rows, tokens]` ids. If there is a
    /// cache, the ids follow its tokens, and it gets their keys and values.
    /// `branches` is explained in [`Policy::hidden`](crate::Policy::hidden).
    pub(crate) fn forward(
        &self,
        tokens: Tensor<B, 2, Int>,
        branches: &[Range<usize>],
        mut cache: Option<&mut Cache<B>>,
    ) -> Tensor<B, 3> {
        let [rows, n_tokens] = tokens.dims();
        assert!(
            branches.is_empty() || branches.len() == rows,
            "{} branches for {rows} rows; expected one per row, or none",
            branches.len()
        );
        assert!(rows > 0 && n_tokens > 0, "tokens are [{rows}, {n_tokens}]");
        let config = &self.config;
        let before = cache.as_ref().map_or(0, |cache| cache.tokens);
        let device = tokens.device();
        let heads = [config.n_heads, config.n_kv_heads];
        let positions = Positions::new(config, &device, |window| match branches {
            [] => Visibility::causal(rows, n_tokens, before, window, heads),
            branches => Visibility::branched(branches, n_tokens, window, heads),
        });

        let mut x = embedding(self.model.embed_tokens.weight.val(), tokens)
            .reshape([rows * n_tokens, config.hidden_size]);
        if config.architecture.is_gemma() {
            x = x * (config.hidden_size as f64).sqrt();
        }
        for (i, (layer, kind)) in self.model.layers.iter().zip(&config.layers).enumerate() {
            let slot = cache.as_deref_mut().map(|cache| &mut cache.layers[i]);
            x = layer.forward(x, config, kind, &positions, slot);
        }
        if let Some(cache) = cache {
            cache.tokens += n_tokens;
        }
        let x = self.model.norm.forward(x, config);
        x.reshape([rows, n_tokens, config.hidden_size])
    }

    /// Logits of hidden states: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let softcap = self.config.logit_softcap;
        let Some(head) = self.adapted_head() else {
            return head_logits(hidden, self.head(), softcap);
        };
        let logits = head.forward(hidden);
        match softcap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        }
    }

    /// Log-probs of the targets `[n]` of hidden states `[n, hidden]`, nats.
    pub(crate) fn target_log_probs(
        &self,
        hidden: Tensor<B, 2>,
        targets: Tensor<B, 1, Int>,
    ) -> Tensor<B, 1> {
        match self.adapted_head() {
            Some(_) => token_log_probs(self.logits(hidden), targets),
            None => B::target_log_probs(hidden, self.head(), self.config.logit_softcap, targets),
        }
    }
}

impl<B: Kernels> Layer<B> {
    fn forward(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        kind: &LayerKind,
        positions: &Positions<B>,
        cache: Option<&mut Option<KeysValues<B>>>,
    ) -> Tensor<B, 2> {
        let normed = self.input_layernorm.forward(x.clone(), config);
        let attended = self
            .self_attn
            .forward(normed, config, kind, positions, cache);
        match (
            &self.pre_feedforward_layernorm,
            &self.post_feedforward_layernorm,
        ) {
            (Some(before), Some(after)) => {
                let x = x + self.post_attention_layernorm.forward(attended, config);
                let y = self.mlp.forward(before.forward(x.clone(), config), config);
                x + after.forward(y, config)
            }
            (None, _) | (_, None) => {
                let x = x + attended;
                let normed = self.post_attention_layernorm.forward(x.clone(), config);
                x + self.mlp.forward(normed, config)
            }
        }
    }
}
