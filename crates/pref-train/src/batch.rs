//! From rows to log-probs. In: rows of token ids, and a policy. Out: padded batches, and the log-probs of
//! their response tokens in the form that an objective takes.

use std::ops::Range;

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor, TensorData};
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
    /// What is measured of the next-token distributions of the policy.
    pub(crate) of_head: HeadValues<B>,
}

/// What the metrics need of the next-token distributions of the policy, besides log-probs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadMetrics {
    /// Whether a token has the largest probability.
    pub(crate) is_top: bool,
    /// The entropy.
    pub(crate) entropy: bool,
}

impl HeadMetrics {
    /// Whether nothing is needed.
    pub(crate) fn is_empty(self) -> bool {
        !self.is_top && !self.entropy
    }
}

/// Values of the next-token distributions at the response tokens, each `[answers, response tokens]`, without
/// gradients.
#[derive(Clone, Debug)]
pub(crate) struct HeadValues<B: Backend> {
    /// 1 for a token that the policy gives the largest probability, else 0.
    pub(crate) is_top: Option<Tensor<B, 2>>,
    /// The entropy of the distribution that the token is drawn from, nats.
    pub(crate) entropy: Option<Tensor<B, 2>>,
}

impl<B: Backend> HeadValues<B> {
    /// Nothing is measured.
    pub(crate) fn none() -> Self {
        Self {
            is_top: None,
            entropy: None,
        }
    }
}

impl<A: AutodiffBackend> HeadValues<A> {
    /// Values of the backend without gradients.
    pub(crate) fn from_inner(inner: HeadValues<A::InnerBackend>) -> Self {
        Self {
            is_top: inner.is_top.map(Tensor::from_inner),
            entropy: inner.entropy.map(Tensor::from_inner),
        }
    }
}

/// Number of positions whose logits [`head_values`] computes at the same time, if the plan sets no limit.
const HEAD_CHUNK: usize = 256;

/// The values that `wanted` names. `hidden` are the hidden states of the tokens that predict the response tokens.
/// The logits are computed a second time, because [`Policy::log_probs`] does not return them, for `chunk`
/// positions at a time.
pub(crate) fn head_values<B: Backend>(
    policy: &impl Policy<B>,
    tokens: &ResponseTokens<B>,
    hidden: &Tensor<B, 2>,
    chunk: usize,
    wanted: HeadMetrics,
) -> HeadValues<B> {
    if wanted.is_empty() {
        return HeadValues::none();
    }
    let chunk = match chunk {
        0 => HEAD_CHUNK,
        chunk => chunk,
    };
    let [n, width] = hidden.dims();
    let targets = tokens.targets();
    let (mut is_top, mut entropies) = (Vec::new(), Vec::new());
    for range in position_chunks(n, chunk) {
        let positions = range.len();
        let logits = policy.logits(hidden.clone().slice([range.clone(), 0..width]));
        if wanted.is_top {
            let best: Tensor<B, 1, Int> = logits.clone().argmax(1).reshape([positions]);
            is_top.push(best.equal(targets.clone().slice([range])).float());
        }
        if wanted.entropy {
            entropies.push(entropy(logits));
        }
    }
    let rows = |parts: Vec<Tensor<B, 1>>| {
        let is_measured = !parts.is_empty();
        is_measured.then(|| tokens.to_rows(Tensor::cat(parts, 0)))
    };
    HeadValues {
        is_top: rows(is_top),
        entropy: rows(entropies),
    }
}

/// `−Σ p log p` of the softmax of each row, nats: `[n, vocab]` to `[n]`.
fn entropy<B: Backend>(logits: Tensor<B, 2>) -> Tensor<B, 1> {
    let [n, _] = logits.dims();
    let largest = logits.clone().max_dim(1);
    let shifted = logits - largest;
    let exponentials = shifted.clone().exp();
    let sums = exponentials.clone().sum_dim(1);
    // log Σ e^x − Σ x e^x / Σ e^x
    let means = (shifted * exponentials).sum_dim(1) / sums.clone();
    (sums.log() - means).reshape([n])
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

    /// The sum of the entropies over the tokens of a mask, nats, and the number of these tokens, `[2]`. `mask` is
    /// `[answers, response tokens]`. `None` if the entropies are not measured.
    pub(crate) fn entropy(&self, mask: &Tensor<B, 2>) -> Option<Tensor<B, 1>> {
        let entropies = self.of_head.entropy.clone()?;
        let sum = (entropies * mask.clone()).sum();
        Some(Tensor::cat(vec![sum, mask.clone().sum()], 0))
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
