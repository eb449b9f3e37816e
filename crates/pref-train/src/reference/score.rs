//! Log-probs of all rows under the reference, before training. In: a model and the rows. Out: the file of
//! log-probs.

use std::io;

use burn::tensor::backend::Backend;
use pref_data::{AnswerPlace, BatchLayout};
use pref_model::Policy;
use sha2::{Digest, Sha256};

use super::cache::{CacheWriter, remaining_batches};
use crate::batch::log_probs;
use crate::digest::hex;
use crate::ranks::{Ranks, RanksError};
use crate::sets::{DataSet, Examples, PerSet};

/// Computes the log-probs of the rows after the first `n_done`, in batches of rows of similar length. Ranks divide
/// the batches among them, and rank 0 has the file.
///
/// After each batch, or after one batch of each rank, `continues` gets the number of rows, and returns whether to
/// continue. The result is whether all rows are done.
pub(crate) fn score_rows<B: Backend, P: Policy<B>>(
    mut file: Option<&mut CacheWriter>,
    n_done: usize,
    model: &P,
    rows: &RowsToScore<'_, B>,
    ranks: &dyn Ranks,
    mut continues: impl FnMut(usize) -> bool,
) -> Result<bool, ScoreError> {
    let batches = remaining_batches(rows.sets, rows.layout, n_done);
    for round in batches.chunks(ranks.size()) {
        let own = round.get(ranks.rank());
        let own = own.map(|(set, indices)| rows.log_probs(model, *set, indices));
        let is_stopped = !continues(round.iter().map(|(_, indices)| indices.len()).sum());
        let all = ranks.share((own, is_stopped))?;
        for ((set, indices), (answers, _)) in round.iter().zip(&all) {
            if let (Some(file), Some(answers)) = (&mut file, answers) {
                file.put(*set, indices, answers)?;
            }
        }
        if all.iter().any(|(_, is_stopped)| *is_stopped) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The rows that the reference scores.
pub(crate) struct RowsToScore<'a, B: Backend> {
    pub(crate) sets: &'a PerSet<Examples>,
    pub(crate) layout: BatchLayout,
    pub(crate) device: &'a B::Device,
}

impl<B: Backend> RowsToScore<'_, B> {
    /// The log-probs of the answers of a batch, the first answers of all rows first.
    fn log_probs<P: Policy<B>>(&self, model: &P, set: DataSet, indices: &[usize]) -> Vec<Vec<f32>> {
        let batch = self
            .sets
            .of(set)
            .rows(indices)
            .both_answers(self.layout)
            .batch;
        let values = log_probs(model, &batch, self.device);
        let [_, width] = values.dims();
        let values: Vec<f32> = values.into_data().iter::<f32>().collect();
        let answers = batch.answers.iter().enumerate();
        let answer = |(row, answer): (usize, &AnswerPlace)| {
            values[row * width..][..answer.tokens.len()].to_vec()
        };
        answers.map(answer).collect()
    }
}

/// Why the reference cannot score the rows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScoreError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] io::Error),
    /// The processes of the run cannot continue together.
    #[error(transparent)]
    Ranks(#[from] RanksError),
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
