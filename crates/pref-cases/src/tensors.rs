//! From the columns of a case to tensors. In: answers of different lengths. Out: padded batches,
//! the input of objectives.

use burn::tensor::{Int, Tensor, TensorData, backend::AutodiffBackend};
use pref_core::{PairBatch, Segments, Side};

use super::data::{Answer, Pair};
use super::error::CaseError;

/// The pairs under `data.{list}` as a batch. `policy` and `kl` of both sides are autodiff leaves.
pub(super) fn pair_batch<B: AutodiffBackend>(
    pairs: &[Pair],
    list: &str,
    device: &B::Device,
) -> Result<PairBatch<B>, CaseError> {
    let chosen: Vec<&Answer> = pairs.iter().map(|p| &p.chosen).collect();
    let rejected: Vec<&Answer> = pairs.iter().map(|p| &p.rejected).collect();

    let mut part_labels: Vec<String> = chosen
        .iter()
        .chain(&rejected)
        .flat_map(|answer| answer.parts.iter().flatten().cloned())
        .collect();
    part_labels.sort();
    part_labels.dedup();

    let path = |side: &'static str| move |i: usize| format!("data.{list}[{i}].{side}");
    let mut batch = PairBatch::new(
        side(&chosen, path("chosen"), &part_labels, device)?,
        side(&rejected, path("rejected"), &part_labels, device)?,
    );
    batch.part_labels = part_labels;
    if pairs.iter().any(|p| p.chosen.segments.is_some()) {
        for (i, pair) in pairs.iter().enumerate() {
            batch.segments.push((
                segments(&pair.chosen, &path("chosen")(i))?,
                segments(&pair.rejected, &path("rejected")(i))?,
            ));
        }
    }
    Ok(batch)
}

/// The single answers under `data.{list}` as one side.
pub(super) fn answer_side<B: AutodiffBackend>(
    answers: &[Answer],
    list: &str,
    device: &B::Device,
) -> Result<Side<B>, CaseError> {
    let answers: Vec<&Answer> = answers.iter().collect();
    side(&answers, |i| format!("data.{list}[{i}]"), &[], device)
}

fn segments(answer: &Answer, path: &str) -> Result<Segments, CaseError> {
    let ranges = answer.segments.as_ref();
    let ranges = ranges.ok_or_else(|| no_column(path, "segments"))?;
    let scores = answer.scores.clone();
    let scores = scores.ok_or_else(|| no_column(path, "scores"))?;
    let ranges = ranges.iter().map(|&[start, end]| start..end).collect();
    Segments::new(answer.policy.len(), ranges, scores).map_err(|source| CaseError::Segments {
        path: path.to_owned(),
        source,
    })
}

/// Pads the columns of one side to `[answers, longest]`. `path` gives the place of an answer in the
/// case.
fn side<B: AutodiffBackend>(
    answers: &[&Answer],
    path: impl Fn(usize) -> String,
    part_labels: &[String],
    device: &B::Device,
) -> Result<Side<B>, CaseError> {
    let width = answers.iter().map(|a| a.policy.len()).max().unwrap_or(0);
    let dims = [answers.len(), width];
    let pad = |rows: Vec<&[f64]>| {
        let row = |row: &&[f64]| {
            let padding = std::iter::repeat_n(0.0, width - row.len());
            row.iter().copied().chain(padding).collect::<Vec<f64>>()
        };
        let values: Vec<f64> = rows.iter().flat_map(row).collect();
        Tensor::<B, 2>::from_data(TensorData::new(values, dims), device)
    };
    let column = |name: &str, of: fn(&Answer) -> Option<&Vec<f64>>| -> Result<_, CaseError> {
        if answers.iter().all(|a| of(a).is_none()) {
            return Ok(None);
        }
        let mut rows = Vec::with_capacity(answers.len());
        for (i, answer) in answers.iter().enumerate() {
            let row = of(answer).ok_or_else(|| no_column(&path(i), name))?;
            rows.push(row.as_slice());
        }
        Ok(Some(pad(rows)))
    };

    let ones: Vec<Vec<f64>> = answers.iter().map(|a| vec![1.0; a.policy.len()]).collect();
    let policy = pad(answers.iter().map(|a| a.policy.as_slice()).collect()).require_grad();
    let mut side = Side::new(policy, pad(ones.iter().map(Vec::as_slice).collect()));
    side.reference = column("reference", |a| a.reference.as_ref())?;
    side.varied = column("varied", |a| a.varied.as_ref())?;
    side.importance = column("importance", |a| a.importance.as_ref())?;
    side.given = column("weights", |a| a.weights.as_ref())?;
    side.kl = column("kl", |a| a.kl.as_ref())?.map(Tensor::require_grad);
    if answers.iter().any(|a| a.parts.is_some()) {
        let mut ids = vec![0_i64; answers.len() * width];
        for (i, (answer, row)) in answers.iter().zip(ids.chunks_mut(width)).enumerate() {
            let parts = answer.parts.as_ref();
            let parts = parts.ok_or_else(|| no_column(&path(i), "parts"))?;
            for (id, label) in row.iter_mut().zip(parts) {
                *id = part_labels.iter().position(|l| l == label).unwrap_or(0) as i64;
            }
        }
        let ids = TensorData::new(ids, dims);
        side.parts = Some(Tensor::<B, 2, Int>::from_data(ids, device));
    }
    Ok(side)
}

fn no_column(path: &str, column: &str) -> CaseError {
    CaseError::NoColumn {
        path: format!("{path}.{column}"),
    }
}
