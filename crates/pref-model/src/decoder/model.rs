//! The forward pass. In: token ids. Out: hidden states and logits.

use std::ops::Range;
use std::rc::Rc;

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, backend::Backend, module::embedding};

use super::attention::Attention;
use super::cache::OfPrompt;
use super::layers::{Embedding, Linear, Mlp, Norm};
use super::positions::Positions;
use crate::config::Config;
use crate::hidden_part::HiddenPart;
use crate::kernels::{Kernels, Visibility, head_logits, in_format, token_log_probs, wide};
use crate::lora::LoraConfig;
use crate::precision::Precision;

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
    #[module(skip)]
    pub(super) precision: Precision,
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

    /// The decoder as it computes in another precision.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The settings of the adapter, if the decoder has one.
    pub fn lora(&self) -> Option<&LoraConfig> {
        self.lora.as_ref()
    }

    /// The output head, `[vocab, hidden]`: a weight of its own, or the embedding if both are tied. An adapter
    /// of the head is not part of it.
    pub(super) fn head(&self) -> Tensor<B, 2> {
        match &self.lm_head {
            Some(head) => head.weight.val(),
            None => self.model.embed_tokens.weight.val(),
        }
    }

    /// The output head if it has an adapter.
    pub(super) fn adapted_head(&self) -> Option<&Linear<B>> {
        self.lm_head.as_ref().filter(|head| head.lora.is_some())
    }
}

impl<B: Kernels> Decoder<B> {
    /// Hidden states after the last norm, `[rows, tokens, hidden]`, of `[rows, tokens]` ids. If
    /// `kept` is given, it gets the keys and values of every layer. `branches` is explained in [`Policy::hidden`](crate::Policy::hidden).
    pub(crate) fn forward(
        &self,
        tokens: Tensor<B, 2, Int>,
        branches: &[Range<usize>],
        mut kept: Option<&mut Vec<OfPrompt<B>>>,
    ) -> Tensor<B, 3> {
        let [rows, n_tokens] = tokens.dims();
        let positions = self.positions(&tokens, branches);
        let mut x = self.embed(tokens);
        for i in 0..self.model.layers.len() {
            x = self.layer(i, x, &positions, kept.as_deref_mut());
        }
        self.normed(x, [rows, n_tokens])
    }

    /// [`forward`](Self::forward) without a cache as parts: one for each layer, of which the first looks up the
    /// embeddings, and the last applies the last norm.
    pub(crate) fn parts<'a>(
        &'a self,
        tokens: Tensor<B, 2, Int>,
        branches: &[Range<usize>],
    ) -> Vec<HiddenPart<'a, B>> {
        let shape = tokens.dims();
        let [rows, n_tokens] = shape;
        let positions = Rc::new(self.positions(&tokens, branches));
        let last = self.model.layers.len() - 1;
        let part = |i: usize| -> HiddenPart<'a, B> {
            let (tokens, positions) = (tokens.clone(), Rc::clone(&positions));
            Box::new(move |x| {
                let x = match x {
                    Some(x) => x.reshape([rows * n_tokens, self.config.hidden_size]),
                    None => self.embed(tokens.clone()),
                };
                let x = self.layer(i, x, &positions, None);
                match i == last {
                    true => self.normed(x, shape),
                    false => x.reshape([rows, n_tokens, self.config.hidden_size]),
                }
            })
        };
        (0..=last).map(part).collect()
    }

    /// The tables of a pass over `[rows, tokens]` ids.
    fn positions(&self, tokens: &Tensor<B, 2, Int>, branches: &[Range<usize>]) -> Positions<B> {
        let [rows, n_tokens] = tokens.dims();
        assert!(
            branches.is_empty() || branches.len() == rows,
            "{} branches for {rows} rows; expected one per row, or none",
            branches.len()
        );
        assert!(rows > 0 && n_tokens > 0, "tokens are [{rows}, {n_tokens}]");
        let config = &self.config;
        let heads = [config.n_heads, config.n_kv_heads];
        Positions::new(config, &tokens.device(), |window| match branches {
            [] => Visibility::causal(rows, n_tokens, 0, window, heads),
            branches => Visibility::branched(branches, n_tokens, window, heads),
        })
    }

    /// The embeddings of ids, `[rows · tokens, hidden]`.
    pub(super) fn embed(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [rows, n_tokens] = tokens.dims();
        let size = self.config.hidden_size;
        let x = embedding(self.model.embed_tokens.weight.val(), tokens)
            .reshape([rows * n_tokens, size]);
        match self.config.architecture.is_gemma() {
            true => x * (size as f64).sqrt(),
            false => x,
        }
    }

    /// A layer, `[rows · tokens, hidden]` to the same shape.
    fn layer(
        &self,
        i: usize,
        x: Tensor<B, 2>,
        positions: &Positions<B>,
        kept: Option<&mut Vec<OfPrompt<B>>>,
    ) -> Tensor<B, 2> {
        let config = &self.config;
        let layer = &self.model.layers[i];
        layer.forward(
            x,
            config,
            self.precision.format(),
            |x| {
                let kind = &config.layers[i];
                layer.self_attn.forward(x, config, kind, positions, kept)
            },
            |x| layer.mlp.forward(x, config),
        )
    }

    /// The last norm, to `[rows, tokens, hidden]`.
    pub(super) fn normed(&self, x: Tensor<B, 2>, [rows, n_tokens]: [usize; 2]) -> Tensor<B, 3> {
        let x = self.model.norm.forward(x, &self.config);
        x.reshape([rows, n_tokens, self.config.hidden_size])
    }

    /// Logits of hidden states in float32: `[n, hidden]` to `[n, vocab]`.
    pub fn logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let softcap = self.config.logit_softcap;
        let hidden = in_format(hidden, self.precision.format());
        let Some(head) = self.adapted_head() else {
            return head_logits(hidden, self.head(), softcap);
        };
        let logits = wide(head.forward(hidden));
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
            None => {
                let hidden = in_format(hidden, self.precision.format());
                B::target_log_probs(hidden, self.head(), self.config.logit_softcap, targets)
            }
        }
    }
}

impl<B: Kernels> Layer<B> {
    /// `[rows · tokens, hidden]` in float32 to the same. The inputs of `attention` and `mlp` have the number format
    /// `format`.
    pub(super) fn forward(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        format: DType,
        attention: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 2>,
        mlp: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let normed = self.input_layernorm.forward(x.clone(), config);
        let attended = wide(attention(in_format(normed, format)));
        match (
            &self.pre_feedforward_layernorm,
            &self.post_feedforward_layernorm,
        ) {
            (Some(before), Some(after)) => {
                let x = x + self.post_attention_layernorm.forward(attended, config);
                let normed = in_format(before.forward(x.clone(), config), format);
                x + after.forward(wide(mlp(normed)), config)
            }
            (None, _) | (_, None) => {
                let x = x + attended;
                let normed = self.post_attention_layernorm.forward(x.clone(), config);
                x + wide(mlp(in_format(normed, format)))
            }
        }
    }
}
