//! Log-probs under the reference. In: a model and pairs. Out: what the objective subtracts, from
//! the run's file, or from a copy of the model run beside the policy.

use std::io;
use std::ops::Range;

use burn::tensor::{Tensor, backend::Backend};
use pref_core::position_chunks;
use pref_data::{Batch, BatchLayout};
use pref_model::{Decoder, ResponseTokens, token_log_probs};
use sha2::{Digest, Sha256};

use crate::batch::{Padded, log_probs, padded, responses};
use crate::examples::Examples;
use crate::known::{Filling, KnownLogProbs};
use crate::run::{Fingerprint, hex};

/// Where the reference's log-probs come from, during training.
#[derive(Debug)]
pub(crate) enum Reference<B: Backend> {
    /// The objective has none.
    None,
    /// A frozen model, run on every batch.
    Model(Box<Decoder<B>>),
    /// Computed before.
    Known(KnownLogProbs),
}

/// Which set of pairs a batch is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    Train,
    Eval,
    /// Pairs with emptied traces, for objectives that mix them with the training pairs.
    Empty,
    EmptyEval,
}

impl Set {
    pub(crate) const ALL: [Set; 4] = [Set::Train, Set::Eval, Set::Empty, Set::EmptyEval];

    pub(crate) fn name(self) -> &'static str {
        ["train", "eval", "empty", "empty-eval"][self as usize]
    }

    /// What a message calls its rows.
    pub(crate) fn title(self) -> &'static str {
        [
            "the training rows",
            "the evaluation rows",
            "the rows with emptied traces",
            "the evaluation rows with emptied traces",
        ][self as usize]
    }
}

/// One of something for each set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sets<T>(pub(crate) [T; 4]);

impl<T> Sets<T> {
    pub(crate) fn of(&self, set: Set) -> &T {
        &self.0[set as usize]
    }
}

impl<B: Backend> Reference<B> {
    /// Log-probs of a batch, `[answers, width]`.
    pub(crate) fn log_probs(
        &self,
        set: Set,
        indices: &[usize],
        batch: &Padded,
        width: usize,
        device: &B::Device,
    ) -> Option<Tensor<B, 2>> {
        match self {
            Reference::None => None,
            Reference::Model(model) => Some(log_probs(model, &batch.batch, device)),
            Reference::Known(known) => {
                let side = |side: usize| indices.iter().map(move |&i| known.get(set, side, i));
                let rows: Vec<Vec<f32>> = batch.sides.clone().flat_map(side).collect();
                Some(padded(&rows, width, device))
            }
        }
    }
}

/// The reference's next-token distributions at the response tokens of a batch. Hidden states are
/// kept, logits made a range of positions at a time.
#[derive(Debug)]
pub(crate) struct Distributions<'a, B: Backend> {
    model: &'a Decoder<B>,
    tokens: ResponseTokens<B>,
    hidden: Tensor<B, 2>,
}

impl<B: Backend> Distributions<'_, B> {
    /// `[positions, vocab]`.
    pub(crate) fn logits(&self, positions: Range<usize>) -> Tensor<B, 2> {
        let [_, width] = self.hidden.dims();
        self.model
            .logits(self.hidden.clone().slice([positions, 0..width]))
    }

    /// Log-probs of the response tokens, `[rows, response tokens]`, made by chunks of positions.
    pub(crate) fn log_probs(&self, chunk: usize) -> Tensor<B, 2> {
        let targets = self.tokens.targets();
        let chunks = position_chunks(self.tokens.len(), chunk).map(|range| {
            let targets = targets.clone().slice([range.clone()]);
            token_log_probs(self.logits(range), targets)
        });
        self.tokens.to_rows(Tensor::cat(chunks.collect(), 0))
    }
}

impl<B: Backend> Reference<B> {
    /// Distributions at the response tokens of a batch; none unless the model is at hand.
    pub(crate) fn distributions(
        &self,
        batch: &Batch,
        device: &B::Device,
    ) -> Option<Distributions<'_, B>> {
        match self {
            Reference::None | Reference::Known(_) => None,
            Reference::Model(model) => {
                let tokens = responses(batch, device);
                let hidden = tokens.hidden(model);
                Some(Distributions {
                    model,
                    tokens,
                    hidden,
                })
            }
        }
    }
}

/// Computes the log-probs of the pairs that are not in the file yet, in batches of pairs of like
/// length. Says whether it came to the end: `goes_on` is told how many pairs were done, and may
/// stop it.
pub(crate) fn fill_log_probs<B: Backend>(
    file: &mut Filling,
    model: &Decoder<B>,
    sets: &Sets<Examples>,
    layout: BatchLayout,
    device: &B::Device,
    mut goes_on: impl FnMut(usize) -> bool,
) -> io::Result<bool> {
    while let Some((set, indices)) = file.next_batch() {
        let batch = sets.of(set).rows(&indices).all(layout).batch;
        let values = log_probs(model, &batch, device);
        let [_, width] = values.dims();
        let values: Vec<f32> = values.into_data().iter::<f32>().collect();
        let answers = batch.answers.iter().enumerate();
        let answers = answers.map(|(row, answer)| &values[row * width..][..answer.tokens.len()]);
        file.put(answers)?;
        if !goes_on(indices.len()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the cache is keyed by: the content of the model, and the token ids, in which tokenizer,
/// template and truncation are.
pub(crate) fn cache_key(weights: &Fingerprint, sets: &Sets<Examples>) -> String {
    let mut hash = Sha256::new();
    hash.update(b"pref reference log-probs 3");
    hash.update(weights.sha256.as_bytes());
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
