//! Names of weight files, as `transformers` writes and reads them. In: the number of files. Out: their names.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The file of a model whose weights are in one file.
pub(super) const SINGLE: &str = "model.safetensors";

/// The index of a model whose weights are in several files.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The content of an index.
#[derive(Deserialize)]
pub(super) struct Index {
    /// The file name of each tensor.
    pub(super) weight_map: BTreeMap<String, String>,
}

/// Name of one of several files, with `number` counted from 1.
pub(super) fn shard(number: usize, of: usize) -> String {
    format!("model-{number:05}-of-{of:05}.safetensors")
}

/// Whether a name is one that [`SINGLE`], [`INDEX`] or [`shard`] gives.
pub(super) fn is_weights(name: &str) -> bool {
    let is_number = |text: &str| text.len() >= 5 && text.bytes().all(|b| b.is_ascii_digit());
    let shard = name
        .strip_prefix("model-")
        .and_then(|name| name.strip_suffix(".safetensors"))
        .and_then(|numbers| numbers.split_once("-of-"));
    let is_shard = shard.is_some_and(|(i, n)| is_number(i) && is_number(n));
    name == SINGLE || name == INDEX || is_shard
}
