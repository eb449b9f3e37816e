//! From a padded batch of token ids to what an objective takes.
//! In: [`Batch`] and a policy. Out: log-probs and masks of both sides.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{PairBatch, Side};
use pref_data::{Batch, TokenPair};
use pref_model::{Decoder, response_log_probs};

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

/// The objective's batch: the policy's log-probs, and the reference's if there are any.
pub(crate) fn pair_batch<B: Backend>(
    policy: Tensor<B, 2>,
    reference: Option<Tensor<B, 2>>,
    batch: &Batch,
    device: &B::Device,
) -> PairBatch<B> {
    let [rows, width] = policy.dims();
    let pairs = rows / 2;
    let mask: Vec<f32> = batch
        .responses
        .iter()
        .flat_map(|response| {
            let n = response.len();
            (0..width).map(move |t| if t < n { 1.0 } else { 0.0 })
        })
        .collect();
    let mask = Tensor::<B, 2>::from_data(TensorData::new(mask, [rows, width]), device);
    let side = |range: std::ops::Range<usize>| {
        let rows = |tensor: &Tensor<B, 2>| tensor.clone().slice([range.clone(), 0..width]);
        let side = Side::new(rows(&policy), rows(&mask));
        match &reference {
            Some(reference) => side.with_reference(rows(reference)),
            None => side,
        }
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
