//! From a case's ragged columns to padded tensors, through the objective, and back.

use burn::tensor::{Int, Tensor, TensorData, backend::AutodiffBackend};
use serde_json::{Map, Value, json};

use super::{Answer, Case, CaseError, Moments, Pair};
use crate::batch::{PairBatch, Side};
use crate::config::ObjectiveKind;
use crate::kto::UnpairedBatch;
use crate::moments::GradientMoments;
use crate::pairwise::LossOutput;
use crate::segments::Segments;

/// What a case gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    values: Map<String, Value>,
}

impl Evaluation {
    /// The values in the form of a case's `expect`: `loss`, `per_pair`, `grad`, … A value that is
    /// no number (NaN, infinity) is `null`.
    pub fn values(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// The batch's loss.
    pub fn loss(&self) -> f64 {
        self.values
            .get("loss")
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    }
}

impl Moments {
    fn measured(&self) -> GradientMoments {
        GradientMoments::new(
            &self.bias_trace,
            &self.bias_empty,
            self.variance_trace,
            self.variance_empty,
            self.covariance,
        )
    }
}

impl Case {
    /// Computes loss and gradients on a device.
    ///
    /// # Errors
    /// [`CaseError`] where the data does not hold what the objective needs.
    pub fn evaluate<B: AutodiffBackend>(
        &self,
        device: &B::Device,
    ) -> Result<Evaluation, CaseError> {
        let mut values = Map::new();
        match self.objective.kind() {
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => {
                let batch = batch::<B>(&self.data.pairs, "data.pairs", device)?;
                let objective = self.objective.over_pairs::<B>();
                let objective = objective.expect("the objective is one over pairs");
                let output = objective.loss(&batch)?;
                let gradients = output.loss.backward();
                values.insert("loss".into(), scalar(output.loss.clone()));
                values.insert("per_pair".into(), numbers(output.per_pair.clone()));
                values.insert("grad".into(), grad(&batch, &self.data.pairs, &gradients));
                if self.objective.needs().kl {
                    let kl = grad_kl(&batch, &self.data.pairs, &gradients);
                    values.insert("grad_kl".into(), kl);
                }
                values.insert("rewards".into(), rewards(&output));
                let accuracies = numbers(output.granule_accuracies.clone());
                values.insert("granule_accuracies".into(), accuracies);
                if let (Some(w), Some(l)) = (output.chosen_kl, output.rejected_kl) {
                    let kl = json!({"chosen": numbers(w), "rejected": numbers(l)});
                    values.insert("kl".into(), kl);
                }
            }
            ObjectiveKind::Bvpo(bvpo) => {
                let trace = batch::<B>(&self.data.trace, "data.trace", device)?;
                let empty = batch::<B>(&self.data.empty, "data.empty", device)?;
                let bvpo = match &self.data.moments {
                    None => (**bvpo).clone(),
                    Some(moments) => {
                        let moments = moments.measured();
                        let alpha = moments.optimal_alpha();
                        values.insert("optimal_alpha".into(), json!(alpha));
                        values.insert("optimal_error".into(), json!(moments.error(alpha)));
                        bvpo.with_moments(&moments)
                    }
                };
                let output = bvpo.loss(&trace, &empty)?;
                let gradients = output.loss.backward();
                values.insert("loss".into(), scalar(output.loss));
                values.insert("trace".into(), scalar(output.trace.loss));
                values.insert("empty".into(), scalar(output.empty.loss));
                let grad_trace = grad(&trace, &self.data.trace, &gradients);
                let grad_empty = grad(&empty, &self.data.empty, &gradients);
                values.insert("grad_trace".into(), grad_trace);
                values.insert("grad_empty".into(), grad_empty);
            }
            ObjectiveKind::Kto(kto) => {
                let desirable = self.desirable()?;
                let examples: Vec<&Answer> = self.data.examples.iter().collect();
                let mismatched: Vec<&Answer> = self.data.kl_examples.iter().collect();
                let batch = UnpairedBatch::<B> {
                    answers: side(&examples, |i| format!("data.examples[{i}]"), &[], device)?,
                    desirable: Tensor::from_data(desirable.as_slice(), device),
                    mismatched: side(
                        &mismatched,
                        |i| format!("data.kl_examples[{i}]"),
                        &[],
                        device,
                    )?,
                };
                let output = kto.loss(&batch)?;
                let gradients = output.loss.backward();
                values.insert("loss".into(), scalar(output.loss));
                values.insert("kl".into(), scalar(output.kl));
                values.insert("per_example".into(), numbers(output.per_example));
                let grad = of_answers(&batch.answers.policy, &examples, &gradients);
                values.insert("grad".into(), Value::Array(grad));
            }
        }
        Ok(Evaluation { values })
    }

    fn desirable(&self) -> Result<Vec<f32>, CaseError> {
        let flag = |(i, answer): (usize, &Answer)| match answer.desirable {
            Some(desirable) => Ok(f32::from(u8::from(desirable))),
            None => Err(CaseError::Ragged {
                path: format!("data.examples[{i}].desirable"),
            }),
        };
        self.data.examples.iter().enumerate().map(flag).collect()
    }
}

fn batch<B: AutodiffBackend>(
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

    let at = |side: &'static str| move |i: usize| format!("{list}[{i}].{side}");
    let mut batch = PairBatch::new(
        side(&chosen, at("chosen"), &part_labels, device)?,
        side(&rejected, at("rejected"), &part_labels, device)?,
    );
    batch.part_labels = part_labels;
    if pairs.iter().any(|p| p.chosen.segments.is_some()) {
        for (i, pair) in pairs.iter().enumerate() {
            batch.segments.push((
                segments(&pair.chosen, &at("chosen")(i))?,
                segments(&pair.rejected, &at("rejected")(i))?,
            ));
        }
    }
    Ok(batch)
}

fn segments(answer: &Answer, at: &str) -> Result<Segments, CaseError> {
    let absent = |column: &str| CaseError::Ragged {
        path: format!("{at}.{column}"),
    };
    let ranges = answer.segments.as_ref().ok_or_else(|| absent("segments"))?;
    let scores = answer.scores.clone().ok_or_else(|| absent("scores"))?;
    let ranges = ranges.iter().map(|&[start, end]| start..end).collect();
    Segments::new(answer.policy.len(), ranges, scores).map_err(|source| CaseError::Segments {
        path: at.to_owned(),
        source,
    })
}

/// Pads one side's columns to `[answers, longest]`.
fn side<B: AutodiffBackend>(
    answers: &[&Answer],
    at: impl Fn(usize) -> String,
    part_labels: &[String],
    device: &B::Device,
) -> Result<Side<B>, CaseError> {
    let width = answers.iter().map(|a| a.policy.len()).max().unwrap_or(0);
    let dims = [answers.len(), width];
    let tensor =
        |values: Vec<f64>| Tensor::<B, 2>::from_data(TensorData::new(values, dims), device);
    let pad = |rows: Vec<&[f64]>| {
        let row = |row: &&[f64]| {
            let padding = std::iter::repeat_n(0.0, width - row.len());
            row.iter().copied().chain(padding).collect::<Vec<f64>>()
        };
        tensor(rows.iter().flat_map(row).collect())
    };
    let column = |name: &str, of: fn(&Answer) -> Option<&Vec<f64>>| -> Result<_, CaseError> {
        if answers.iter().all(|a| of(a).is_none()) {
            return Ok(None);
        }
        let rows: Vec<&[f64]> = answers
            .iter()
            .enumerate()
            .map(|(i, a)| of(a).map(Vec::as_slice).ok_or_else(|| absent(&at(i), name)))
            .collect::<Result<_, _>>()?;
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
            let parts = parts.ok_or_else(|| absent(&at(i), "parts"))?;
            for (id, label) in row.iter_mut().zip(parts) {
                *id = part_labels.iter().position(|l| l == label).unwrap_or(0) as i64;
            }
        }
        side.parts = Some(Tensor::<B, 2, Int>::from_data(
            TensorData::new(ids, dims),
            device,
        ));
    }
    Ok(side)
}

fn absent(at: &str, column: &str) -> CaseError {
    CaseError::Ragged {
        path: format!("{at}.{column}"),
    }
}

fn rewards<B: AutodiffBackend>(output: &LossOutput<B>) -> Value {
    json!({
        "chosen": numbers(output.chosen_rewards.clone()),
        "rejected": numbers(output.rejected_rewards.clone()),
    })
}

fn grad<B: AutodiffBackend>(
    batch: &PairBatch<B>,
    pairs: &[Pair],
    gradients: &B::Gradients,
) -> Value {
    both_sides(
        pairs,
        |answers| of_answers(&batch.chosen.policy, answers, gradients),
        |answers| of_answers(&batch.rejected.policy, answers, gradients),
    )
}

fn grad_kl<B: AutodiffBackend>(
    batch: &PairBatch<B>,
    pairs: &[Pair],
    gradients: &B::Gradients,
) -> Value {
    let of = |kl: &Option<Tensor<B, 2>>, answers: &[&Answer]| match kl {
        Some(kl) => of_answers(kl, answers, gradients),
        None => Vec::new(),
    };
    both_sides(
        pairs,
        |answers| of(&batch.chosen.kl, answers),
        |answers| of(&batch.rejected.kl, answers),
    )
}

fn both_sides(
    pairs: &[Pair],
    chosen: impl Fn(&[&Answer]) -> Vec<Value>,
    rejected: impl Fn(&[&Answer]) -> Vec<Value>,
) -> Value {
    let w: Vec<&Answer> = pairs.iter().map(|p| &p.chosen).collect();
    let l: Vec<&Answer> = pairs.iter().map(|p| &p.rejected).collect();
    let zipped = chosen(&w).into_iter().zip(rejected(&l));
    zipped
        .map(|(w, l)| json!({"chosen": w, "rejected": l}))
        .collect()
}

/// The gradient of a padded leaf, one list an answer without its padding. A leaf that the loss
/// does not depend on has a gradient of zero.
fn of_answers<B: AutodiffBackend>(
    leaf: &Tensor<B, 2>,
    answers: &[&Answer],
    gradients: &B::Gradients,
) -> Vec<Value> {
    let [rows, width] = leaf.dims();
    let values: Vec<f64> = match leaf.grad(gradients) {
        Some(grad) => grad.into_data().iter::<f64>().collect(),
        None => vec![0.0; rows * width],
    };
    let rows = values.chunks(width).zip(answers);
    rows.map(|(row, answer)| json!(row[..answer.policy.len()]))
        .collect()
}

fn numbers<B: AutodiffBackend>(tensor: Tensor<B, 1>) -> Value {
    json!(tensor.into_data().iter::<f64>().collect::<Vec<_>>())
}

fn scalar<B: AutodiffBackend>(tensor: Tensor<B, 1>) -> Value {
    json!(tensor.into_data().iter::<f64>().next())
}
