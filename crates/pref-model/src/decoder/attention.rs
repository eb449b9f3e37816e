//! Grouped-query attention with rotary positions. In: hidden states of new tokens, and the cached keys
//! and values. Out: hidden states.

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};

use super::cache::{KeysValues, extend};
use super::layers::{Linear, Norm};
use super::positions::Positions;
use crate::config::{Config, LayerKind};
use crate::kernels::{Kernels, ScoreRule};

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
    /// `[rows · tokens, hidden]` to the same shape. The cache gets the keys and values of the tokens.
    pub(super) fn forward(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        kind: &LayerKind,
        positions: &Positions<B>,
        cache: Option<&mut Option<KeysValues<B>>>,
    ) -> Tensor<B, 2> {
        let (rotary, visibility) = positions.of(kind);
        let (rows, tokens) = (visibility.rows, visibility.tokens);
        let (heads, kv_heads, head_dim) = (config.n_heads, config.n_kv_heads, config.head_dim);
        // [rows · tokens, heads · head_dim] → [rows, heads, tokens, head_dim]
        let split = |x: Tensor<B, 2>, heads: usize, norm: Option<&Norm<B>>| {
            let x = x.reshape([rows, tokens, heads, head_dim]);
            let x = match norm {
                Some(norm) => norm.forward(x, config),
                None => x,
            };
            x.swap_dims(1, 2)
        };
        let queries = split(self.q_proj.forward(x.clone()), heads, self.q_norm.as_ref());
        let keys = split(
            self.k_proj.forward(x.clone()),
            kv_heads,
            self.k_norm.as_ref(),
        );
        let values = split(self.v_proj.forward(x), kv_heads, None);
        let queries = B::rotary(queries, rotary);
        let (keys, values) = extend(cache, B::rotary(keys, rotary), values);
        let rule = ScoreRule {
            scale: config.attention_scale,
            softcap: config.attention_softcap,
        };
        let attended = B::causal_attention(queries, keys, values, visibility, rule);
        let attended = attended
            .swap_dims(1, 2)
            .reshape([rows * tokens, heads * head_dim]);
        self.o_proj.forward(attended)
    }
}
