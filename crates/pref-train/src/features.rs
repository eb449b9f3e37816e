//! What objectives look at besides log-probs: varied tokens, importance, weights, parts, scored
//! segments. In: pairs and what their rows say of them. Out: an objective's batch with all of it.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{Needs, PairBatch, Segments, Side};
use pref_data::{TokenFeatures, TokenPair};

use crate::error::TrainError;
use crate::examples::{Examples, PairRow, SingleRow};

/// The sides of a pair as rows name them.
const SIDES: [&str; 2] = ["chosen", "rejected"];

/// 1 where a single answer is wanted, else 0, `[examples]`.
pub(crate) fn desirable<B: Backend>(rows: &[SingleRow], device: &B::Device) -> Tensor<B, 1> {
    let wanted = rows
        .iter()
        .map(|row| f32::from(u8::from(row.answer.desirable)));
    let wanted: Vec<f32> = wanted.collect();
    Tensor::from_data(TensorData::new(wanted, [rows.len()]), device)
}

impl Examples {
    /// Gives a batch of these rows what the objective needs.
    pub(crate) fn attach<B: Backend>(&self, rows: &[PairRow], batch: &mut PairBatch<B>) {
        if self.needs().segments {
            let both = |row: &PairRow| {
                let [w, l] = [0, 1].map(|side| segments(&row.pair, side));
                let is_checked = "a pair's segments are checked when it is read";
                (w.expect(is_checked), l.expect(is_checked))
            };
            batch.segments = rows.iter().map(both).collect();
        }
        if self.needs().parts {
            batch.part_labels = self.part_labels().to_vec();
        }
        self.attach_side(rows, 0, &mut batch.chosen);
        self.attach_side(rows, 1, &mut batch.rejected);
    }

    fn attach_side<B: Backend>(&self, rows: &[PairRow], index: usize, side: &mut Side<B>) {
        let needs = self.needs();
        let [n, width] = side.mask.dims();
        let device = side.mask.device();
        let padded = |of: &dyn Fn(&PairRow) -> Vec<f32>| -> Tensor<B, 2> {
            let mut values = vec![0.0; n * width];
            for (line, row) in values.chunks_mut(width).zip(rows) {
                for (cell, value) in line.iter_mut().zip(of(row)) {
                    *cell = value;
                }
            }
            Tensor::from_data(TensorData::new(values, [n, width]), &device)
        };
        let numbers = |row: &PairRow, of: fn(&TokenFeatures) -> &Option<Vec<f64>>| -> Vec<f32> {
            let values = row.pair.features[index].as_deref().map(of);
            let values = values.into_iter().flatten().flatten();
            values.map(|&v| v as f32).collect()
        };
        if needs.varied {
            side.varied = Some(padded(&|row| {
                let masks = row.varied.iter();
                let mask = masks.flat_map(|diff| [&diff.chosen, &diff.rejected][index]);
                mask.map(|&varies| f32::from(u8::from(varies))).collect()
            }));
        }
        if needs.weights {
            side.given = Some(padded(&|row| numbers(row, |f| &f.weights)));
        }
        if needs.importance && index == 1 {
            side.importance = Some(padded(&|row| numbers(row, |f| &f.importance)));
        }
        if needs.parts {
            let labels = self.part_labels();
            let label = |part: &String| labels.partition_point(|l| l < part) as f32;
            let ids = padded(&|row| {
                let features = row.pair.features[index].as_deref();
                let parts = features.and_then(|f| f.parts.as_ref());
                parts.into_iter().flatten().map(label).collect()
            });
            let ids: Tensor<B, 2, Int> = ids.int();
            side.parts = Some(ids);
        }
    }
}

/// Refuses a pair that lacks what is needed, or whose segments cannot be.
pub(crate) fn check(pair: &TokenPair, needs: Needs) -> Result<(), TrainError> {
    let nothing = TokenFeatures::default();
    for (index, side) in SIDES.into_iter().enumerate() {
        let features = pair.features[index].as_deref().unwrap_or(&nothing);
        for (is_absent, field, remedy) in [
            (
                needs.segments && features.segments.is_empty(),
                "segments",
                "`pref segment` divides the responses; give each segment a row of five scores",
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
                    place: pair.place.clone(),
                    field: format!("{side}_{field}"),
                    remedy,
                });
            }
        }
        if needs.segments {
            segments(pair, index)?;
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
        place: pair.place.clone(),
        side: SIDES[index],
        source,
    })
}
