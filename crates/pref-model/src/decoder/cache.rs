//! Keys and values of the tokens so far. In: the keys and values of new tokens. Out: the keys and values of
//! all tokens.

use burn::tensor::{Tensor, backend::Backend};

/// Keys and values of one layer, `[rows, kv_heads, tokens, head_dim]`.
#[derive(Clone, Debug)]
pub(super) struct KeysValues<B: Backend> {
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
}

/// Keys and values of every layer, and the number of their tokens.
#[derive(Clone, Debug)]
pub(crate) struct Cache<B: Backend> {
    pub(super) layers: Vec<Option<KeysValues<B>>>,
    pub(super) tokens: usize,
}

impl<B: Backend> Cache<B> {
    /// An empty cache of a decoder with this number of layers.
    pub(crate) fn new(n_layers: usize) -> Self {
        Self {
            layers: vec![None; n_layers],
            tokens: 0,
        }
    }
}

/// The keys and values of all tokens: first of the tokens in the cache, then of the new tokens. The cache, if
/// there is one, gets them all.
pub(super) fn extend<B: Backend>(
    cache: Option<&mut Option<KeysValues<B>>>,
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
) -> (Tensor<B, 4>, Tensor<B, 4>) {
    let Some(slot) = cache else {
        return (keys, values);
    };
    let (keys, values) = match slot.take() {
        Some(old) => (
            Tensor::cat(vec![old.keys, keys], 2),
            Tensor::cat(vec![old.values, values], 2),
        ),
        None => (keys, values),
    };
    *slot = Some(KeysValues {
        keys: keys.clone(),
        values: values.clone(),
    });
    (keys, values)
}
