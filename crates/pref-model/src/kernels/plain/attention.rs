//! Attention in plain operations. In: queries, keys and values. Out: one vector per query.

use burn::tensor::{Tensor, activation::softmax, backend::Backend};

use super::visibility::Visibility;

/// The plain body of [`Kernels::causal_attention`](super::Kernels::causal_attention).
pub(super) fn attention<B: Backend>(
    queries: Tensor<B, 4>,
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
    visibility: &Visibility<B>,
    softcap: Option<f64>,
) -> Tensor<B, 4> {
    let [rows, heads, tokens, head_dim] = queries.dims();
    let [_, kv_heads, total, _] = keys.dims();
    // The heads of a group share keys and values, so they become more rows of one matrix product.
    let group = heads / kv_heads;
    let queries = queries.reshape([rows, kv_heads, group * tokens, head_dim]);
    let mut scores = queries.matmul(keys.swap_dims(2, 3)); // [rows, kv_heads, group · tokens, total]
    if let Some(cap) = softcap {
        scores = (scores / cap).tanh() * cap;
    }
    if let Some(mask) = visibility.mask() {
        // As [masks, rows and heads of each mask, scores], where one addition covers a whole row.
        let [masks, _, row] = mask.dims();
        let flat = scores.reshape([masks, rows * kv_heads / masks, row]) + mask.clone();
        scores = flat.reshape([rows, kv_heads, group * tokens, total]);
    }
    debug_assert_eq!(scores.dims(), [rows, kv_heads, group * tokens, total]);
    let attended = softmax(scores, 3).matmul(values);
    attended.reshape([rows, heads, tokens, head_dim])
}
