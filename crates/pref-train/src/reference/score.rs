//! Log-probs of all rows under the reference, before training. In: a model and the rows. Out: the file of
//! log-probs.

use std::io;

use burn::tensor::backend::Backend;
use pref_data::BatchLayout;
use pref_model::Policy;
use sha2::{Digest, Sha256};

use super::cache::CacheWriter;
use crate::batch::log_probs;
use crate::digest::hex;
use crate::sets::{Examples, PerSet};

/// Computes the log-probs of the rows that are not in the file yet, in batches of rows of similar length.
/// After each batch, `continues` gets the number of its rows, and returns whether to continue. The result
/// is whether all rows are done.
pub(crate) fn score_rows<B: Backend, P: Policy<B>>(
    file: &mut CacheWriter,
    model: &P,
    sets: &PerSet<Examples>,
    layout: BatchLayout,
    device: &B::Device,
    mut continues: impl FnMut(usize) -> bool,
) -> io::Result<bool> {
    while let Some((set, indices)) = file.next_batch() {
        let batch = sets.of(set).rows(&indices).both_answers(layout).batch;
        let values = log_probs(model, &batch, device);
        let [_, width] = values.dims();
        let values: Vec<f32> = values.into_data().iter::<f32>().collect();
        let answers = batch.answers.iter().enumerate();
        let answers = answers.map(|(row, answer)| &values[row * width..][..answer.tokens.len()]);
        file.put(answers)?;
        if !continues(indices.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The hash of everything that reference log-probs depend on: the weights, and the token ids, which depend
/// on tokenizer, template and truncation.
pub(crate) fn cache_key(weights_sha256: &str, sets: &PerSet<Examples>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"pref reference log-probs 3");
    hash.update(weights_sha256.as_bytes());
    for examples in &sets.0 {
        hash.update((examples.len() as u64).to_le_bytes());
        for index in 0..examples.len() {
            for ids in examples.rows(&[index]).ids().concat() {
                hash.update((ids.len() as u64).to_le_bytes());
                for id in ids {
                    hash.update(id.to_le_bytes());
                }
            }
        }
    }
    hex(hash)
}
