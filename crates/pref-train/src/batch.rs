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

/// Log-probs of the response tokens of every row, `[rows, response tokens]`.
pub(crate) fn log_probs<B: Backend>(
    model: &Decoder<B>,
    batch: &Batch,
    device: &B::Device,
) -> Tensor<B, 2> {
    response_log_probs(model, token_tensor(batch, device), &batch.responses)
}

/// The response tokens of every row.
pub(crate) fn responses<B: Backend>(batch: &Batch, device: &B::Device) -> ResponseTokens<B> {
    ResponseTokens::new(token_tensor(batch, device), &batch.responses)
}

/// Which answers of some pairs are the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The chosen answers, then the rejected ones.
    Both,
    /// The chosen ones, or single answers.
    Chosen,
    /// The rejected ones, or those of other prompts.
    Rejected,
}

impl Rows {
    /// Of each pair, what stands in the rows, one after the other.
    fn of<'a, P, T>(
        self,
        pairs: &[&'a P],
        chosen: fn(&'a P) -> T,
        rejected: fn(&'a P) -> T,
    ) -> Vec<T> {
        let rows = |of: fn(&'a P) -> T| pairs.iter().map(move |pair| of(pair));
        match self {
            Rows::Both => rows(chosen).chain(rows(rejected)).collect(),
            Rows::Chosen => rows(chosen).collect(),
            Rows::Rejected => rows(rejected).collect(),
        }
    }
}

/// What models say of the response tokens, `[rows, response tokens]`.
pub(crate) struct Columns<B: Backend> {
    pub(crate) policy: Tensor<B, 2>,
    pub(crate) reference: Option<Tensor<B, 2>>,
    pub(crate) kl: Option<Tensor<B, 2>>,
}

impl<B: Backend> Columns<B> {
    /// Some rows as one side of an objective's batch.
    pub(crate) fn side(&self, batch: &Batch, range: Range<usize>) -> Side<B> {
        let [_, width] = self.policy.dims();
        let lengths: Vec<usize> = batch.responses[range.clone()]
            .iter()
            .map(Range::len)
            .collect();
        let rows = |tensor: &Tensor<B, 2>| tensor.clone().slice([range.clone(), 0..width]);
        let mut side = Side::from_lengths(rows(&self.policy), &lengths);
        side.reference = self.reference.as_ref().map(rows);
        side.kl = self.kl.as_ref().map(rows);
        side
    }

    /// The objective's batch of rows of both answers.
    pub(crate) fn pairs(&self, batch: &Batch) -> PairBatch<B> {
        let n = batch.rows / 2;
        PairBatch::new(self.side(batch, 0..n), self.side(batch, n..2 * n))
    }
}

/// Precomputed log-probs of some pairs, padded as the policy's are, `[rows, width]`.
pub(crate) fn padded<B: Backend>(
    pairs: &[&PairLogProbs],
    rows: Rows,
    width: usize,
    device: &B::Device,
) -> Tensor<B, 2> {
    let rows = rows.of(pairs, |p| &p.chosen, |p| &p.rejected);
    let padded = |row: &&Vec<f32>| {
        let padding = std::iter::repeat_n(0.0, width - row.len());
        row.iter().copied().chain(padding).collect::<Vec<f32>>()
    };
    let values: Vec<f32> = rows.iter().flat_map(padded).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
}

/// The padded batch of some pairs.
pub(crate) fn batch_of(pairs: &[TokenPair], indices: &[usize], rows: Rows, pad_id: u32) -> Batch {
    let pairs: Vec<&TokenPair> = indices.iter().map(|&i| &pairs[i]).collect();
    let rows = rows.of(
        &pairs,
        |pair| (&*pair.prompt, &*pair.chosen),
        |pair| (&*pair.prompt, &*pair.rejected),
    );
    Batch::from_rows(&rows, pad_id)
}
