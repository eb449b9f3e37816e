//! What objectives use besides log-probs: varied tokens, importance, weights, parts and scored segments.
//! In: rows. Out: the objective's batch with the features that it needs.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_core::{PairBatch, Side};
use pref_data::{TokenExample, TokenFeatures};

use crate::sets::{AnswerRow, Examples, PairRow, scored_segments};

/// 1 for a desirable answer, 0 for an undesirable one, `[answers]`.
pub(crate) fn desirable<B: Backend>(rows: &[AnswerRow], device: &B::Device) -> Tensor<B, 1> {
    let values = rows
        .iter()
        .map(|row| f32::from(u8::from(row.answer.label == Some(true))));
    let values: Vec<f32> = values.collect();
    Tensor::from_data(TensorData::new(values, [rows.len()]), device)
}

/// 1 for a token of an answer that counts in the loss, 0 for the tokens between two turns of the answer, and
/// for padding or 1, `[answers, tokens]`.
pub(crate) fn counted<B: Backend>(
    rows: &[TokenExample],
    [n, width]: [usize; 2],
    device: &B::Device,
) -> Tensor<B, 2> {
    let mut values = vec![1.0_f32; n * width];
    for (line, row) in values.chunks_mut(width.max(1)).zip(rows) {
        for (cell, &counts) in line.iter_mut().zip(row.counted.iter().flatten()) {
            *cell = f32::from(u8::from(counts));
        }
    }
    Tensor::from_data(TensorData::new(values, [n, width]), device)
}

/// Adds the features that the objective needs to the batch of these rows.
pub(crate) fn attach<B: Backend>(examples: &Examples, rows: &[PairRow], batch: &mut PairBatch<B>) {
    if examples.needs().segments {
        let both = |row: &PairRow| {
            let [w, l] = [0, 1].map(|side| scored_segments(&row.pair, side));
            let is_checked = "a pair's segments are checked when it is read";
            (w.expect(is_checked), l.expect(is_checked))
        };
        batch.segments = rows.iter().map(both).collect();
    }
    if examples.needs().parts {
        batch.part_labels = examples.part_labels().to_vec();
    }
    attach_side(examples, rows, 0, &mut batch.chosen);
    attach_side(examples, rows, 1, &mut batch.rejected);
}

fn attach_side<B: Backend>(
    examples: &Examples,
    rows: &[PairRow],
    index: usize,
    side: &mut Side<B>,
) {
    let needs = examples.needs();
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
        let labels = examples.part_labels();
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
