//! The reference during training. In: a batch. Out: its log-probs from the file, or from a frozen model
//! that runs beside the policy, and the next-token distributions of such a model.

use std::ops::Range;

use burn::tensor::{Tensor, backend::Backend};
use pref_core::position_chunks;
use pref_data::Batch;
use pref_model::{Policy, ResponseTokens};

use super::cache::CachedLogProbs;
use crate::batch::{AnswerBatch, log_probs, padded_rows, responses};
use crate::sets::DataSet;

/// Where the reference log-probs come from during training.
#[derive(Debug)]
pub(crate) enum Reference<P> {
    /// The objective uses no reference.
    None,
    /// A frozen model computes them for every batch.
    Model(Box<P>),
    /// They were computed before training, and are read from a file.
    Cached(CachedLogProbs),
}

impl<P> Reference<P> {
    /// Log-probs of the rows `indices` of a data set, nats, `[answers, width]`. `batch` has their answers.
    /// `None` if the objective uses no reference.
    pub(crate) fn log_probs<B: Backend>(
        &self,
        set: DataSet,
        indices: &[usize],
        batch: &AnswerBatch,
        width: usize,
        device: &B::Device,
    ) -> Option<Tensor<B, 2>>
    where
        P: Policy<B>,
    {
        match self {
            Reference::None => None,
            Reference::Model(model) => Some(log_probs(&**model, &batch.batch, device)),
            Reference::Cached(cached) => {
                let side = |side: usize| indices.iter().map(move |&i| cached.get(set, side, i));
                let rows: Vec<Vec<f32>> = batch.sides.clone().flat_map(side).collect();
                Some(padded_rows(&rows, width, device))
            }
        }
    }

    /// The next-token distributions at the response tokens of a batch. `None` if the reference is not a
    /// model in memory.
    pub(crate) fn distributions<B: Backend>(
        &self,
        batch: &Batch,
        device: &B::Device,
    ) -> Option<Distributions<'_, B, P>>
    where
        P: Policy<B>,
    {
        match self {
            Reference::None | Reference::Cached(_) => None,
            Reference::Model(model) => {
                let tokens = responses(batch, device);
                let hidden = tokens.hidden(&**model);
                Some(Distributions {
                    model,
                    tokens,
                    hidden,
                })
            }
        }
    }
}

/// The next-token distributions of the reference at the response tokens of a batch. Hidden states are in
/// memory; logits are computed for a range of positions at a time.
#[derive(Debug)]
pub(crate) struct Distributions<'a, B: Backend, P> {
    model: &'a P,
    tokens: ResponseTokens<B>,
    hidden: Tensor<B, 2>,
}

impl<B: Backend, P: Policy<B>> Distributions<'_, B, P> {
    /// Logits of a range of positions, `[positions, vocab]`.
    pub(crate) fn logits(&self, positions: Range<usize>) -> Tensor<B, 2> {
        self.model.logits(self.hidden_of(positions))
    }

    /// Log-probs of the response tokens, nats, `[answers, response tokens]`, computed for `chunk`
    /// positions at a time.
    pub(crate) fn log_probs(&self, chunk: usize) -> Tensor<B, 2> {
        let targets = self.tokens.targets();
        let chunks = position_chunks(self.tokens.len(), chunk).map(|range| {
            let targets = targets.clone().slice([range.clone()]);
            self.model.log_probs(self.hidden_of(range), targets)
        });
        self.tokens.to_rows(Tensor::cat(chunks.collect(), 0))
    }

    fn hidden_of(&self, positions: Range<usize>) -> Tensor<B, 2> {
        let [_, width] = self.hidden.dims();
        self.hidden.clone().slice([positions, 0..width])
    }
}
