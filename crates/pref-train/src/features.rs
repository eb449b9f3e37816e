//! What objectives look at besides log-probs: varied tokens, importance, weights, parts, scored
//! segments. In: token pairs and what the rows say of them. Out: an objective's batch with all of
//! it.

use std::collections::BTreeSet;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{Needs, PairBatch, Segments, Side};
use pref_data::{DiffOptions, TokenDiff, TokenExample, TokenFeatures, TokenPair, token_diffs};

use crate::error::TrainError;

/// Pairs, with the features that an objective needs. Every pair is known to have them.
#[derive(Debug)]
pub(crate) struct Examples {
    pub(crate) pairs: Vec<TokenPair>,
    /// For single answers: whether each is wanted. They stand as the chosen ones of pairs, whose
    /// rejected answers belong to other prompts.
    desirable: Vec<bool>,
    needs: Needs,
    varied: Vec<TokenDiff>,
    segments: Vec<(Segments, Segments)>,
    part_labels: Vec<String>,
}

/// The sides of a pair as rows name them.
const SIDES: [&str; 2] = ["chosen", "rejected"];

impl Examples {
    /// Pairs with what `needs` asks for.
    ///
    /// # Errors
    /// [`TrainError::Lacks`] names the first pair without it, and what makes it.
    pub(crate) fn new(
        pairs: Vec<TokenPair>,
        needs: Needs,
        diff: &DiffOptions,
    ) -> Result<Self, TrainError> {
        let varied = match needs.varied {
            true => token_diffs(&pairs, diff),
            false => Vec::new(),
        };
        let mut examples = Self {
            needs,
            desirable: Vec::new(),
            varied,
            segments: Vec::new(),
            part_labels: Vec::new(),
            pairs,
        };
        let mut labels = BTreeSet::new();
        for pair in &examples.pairs {
            check(pair, needs)?;
            let features = pair.features.iter().flatten();
            labels.extend(features.flat_map(|f| f.parts.iter().flatten().cloned()));
            if needs.segments {
                let [w, l] = [0, 1].map(|side| segments(pair, side));
                examples.segments.push((w?, l?));
            }
        }
        examples.part_labels = labels.into_iter().collect();
        Ok(examples)
    }

    /// Single answers. Each is given the answer of another prompt besides, from which the KL to
    /// the reference is estimated: that of the nearest example before it whose prompt is another,
    /// the file being a circle, cut to what is left of `max_length`.
    ///
    /// # Errors
    /// [`TrainError::OnePrompt`] where all have the same prompt.
    pub(crate) fn single(
        examples: Vec<TokenExample>,
        needs: Needs,
        max_length: usize,
    ) -> Result<Self, TrainError> {
        let others = others(&examples).ok_or(TrainError::OnePrompt)?;
        let pair = |(example, &other): (&TokenExample, &usize)| {
            let mut rejected = examples[other].completion.clone();
            rejected.truncate(max_length.saturating_sub(example.prompt.len()).max(1));
            TokenPair {
                prompt: example.prompt.clone(),
                chosen: example.completion.clone(),
                rejected,
                line: example.line,
                ..TokenPair::default()
            }
        };
        Ok(Self {
            pairs: examples.iter().zip(&others).map(pair).collect(),
            desirable: examples.iter().map(|example| example.desirable).collect(),
            needs,
            varied: Vec::new(),
            segments: Vec::new(),
            part_labels: Vec::new(),
        })
    }

    /// 1 where a single answer is wanted, else 0, `[examples]`.
    pub(crate) fn desirable<B: Backend>(
        &self,
        indices: &[usize],
        device: &B::Device,
    ) -> Tensor<B, 1> {
        let wanted = |&i: &usize| f32::from(u8::from(self.desirable[i]));
        let wanted: Vec<f32> = indices.iter().map(wanted).collect();
        Tensor::from_data(TensorData::new(wanted, [indices.len()]), device)
    }

    /// Gives a batch of these pairs what the objective needs.
    pub(crate) fn attach<B: Backend>(&self, indices: &[usize], batch: &mut PairBatch<B>) {
        if self.needs.segments {
            batch.segments = indices.iter().map(|&i| self.segments[i].clone()).collect();
        }
        if self.needs.parts {
            batch.part_labels.clone_from(&self.part_labels);
        }
        self.attach_side(indices, 0, &mut batch.chosen);
        self.attach_side(indices, 1, &mut batch.rejected);
    }

    fn attach_side<B: Backend>(&self, indices: &[usize], index: usize, side: &mut Side<B>) {
        let [rows, width] = side.mask.dims();
        let device = side.mask.device();
        let padded = |row: &dyn Fn(usize) -> Vec<f32>| -> Tensor<B, 2> {
            let mut values = vec![0.0; rows * width];
            for (line, &i) in values.chunks_mut(width).zip(indices) {
                for (cell, value) in line.iter_mut().zip(row(i)) {
                    *cell = value;
                }
            }
            Tensor::from_data(TensorData::new(values, [rows, width]), &device)
        };
        let numbers = |values: &Option<Vec<f64>>| -> Vec<f32> {
            let values = values.iter().flatten();
            values.map(|&v| v as f32).collect()
        };
        let features = |i: usize| self.pairs[i].features[index].as_deref();
        if self.needs.varied {
            side.varied = Some(padded(&|i| {
                let diff = &self.varied[i];
                let mask = [&diff.chosen, &diff.rejected][index];
                mask.iter().map(|&v| f32::from(u8::from(v))).collect()
            }));
        }
        if self.needs.weights {
            side.given = Some(padded(&|i| {
                features(i).map_or(Vec::new(), |f| numbers(&f.weights))
            }));
        }
        if self.needs.importance && index == 1 {
            side.importance = Some(padded(&|i| {
                features(i).map_or(Vec::new(), |f| numbers(&f.importance))
            }));
        }
        if self.needs.parts {
            let label = |part: &String| self.part_labels.partition_point(|l| l < part) as f32;
            let ids = padded(&|i| {
                let parts = features(i).and_then(|f| f.parts.as_ref());
                parts.into_iter().flatten().map(label).collect()
            });
            let ids: Tensor<B, 2, Int> = ids.int();
            side.parts = Some(ids);
        }
    }
}

/// For each example the nearest one before it, around the circle, that has another prompt.
fn others(examples: &[TokenExample]) -> Option<Vec<usize>> {
    let n = examples.len();
    if n == 0 {
        return Some(Vec::new());
    }
    let before = |i: usize| (i + n - 1) % n;
    let differs = |i: usize| examples[i].prompt != examples[before(i)].prompt;
    let start = (0..n).find(|&i| differs(i))?;
    let mut others = vec![0; n];
    for i in (0..n).map(|k| (start + k) % n) {
        others[i] = match differs(i) {
            true => before(i),
            false => others[before(i)],
        };
    }
    Some(others)
}

/// Refuses a pair that lacks what is needed.
fn check(pair: &TokenPair, needs: Needs) -> Result<(), TrainError> {
    let nothing = TokenFeatures::default();
    for (index, side) in SIDES.into_iter().enumerate() {
        let features = pair.features[index].as_deref().unwrap_or(&nothing);
        for (is_absent, field, remedy) in [
            (
                needs.segments && features.segments.is_empty(),
                "segments",
                "give each row its segments and a row of five scores for each",
            ),
            (
                needs.parts && features.parts.is_none(),
                "parts",
                "give each row its parts, or set data.parts to markers that divide the responses",
            ),
            (
                needs.weights && features.weights.is_none(),
                "weights",
                "give each row a weight for each token",
            ),
            (
                needs.importance && index == 1 && features.importance.is_none(),
                "importance",
                "give each row the importance of each rejected token, 0 to 1",
            ),
        ] {
            if is_absent {
                return Err(TrainError::Lacks {
                    line: pair.line,
                    field: format!("{side}_{field}"),
                    remedy,
                });
            }
        }
    }
    Ok(())
}

fn segments(pair: &TokenPair, index: usize) -> Result<Segments, TrainError> {
    let features = pair.features[index].as_deref();
    let features = features.expect("a checked pair has segments");
    let n_tokens = [&pair.chosen, &pair.rejected][index].len();
    let (ranges, scores) = (features.segments.clone(), features.scores.clone());
    Segments::new(n_tokens, ranges, scores).map_err(|source| TrainError::Segments {
        line: pair.line,
        side: SIDES[index],
        source,
    })
}
