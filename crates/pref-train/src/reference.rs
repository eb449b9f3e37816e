//! Log-probs under the reference. In: a model and pairs. Out: what the objective subtracts, from
//! memory, from the run's cache, or from a copy of the model run beside the policy.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;

use burn::tensor::{Tensor, backend::Backend};
use pref_core::position_chunks;
use pref_data::{Answers, Batch, BatchLayout, TokenPair};
use pref_model::{Decoder, ResponseTokens, token_log_probs};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};

use crate::batch::{PairLogProbs, batch_of, log_probs, padded, responses};
use crate::durable::write_file;
use crate::error::TrainError;

/// Where the reference's log-probs come from, during training.
#[derive(Debug)]
pub(crate) enum Reference<B: Backend> {
    /// The objective has none.
    None,
    /// A frozen model, run on every batch.
    Model(Box<Decoder<B>>),
    /// Computed before: one entry a pair of each set.
    Known(Sets<Vec<PairLogProbs>>),
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
    const ALL: [Set; 4] = [Set::Train, Set::Eval, Set::Empty, Set::EmptyEval];

    fn name(self) -> &'static str {
        ["train", "eval", "empty", "empty-eval"][self as usize]
    }
}

/// One of something for each set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sets<T>(pub(crate) [T; 4]);

impl<T> Sets<T> {
    pub(crate) fn of(&self, set: Set) -> &T {
        &self.0[set as usize]
    }

    pub(crate) fn map<'a, U>(&'a self, f: impl FnMut(&'a T) -> U) -> Sets<U> {
        Sets(self.0.each_ref().map(f))
    }
}

impl<B: Backend> Reference<B> {
    /// Log-probs of a batch, `[answers, width]`.
    pub(crate) fn log_probs(
        &self,
        set: Set,
        indices: &[usize],
        answers: Answers,
        batch: &Batch,
        width: usize,
        device: &B::Device,
    ) -> Option<Tensor<B, 2>> {
        match self {
            Reference::None => None,
            Reference::Model(model) => Some(log_probs(model, batch, device)),
            Reference::Known(sets) => {
                let all = sets.of(set);
                let pairs: Vec<&PairLogProbs> = indices.iter().map(|&i| &all[i]).collect();
                Some(padded(&pairs, answers, width, device))
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

/// Log-probs of every pair, computed in batches of pairs of like length.
pub fn compute_log_probs<B: Backend>(
    model: &Decoder<B>,
    pairs: &[TokenPair],
    layout: BatchLayout,
    device: &B::Device,
    mut progress: impl FnMut(usize),
) -> Vec<PairLogProbs> {
    let nothing = PairLogProbs {
        chosen: Vec::new(),
        rejected: Vec::new(),
    };
    let mut all = vec![nothing; pairs.len()];
    for indices in layout.length_sorted(pairs) {
        let batch = batch_of(layout, pairs, &indices, Answers::Both);
        let values = log_probs(model, &batch, device);
        let [_, width] = values.dims();
        let values: Vec<f32> = values.into_data().iter::<f32>().collect();
        let row = |r: usize| values[r * width..][..batch.answers[r].tokens.len()].to_vec();
        for (k, &index) in indices.iter().enumerate() {
            all[index] = PairLogProbs {
                chosen: row(k),
                rejected: row(indices.len() + k),
            };
        }
        progress(indices.len());
    }
    all
}

/// What the cache is keyed by: the bytes of the model, and the token ids, in which tokenizer,
/// template and truncation are.
pub(crate) fn cache_key(model: &Path, sets: &Sets<&[TokenPair]>) -> Result<String, TrainError> {
    let mut hash = Sha256::new();
    hash.update(b"pref reference log-probs 2");
    let mut files: Vec<_> = fs::read_dir(model)
        .map_err(TrainError::file(model))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            name == "config.json" || path.extension().is_some_and(|e| e == "safetensors")
        })
        .collect();
    files.sort();
    for path in files {
        let mut file = fs::File::open(&path).map_err(TrainError::file(&path))?;
        io::copy(&mut file, &mut hash).map_err(TrainError::file(&path))?;
    }
    for pairs in sets.0 {
        hash.update((pairs.len() as u64).to_le_bytes());
        for pair in pairs {
            for ids in [&pair.prompt, &pair.chosen, &pair.rejected] {
                hash.update((ids.len() as u64).to_le_bytes());
                for id in ids {
                    hash.update(id.to_le_bytes());
                }
            }
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// Log-probs kept in the run's folder under that key, if they are there and whole.
pub(crate) fn read_cache(
    path: &Path,
    key: &str,
    sets: &Sets<&[TokenPair]>,
) -> Option<Sets<Vec<PairLogProbs>>> {
    let bytes = fs::read(path).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    if header.metadata().as_ref()?.get("key")? != key {
        return None;
    }
    let file = SafeTensors::deserialize(&bytes).ok()?;
    let column = |name: &str| -> Option<Vec<f32>> {
        let view = file.tensor(name).ok()?;
        let words = view.data().chunks_exact(4);
        Some(
            words
                .map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]))
                .collect(),
        )
    };
    let set = |set: Set| -> Option<Vec<PairLogProbs>> {
        let (name, pairs) = (set.name(), sets.of(set));
        let chosen = column(&format!("{name}.chosen"))?;
        let rejected = column(&format!("{name}.rejected"))?;
        let (mut w, mut l) = (chosen.as_slice(), rejected.as_slice());
        let pairs = pairs.iter().map(|pair| {
            Some(PairLogProbs {
                chosen: take(&mut w, pair.chosen.len())?,
                rejected: take(&mut l, pair.rejected.len())?,
            })
        });
        pairs.collect()
    };
    let [train, eval, empty, empty_eval] = Set::ALL.map(set);
    Some(Sets([train?, eval?, empty?, empty_eval?]))
}

fn take(rest: &mut &[f32], n: usize) -> Option<Vec<f32>> {
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head.to_vec())
}

/// Keeps log-probs in the run's folder.
pub(crate) fn write_cache(
    path: &Path,
    key: &str,
    sets: &Sets<Vec<PairLogProbs>>,
) -> Result<(), TrainError> {
    let bytes = |of: fn(&PairLogProbs) -> &Vec<f32>, pairs: &[PairLogProbs]| -> Vec<u8> {
        let values = pairs.iter().flat_map(of);
        values.flat_map(|v| v.to_le_bytes()).collect()
    };
    let columns: Vec<(String, Vec<u8>)> = Set::ALL
        .into_iter()
        .flat_map(|set| {
            let (name, pairs) = (set.name(), sets.of(set));
            [
                (format!("{name}.chosen"), bytes(|p| &p.chosen, pairs)),
                (format!("{name}.rejected"), bytes(|p| &p.rejected, pairs)),
            ]
        })
        .collect();
    let views: Result<Vec<_>, _> = columns
        .iter()
        .map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
            view.map(|view| (name.as_str(), view))
        })
        .collect();
    let metadata = HashMap::from([("key".to_owned(), key.to_owned())]);
    let file = safetensors::serialize(
        views.expect("each view spans its own bytes"),
        Some(metadata),
    );
    let file = file.map_err(|e| TrainError::file(path)(io::Error::other(e)))?;
    write_file(path, &file).map_err(TrainError::file(path))
}
