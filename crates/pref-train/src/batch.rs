//! From a padded batch of token ids to what an objective takes.
//! In: [`Batch`] and a policy. Out: log-probs and masks of both sides.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{PairBatch, Side};
use pref_data::{Batch, TokenPair};
use pref_model::{Decoder, ResponseTokens, response_log_probs};

/// Log-probs of both answers of one pair under the reference, nats, one a response token.
#[derive(Clone, Debug, PartialEq)]
pub struct PairLogProbs {
    /// Of the chosen answer.
    pub chosen: Vec<f32>,
    /// Of the rejected answer.
    pub rejected: Vec<f32>,
}

/// `[rows, tokens]` on a device.
pub(crate) fn token_tensor<B: Backend>(batch: &Batch, device: &B::Device) -> Tensor<B, 2, Int> {
    let ids: Vec<i32> = batch.tokens.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.rows, batch.width]), device)
}

/// Log-probs of the response tokens of every row, chosen rows first, `[rows, response tokens]`.
pub(crate) fn log_probs<B: Backend>(
    model: &Decoder<B>,
    batch: &Batch,
    device: &B::Device,
) -> Tensor<B, 2> {
    response_log_probs(model, token_tensor(batch, device), &batch.responses)
}

/// The response tokens of every row, chosen rows first.
pub(crate) fn responses<B: Backend>(batch: &Batch, device: &B::Device) -> ResponseTokens<B> {
    ResponseTokens::new(token_tensor(batch, device), &batch.responses)
}

/// What a model says of the response tokens, `[rows, response tokens]`, chosen rows first.
pub(crate) struct Columns<B: Backend> {
    pub(crate) policy: Tensor<B, 2>,
    pub(crate) reference: Option<Tensor<B, 2>>,
    pub(crate) kl: Option<Tensor<B, 2>>,
}

/// The objective's batch.
pub(crate) fn pair_batch<B: Backend>(columns: &Columns<B>, batch: &Batch) -> PairBatch<B> {
    let [rows, width] = columns.policy.dims();
    let pairs = rows / 2;
    let lengths: Vec<usize> = batch.responses.iter().map(Range::len).collect();
    let side = |range: Range<usize>| {
        let rows = |tensor: &Tensor<B, 2>| tensor.clone().slice([range.clone(), 0..width]);
        let mut side = Side::from_lengths(rows(&columns.policy), &lengths[range.clone()]);
        side.reference = columns.reference.as_ref().map(rows);
        side.kl = columns.kl.as_ref().map(rows);
        side
    };
    PairBatch::new(side(0..pairs), side(pairs..rows))
}

/// Precomputed log-probs of some pairs, padded as the policy's are, `[rows, width]`.
pub(crate) fn padded<B: Backend>(
    pairs: &[&PairLogProbs],
    width: usize,
    device: &B::Device,
) -> Tensor<B, 2> {
    let rows = pairs
        .iter()
        .map(|p| &p.chosen)
        .chain(pairs.iter().map(|p| &p.rejected));
    let values: Vec<f32> = rows
        .flat_map(|row| {
            let padding = std::iter::repeat_n(0.0, width - row.len());
            row.iter().copied().chain(padding)
        })
        .collect();
    Tensor::from_data(TensorData::new(values, [pairs.len() * 2, width]), device)
}

/// The padded batch of some pairs.
pub(crate) fn batch_of(pairs: &[TokenPair], indices: &[usize], pad_id: u32) -> Batch {
    let chosen: Vec<&TokenPair> = indices.iter().map(|&i| &pairs[i]).collect();
    Batch::from_pairs(&chosen, pad_id)
}
