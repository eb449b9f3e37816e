//! What objectives look at besides log-probs: varied tokens, importance, weights, parts, scored
//! segments. In: token pairs and what the rows say of them. Out: an objective's batch with all of
//! it.

use std::collections::BTreeSet;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{Needs, PairBatch, Segments, Side};
use pref_data::{DiffAlgorithm, TokenDiff, TokenFeatures, TokenPair, token_diffs};

use crate::error::TrainError;

/// Pairs, with the features that an objective needs. Every pair is known to have them.
#[derive(Debug)]
pub(crate) struct Examples {
    pub(crate) pairs: Vec<TokenPair>,
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
        diff: DiffAlgorithm,
    ) -> Result<Self, TrainError> {
        let varied = match needs.varied {
            true => token_diffs(&pairs, diff),
            false => Vec::new(),
        };
        let mut examples = Self {
            needs,
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
