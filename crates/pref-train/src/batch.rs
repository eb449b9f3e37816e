//! From a padded batch of token ids to what an objective takes.
//! In: [`Batch`] and a policy. Out: log-probs and masks of both sides.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{PairBatch, Side};
use pref_data::{Batch, BatchLayout};
use pref_model::{Decoder, Response, ResponseTokens};

use crate::examples::Rows;

/// `[rows, tokens]` on a device.
pub(crate) fn token_tensor<B: Backend>(batch: &Batch, device: &B::Device) -> Tensor<B, 2, Int> {
    let ids: Vec<i32> = batch.tokens.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.rows, batch.width]), device)
}

/// The response tokens of a batch, answer by answer.
pub(crate) fn responses<B: Backend>(batch: &Batch, device: &B::Device) -> ResponseTokens<B> {
    let answers = batch.answers.iter().map(|answer| Response {
        row: answer.row,
        tokens: answer.tokens.clone(),
        after: answer.after,
    });
    let answers: Vec<Response> = answers.collect();
    ResponseTokens::branched(
        token_tensor(batch, device),
        &answers,
        batch.branches.clone(),
    )
}

/// Log-probs of the response tokens, `[answers, response tokens]`.
pub(crate) fn log_probs<B: Backend>(
    model: &Decoder<B>,
    batch: &Batch,
    device: &B::Device,
) -> Tensor<B, 2> {
    responses(batch, device).log_probs(model)
}

/// What models say of the response tokens, `[answers, response tokens]`.
pub(crate) struct Columns<B: Backend> {
    pub(crate) policy: Tensor<B, 2>,
    pub(crate) reference: Option<Tensor<B, 2>>,
    pub(crate) kl: Option<Tensor<B, 2>>,
}

impl<B: Backend> Columns<B> {
    /// Some answers as one side of an objective's batch.
    pub(crate) fn side(&self, batch: &Batch, range: Range<usize>) -> Side<B> {
        let [_, width] = self.policy.dims();
        let answers = &batch.answers[range.clone()];
        let lengths: Vec<usize> = answers.iter().map(|answer| answer.tokens.len()).collect();
        let rows = |tensor: &Tensor<B, 2>| tensor.clone().slice([range.clone(), 0..width]);
        let mut side = Side::from_lengths(rows(&self.policy), &lengths);
        side.reference = self.reference.as_ref().map(rows);
        side.kl = self.kl.as_ref().map(rows);
        side
    }

    /// The objective's batch of both answers of each pair.
    pub(crate) fn pairs(&self, batch: &Batch) -> PairBatch<B> {
        let n = batch.answers.len() / 2;
        PairBatch::new(self.side(batch, 0..n), self.side(batch, n..2 * n))
    }
}

/// Log-probs of some answers, padded as the policy's are, `[answers, width]`.
pub(crate) fn padded<B: Backend>(
    rows: &[Vec<f32>],
    width: usize,
    device: &B::Device,
) -> Tensor<B, 2> {
    let padded = |row: &Vec<f32>| {
        let padding = std::iter::repeat_n(0.0, width - row.len());
        row.iter().copied().chain(padding).collect::<Vec<f32>>()
    };
    let values: Vec<f32> = rows.iter().flat_map(padded).collect();
    Tensor::from_data(TensorData::new(values, [rows.len(), width]), device)
}

/// A padded batch of some rows, and which of their two answers it holds.
pub(crate) struct Padded {
    pub(crate) batch: Batch,
    /// 0 and 1: those of the first come first.
    pub(crate) sides: Range<usize>,
}

impl Rows {
    /// The answers that a loss is taken of: both of each pair, or the single ones.
    pub(crate) fn learned(&self, layout: BatchLayout) -> Padded {
        match self {
            Rows::Pairs(_) => self.all(layout),
            Rows::Single(_) => self.one(layout, 0),
        }
    }

    /// Of single answers, the mismatched ones: the second of each row.
    pub(crate) fn mismatched(&self, layout: BatchLayout) -> Padded {
        self.one(layout, 1)
    }

    /// Both answers of each row.
    pub(crate) fn all(&self, layout: BatchLayout) -> Padded {
        Padded {
            batch: layout.of_two(&self.ids()),
            sides: 0..2,
        }
    }

    fn one(&self, layout: BatchLayout, side: usize) -> Padded {
        let ids = self.ids();
        let ids: Vec<[&[u32]; 2]> = ids.iter().map(|row| [row[0], row[1 + side]]).collect();
        Padded {
            batch: layout.of_one(&ids),
            sides: side..side + 1,
        }
    }
}
