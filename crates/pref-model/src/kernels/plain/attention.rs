//! Attention. In: queries, keys and values. Out: one vector per query, or the gradients of the inputs.

use burn::tensor::{Tensor, activation::softmax, backend::Backend};

use super::format::{in_format, wide};
use crate::kernels::inputs::ScoreRule;
use crate::kernels::visibility::Visibility;

/// The plain body of [`Kernels::causal_attention`](crate::Kernels::causal_attention).
pub fn causal_attention<B: Backend>(
    queries: Tensor<B, 4>,
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
    visibility: &Visibility,
    rule: ScoreRule,
) -> Tensor<B, 4> {
    let hide = |scores| without_invisible(scores, visibility);
    attend([queries, keys, values], rule, hide)
}

/// The gradients of queries, keys and values, from the gradient of the result. The scores are computed again.
pub fn causal_attention_backward<B: Backend>(
    inputs: [Tensor<B, 4>; 3],
    visibility: &Visibility,
    rule: ScoreRule,
    gradient: Tensor<B, 4>,
) -> [Tensor<B, 4>; 3] {
    let hide = |scores| without_invisible(scores, visibility);
    attend_backward(inputs, rule, hide, gradient)
}

/// `softmax(Q Kᵀ) V`. `hide` sets the scores of tokens that are not visible to `−∞`.
pub(super) fn attend<B: Backend>(
    [queries, keys, values]: [Tensor<B, 4>; 3],
    rule: ScoreRule,
    hide: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
) -> Tensor<B, 4> {
    let shape = queries.dims();
    let scores = hide(scores(grouped(queries, &keys), keys, rule));
    let probabilities = in_format(softmax(scores, 3), values.dtype());
    probabilities.matmul(values).reshape(shape)
}

/// The gradients of queries, keys and values of [`attend`].
pub(super) fn attend_backward<B: Backend>(
    [queries, keys, values]: [Tensor<B, 4>; 3],
    rule: ScoreRule,
    hide: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
    gradient: Tensor<B, 4>,
) -> [Tensor<B, 4>; 3] {
    let shape = queries.dims();
    let queries = grouped(queries, &keys);
    let gradient = grouped(gradient, &keys);
    let scores = hide(scores(queries.clone(), keys.clone(), rule));
    // The slope of the soft cap is 1 − tanh². A score that is not visible is −∞, and its slope has no meaning;
    // its probability is 0, so the slope is set to 1.
    let slope = rule.softcap.map(|cap| {
        let slope = (scores.clone() / cap).square() * -1.0 + 1.0;
        slope.mask_fill(scores.clone().lower_elem(-cap), 1.0)
    });
    let format = gradient.dtype();
    let probabilities = softmax(scores, 3);
    let of_values = in_format(probabilities.clone(), format)
        .swap_dims(2, 3)
        .matmul(gradient.clone());
    let of_probabilities = wide(gradient.matmul(values.swap_dims(2, 3)));
    let mean = (probabilities.clone() * of_probabilities.clone()).sum_dim(3);
    let mut of_scores = probabilities * (of_probabilities - mean);
    if let Some(slope) = slope {
        of_scores = of_scores * slope;
    }
    let of_scores = in_format(of_scores * rule.scale, format);
    let of_queries = of_scores.clone().matmul(keys).reshape(shape);
    let of_keys = of_scores.swap_dims(2, 3).matmul(queries);
    [of_queries, of_keys, of_values]
}

/// `[rows, heads, tokens, head_dim]` as `[rows, kv_heads, group · tokens, head_dim]`: the heads of a group share
/// keys and values, so they become more rows of one matrix product.
fn grouped<B: Backend>(queries: Tensor<B, 4>, keys: &Tensor<B, 4>) -> Tensor<B, 4> {
    let [rows, heads, tokens, head_dim] = queries.dims();
    let [_, kv_heads, _, _] = keys.dims();
    queries.reshape([rows, kv_heads, heads / kv_heads * tokens, head_dim])
}

/// `[rows, kv_heads, group · tokens, total]`, at least in float32.
fn scores<B: Backend>(queries: Tensor<B, 4>, keys: Tensor<B, 4>, rule: ScoreRule) -> Tensor<B, 4> {
    let scores = wide((queries * rule.scale).matmul(keys.swap_dims(2, 3)));
    match rule.softcap {
        Some(cap) => (scores / cap).tanh() * cap,
        None => scores,
    }
}

/// The scores of all tokens, with `−∞` for what is not visible.
fn without_invisible<B: Backend>(scores: Tensor<B, 4>, visibility: &Visibility) -> Tensor<B, 4> {
    let Some(mask) = visibility.mask(&scores.device()) else {
        return scores;
    };
    // As [masks, rows and heads of each mask, scores], where one addition covers a whole row.
    let shape = scores.dims();
    let [rows, kv_heads, ..] = shape;
    let [masks, _, row] = mask.dims();
    let flat = scores.reshape([masks, rows * kv_heads / masks, row]) + mask;
    flat.reshape(shape)
}
