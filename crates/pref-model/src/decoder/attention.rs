//! Grouped-query attention with rotary positions. In: hidden states of new tokens, and for a step of texts that are
//! continued their cached keys and values. Out: hidden states.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::cache::OfPrompt;
use super::layers::{Linear, Norm};
use super::positions::Positions;
use crate::config::{Config, LayerKind};
use crate::kernels::{Kernels, KeyValues, Rotary, ScoreRule, Texts};

/// The attention block of a layer.
#[derive(Module, Debug)]
pub(super) struct Attention<B: Backend> {
    pub(super) q_proj: Linear<B>,
    pub(super) k_proj: Linear<B>,
    pub(super) v_proj: Linear<B>,
    pub(super) o_proj: Linear<B>,
    pub(super) q_norm: Option<Norm<B>>,
    pub(super) k_norm: Option<Norm<B>>,
}

impl<B: Kernels> Attention<B> {
    /// `[rows · tokens, hidden]` to the same shape. If `kept` is given, it gets the keys and values of the tokens.
    pub(super) fn forward(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        kind: &LayerKind,
        positions: &Positions<B>,
        kept: Option<&mut Vec<OfPrompt<B>>>,
    ) -> Tensor<B, 2> {
        let (rotary, visibility) = positions.of(kind);
        let (rows, tokens) = (visibility.rows, visibility.tokens);
        let projected = [&self.q_proj, &self.k_proj, &self.v_proj].map(|p| p.forward(x.clone()));
        let [queries, keys, values] = self.heads(projected, [rows, tokens], config, rotary);
        if let Some(kept) = kept {
            kept.push([keys.clone(), values.clone()]);
        }
        let rule = rule(config);
        let attended = B::causal_attention(queries, keys, values, visibility, rule);
        let attended = attended
            .swap_dims(1, 2)
            .reshape([rows * tokens, config.n_heads * config.head_dim]);
        self.o_proj.forward(attended)
    }

    /// One new token of each text, `[rows, hidden]` to the same shape. The cache gets its keys and values.
    pub(super) fn step(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        kind: &LayerKind,
        rotary: &Rotary<B>,
        cache: &mut KeyValues<B>,
        texts: &Texts,
    ) -> Tensor<B, 2> {
        let [rows, _] = x.dims();
        let projected = [&self.q_proj, &self.k_proj, &self.v_proj].map(|p| p.step(x.clone()));
        let new = self.heads(projected, [rows, 1], config, rotary);
        let new = new.map(|x| {
            let [rows, heads, _, head_dim] = x.dims();
            x.reshape([rows, heads, head_dim])
        });
        let attended = B::attention_of_texts(new, cache, texts, kind.window, rule(config));
        let attended = attended.reshape([rows, config.n_heads * config.head_dim]);
        self.o_proj.step(attended)
    }

    /// Queries, keys and values by heads: `[rows · tokens, heads · head_dim]` to `[rows, heads, tokens, head_dim]`,
    /// queries and keys rotated.
    fn heads(
        &self,
        [queries, keys, values]: [Tensor<B, 2>; 3],
        [rows, tokens]: [usize; 2],
        config: &Config,
        rotary: &Rotary<B>,
    ) -> [Tensor<B, 4>; 3] {
        let split = |x: Tensor<B, 2>, heads: usize, norm: Option<&Norm<B>>| {
            let x = x.reshape([rows, tokens, heads, config.head_dim]);
            let x = match norm {
                Some(norm) => norm.forward(x, config),
                None => x,
            };
            x.swap_dims(1, 2)
        };
        let queries = split(queries, config.n_heads, self.q_norm.as_ref());
        let keys = split(keys, config.n_kv_heads, self.k_norm.as_ref());
        let values = split(values, config.n_kv_heads, None);
        [B::rotary(queries, rotary), B::rotary(keys, rotary), values]
    }
}

fn rule(config: &Config) -> ScoreRule {
    ScoreRule {
        scale: config.attention_scale,
        softcap: config.attention_softcap,
    }
}
