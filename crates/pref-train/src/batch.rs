//! From rows to log-probs. In: rows of token ids, and a policy. Out: padded batches, and the log-probs of
//! their response tokens in the form that an objective takes.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{PairBatch, Side, position_chunks};
use pref_data::{Batch, BatchLayout};
use pref_model::{Policy, Response, ResponseTokens};

use crate::sets::RowBatch;

/// The ids of a batch on a device, `[rows, tokens]`.
pub(crate) fn token_tensor<B: Backend>(batch: &Batch, device: &B::Device) -> Tensor<B, 2, Int> {
    let ids: Vec<i32> = batch.tokens.iter().map(|&id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch.rows, batch.width]), device)
}

/// The response tokens of a batch, one answer after the other.
pub(crate) fn responses<B: Backend>(batch: &Batch, device: &B::Device) -> ResponseTokens<B> {
    let answers = batch.answers.iter().map(|answer| Response {
        row: answer.row,
        tokens: answer.tokens.clone(),
        predictor: answer.predictor,
    });
    let answers: Vec<Response> = answers.collect();
    ResponseTokens::branched(
        token_tensor(batch, device),
        &answers,
        batch.branches.clone(),
    )
}

/// Log-probs of the response tokens, nats, `[answers, response tokens]`.
pub(crate) fn log_probs<B: Backend>(
    model: &impl Policy<B>,
    batch: &Batch,
    device: &B::Device,
) -> Tensor<B, 2> {
    responses(batch, device).log_probs(model)
}

/// Values of the response tokens of a batch, each `[answers, response tokens]`.
pub(crate) struct TokenValues<B: Backend> {
    /// Log-probs under the policy, nats.
    pub(crate) policy: Tensor<B, 2>,
    /// Log-probs under the reference, nats.
    pub(crate) reference: Option<Tensor<B, 2>>,
    /// `KL(reference ‖ policy)` of the next-token distributions, nats.
    pub(crate) kl: Option<Tensor<B, 2>>,
    /// 1 for a token that the policy gives the largest probability, else 0.
    pub(crate) is_top: Option<Tensor<B, 2>>,
}

/// Number of positions whose logits [`top_tokens`] computes at the same time, if the plan sets no limit.
const TOP_CHUNK: usize = 256;

/// 1 for each response token that the policy gives the largest probability, else 0, `[answers, response
/// tokens]`. `hidden` are the hidden states of the tokens that predict them. The logits are computed a second
/// time, because [`Policy::log_probs`] does not return them, for `chunk` positions at a time.
pub(crate) fn top_tokens<B: Backend>(
    policy: &impl Policy<B>,
    tokens: &ResponseTokens<B>,
    hidden: &Tensor<B, 2>,
    chunk: usize,
) -> Tensor<B, 2> {
    let chunk = match chunk {
        0 => TOP_CHUNK,
        chunk => chunk,
    };
    let [n, width] = hidden.dims();
    let targets = tokens.targets();
    let is_top = position_chunks(n, chunk).map(|range| {
        let positions = range.len();
        let logits = policy.logits(hidden.clone().slice([range.clone(), 0..width]));
        let best: Tensor<B, 1, Int> = logits.argmax(1).reshape([positions]);
        best.equal(targets.clone().slice([range])).float()
    });
    tokens.to_rows(Tensor::cat(is_top.collect(), 0))
}

impl<B: Backend> TokenValues<B> {
    /// A range of answers as one side of an objective's batch.
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

/// Rows of values, nats, padded with 0 to `[rows.len(), width]`. No row is longer than `width`.
pub(crate) fn padded_rows<B: Backend>(
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

/// A padded batch of one or both answers of each row.
pub(crate) struct AnswerBatch {
    /// The padded ids.
    pub(crate) batch: Batch,
    /// The answers of each row that the batch has: `0..2` for both, `0..1` for the first, `1..2` for the
    /// second. If it has both, the first answers of all rows precede the second ones.
    pub(crate) sides: Range<usize>,
}

impl RowBatch {
    /// The answers that the loss is computed from: both of each pair, or single answers.
    pub(crate) fn answers_of_loss(&self, layout: BatchLayout) -> AnswerBatch {
        match self {
            RowBatch::Pairs(_) => self.both_answers(layout),
            RowBatch::Single(_) | RowBatch::Wanted(_) => self.one_answer(layout, 0),
        }
    }

    /// The mismatched answers, which are the second answers of rows of single answers.
    pub(crate) fn mismatched(&self, layout: BatchLayout) -> AnswerBatch {
        self.one_answer(layout, 1)
    }

    /// Both answers of each row.
    pub(crate) fn both_answers(&self, layout: BatchLayout) -> AnswerBatch {
        AnswerBatch {
            batch: layout.of_both_answers(&self.ids()),
            sides: 0..2,
        }
    }

    fn one_answer(&self, layout: BatchLayout, side: usize) -> AnswerBatch {
        let ids = self.ids();
        let ids: Vec<[&[u32]; 2]> = ids.iter().map(|row| [row[0], row[1 + side]]).collect();
        AnswerBatch {
            batch: layout.of_one_answer(&ids),
            sides: side..side + 1,
        }
    }
}
