//! The objectives of reward models. In: a reward model and rows of pairs. Out: the loss of the scores that
//! the model gives, and what is measured of them.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use pref_core::{ASPECT_NAMES, BradleyTerry, N_ASPECTS, SegmentScores};
use pref_data::{AnswerPlace, Batch};
use pref_model::{Policy, at_places};

use crate::metrics::{Measured, of_rewards, of_segments};
use crate::sets::{PairRow, RowBatch};

/// An objective over the scores of a reward model.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ScoreObjective {
    /// Whole answers: the score is read at the last token.
    Answers(BradleyTerry),
    /// Segments: the scores are read at the last token of each segment.
    Segments(SegmentScores),
}

impl ScoreObjective {
    /// The name of each score that the objective needs.
    pub(crate) fn labels(&self) -> &'static [&'static str] {
        match self {
            ScoreObjective::Answers(_) => &["reward"],
            ScoreObjective::Segments(_) => &ASPECT_NAMES,
        }
    }

    /// Mean loss of a batch of both answers of pairs, `[1]`, and what is measured. The mean is over pairs, or
    /// over segments. The model's logits are its scores. `hidden` are the hidden states of the batch. `pad_id` is the id that the model pads texts with.
    pub(crate) fn loss<B: Backend>(
        &self,
        model: &impl Policy<B>,
        hidden: Tensor<B, 3>,
        rows: &RowBatch,
        batch: &Batch,
        pad_id: u32,
    ) -> (Tensor<B, 1>, Measured<B>) {
        let RowBatch::Pairs(rows) = rows else {
            unreachable!("reward models are trained on pairs")
        };
        let scores = |places: &[(usize, usize)]| model.logits(at_places(hidden, places));
        match self {
            ScoreObjective::Answers(objective) => {
                let n = rows.len();
                let last = |answer: &AnswerPlace| last_token(batch, answer, pad_id);
                let places: Vec<(usize, usize)> = batch.answers.iter().map(last).collect();
                let scores = scores(&places);
                let side = |k: usize| {
                    scores
                        .clone()
                        .slice([k * n..(k + 1) * n, 0..1])
                        .reshape([n])
                };
                let (chosen, rejected) = (side(0), side(1));
                let per_pair = objective.per_pair(chosen.clone(), rejected.clone());
                let measured = of_rewards(&per_pair, [chosen, rejected]);
                (per_pair.mean(), measured)
            }
            ScoreObjective::Segments(objective) => {
                let Segments {
                    places,
                    given,
                    owners,
                } = Segments::new(rows, batch);
                let predicted = scores(&places);
                let given = TensorData::new(given, [places.len(), N_ASPECTS]);
                let given = Tensor::from_data(given, &predicted.device());
                let per_segment = objective.per_segment(predicted.clone(), given.clone());
                let measured = of_segments(&per_segment, predicted, given, owners);
                (per_segment.mean(), measured)
            }
        }
    }
}

/// The row and the position at which the score of an answer is read: its last token that is not padding. As in
/// `transformers`, an end-of-sequence token that is also the padding does not count.
fn last_token(batch: &Batch, answer: &AnswerPlace, pad_id: u32) -> (usize, usize) {
    let row = &batch.tokens[answer.row * batch.width..][..batch.width];
    let is_text = |&t: &usize| row[t] != pad_id;
    let last = answer.tokens.clone().rev().find(is_text);
    (answer.row, last.unwrap_or(answer.predictor))
}

/// The scored segments of both answers of some pairs.
struct Segments {
    /// Row and position of the last token of each segment in the batch.
    places: Vec<(usize, usize)>,
    /// The scores of each segment, `[segments * aspects]`.
    given: Vec<f32>,
    /// The index of each segment's pair.
    owners: Vec<usize>,
}

impl Segments {
    fn new(rows: &[PairRow], batch: &Batch) -> Self {
        let mut all = Self {
            places: Vec::new(),
            given: Vec::new(),
            owners: Vec::new(),
        };
        for side in 0..2 {
            for (owner, row) in rows.iter().enumerate() {
                let Some(features) = &row.pair.features[side] else {
                    continue;
                };
                let answer = &batch.answers[side * rows.len() + owner];
                for (range, scores) in features.segments.iter().zip(&features.scores) {
                    all.places
                        .push((answer.row, answer.tokens.start + range.end - 1));
                    all.given.extend(scores.map(|score| score as f32));
                    all.owners.push(owner);
                }
            }
        }
        all
    }
}
