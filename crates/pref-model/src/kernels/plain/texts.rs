//! One step of texts that are continued together. In: queries, keys and values of one new token of each text. Out:
//! one vector for each text.

use burn::tensor::{Tensor, backend::Backend};

use super::attention::causal_attention;
use crate::kernels::inputs::ScoreRule;
use crate::kernels::texts::{KeyValues, Texts};
use crate::kernels::visibility::Visibility;

/// The plain body of [`Kernels::attention_of_texts`](crate::Kernels::attention_of_texts).
pub fn attention_of_texts<B: Backend>(
    [queries, keys, values]: [Tensor<B, 3>; 3],
    cache: &mut KeyValues<B>,
    texts: &Texts,
    window: Option<usize>,
    rule: ScoreRule,
) -> Tensor<B, 3> {
    let [_, heads, head_dim] = queries.dims();
    let [_, kv_heads, _] = keys.dims();
    for (row, text) in texts.rows().iter().enumerate() {
        let (block, place) = text.new_place();
        let block = &mut cache.blocks[block];
        let at = [0..kv_heads, place..place + 1, 0..head_dim];
        let new = |x: &Tensor<B, 3>| x.clone().narrow(0, row, 1).swap_dims(0, 1);
        block
            .keys
            .inplace(|x| x.slice_assign(at.clone(), new(&keys)));
        block.values.inplace(|x| x.slice_assign(at, new(&values)));
    }
    let attended = texts.rows().iter().enumerate().map(|(row, text)| {
        let prompt = std::iter::once((text.prompt, text.n_prompt));
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (block, n) in prompt.chain(text.answer_parts()) {
            let block = &cache.blocks[block];
            keys.push(block.keys.clone().narrow(1, 0, n));
            values.push(block.values.clone().narrow(1, 0, n));
        }
        let first = text.first_seen(window);
        let n = text.position() + 1 - first;
        let seen = |parts| Tensor::cat(parts, 1).narrow(1, first, n).unsqueeze::<4>();
        let query = queries.clone().narrow(0, row, 1);
        let query = query.reshape([1, heads, 1, head_dim]);
        let visibility = Visibility::causal(1, 1, n - 1, None, [heads, kv_heads]);
        let attended = causal_attention(query, seen(keys), seen(values), &visibility, rule);
        attended.reshape([1, heads, head_dim])
    });
    Tensor::cat(attended.collect(), 0)
}
