//! Attention by blocks of queries. In: queries, keys and values, and the size of a block. Out: the values and the
//! gradients of [`causal_attention`](super::causal_attention).
//!
//! The scores of a block are `[rows, heads, block, keys]`, for the keys up to the last query of the block and within its
//! window. So there is never a matrix of all tokens against all tokens, and half of it is not computed.

use std::ops::Range;

use burn::tensor::{Tensor, backend::Backend};

use super::attention::{attend, attend_backward};
use super::{causal_attention, causal_attention_backward};
use crate::kernels::inputs::ScoreRule;
use crate::kernels::visibility::{Block, Visibility};

/// [`causal_attention`](super::causal_attention) by blocks of `size` queries.
pub fn causal_attention_in_blocks<B: Backend>(
    queries: Tensor<B, 4>,
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
    visibility: &Visibility,
    rule: ScoreRule,
    size: usize,
) -> Tensor<B, 4> {
    if visibility.tokens <= size {
        return causal_attention(queries, keys, values, visibility, rule);
    }
    let blocks = visibility.blocks::<B>(size, &queries.device());
    let of_block = |block: &Block<B>| {
        let inputs = [
            tokens(&queries, &block.queries),
            tokens(&keys, &block.keys),
            tokens(&values, &block.keys),
        ];
        attend(inputs, rule, |scores| hidden(scores, block))
    };
    Tensor::cat(blocks.iter().map(of_block).collect(), 2)
}

/// The gradients of queries, keys and values, from the gradient of the result. The scores are computed again.
pub fn causal_attention_in_blocks_backward<B: Backend>(
    inputs: [Tensor<B, 4>; 3],
    visibility: &Visibility,
    rule: ScoreRule,
    gradient: Tensor<B, 4>,
    size: usize,
) -> [Tensor<B, 4>; 3] {
    if visibility.tokens <= size {
        return causal_attention_backward(inputs, visibility, rule, gradient);
    }
    let [queries, keys, values] = inputs;
    let blocks = visibility.blocks::<B>(size, &queries.device());
    let mut of_queries = Vec::with_capacity(blocks.len());
    let (mut of_keys, mut of_values) = (keys.zeros_like(), values.zeros_like());
    for block in blocks.iter() {
        let inputs = [
            tokens(&queries, &block.queries),
            tokens(&keys, &block.keys),
            tokens(&values, &block.keys),
        ];
        let gradient = tokens(&gradient, &block.queries);
        let hide = |scores| hidden(scores, block);
        let [q, k, v] = attend_backward(inputs, rule, hide, gradient);
        of_queries.push(q);
        of_keys = plus(of_keys, k, &block.keys);
        of_values = plus(of_values, v, &block.keys);
    }
    [Tensor::cat(of_queries, 2), of_keys, of_values]
}

/// A range of the tokens of `[rows, heads, tokens, head_dim]`.
fn tokens<B: Backend>(x: &Tensor<B, 4>, range: &Range<usize>) -> Tensor<B, 4> {
    x.clone().narrow(2, range.start, range.len())
}

/// `sum` with `part` added to a range of its tokens.
fn plus<B: Backend>(sum: Tensor<B, 4>, part: Tensor<B, 4>, range: &Range<usize>) -> Tensor<B, 4> {
    let [rows, heads, _, head_dim] = sum.dims();
    let ranges = [0..rows, 0..heads, range.clone(), 0..head_dim];
    let added = tokens(&sum, range) + part;
    sum.slice_assign(ranges, added)
}

/// The scores `[rows, kv_heads, group · queries, keys]` of a block, with `−∞` for what is not visible.
fn hidden<B: Backend>(scores: Tensor<B, 4>, block: &Block<B>) -> Tensor<B, 4> {
    let shape = scores.dims();
    let [rows, kv_heads, all, n_keys] = shape;
    let n = block.queries.len();
    let by_head = scores.reshape([rows, kv_heads * all / n, n, n_keys]);
    (by_head + block.mask.clone()).reshape(shape)
}
