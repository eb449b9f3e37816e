//! Evaluating a case. In: a [`Case`] and a device. Out: an [`Evaluation`] with the loss, its
//! gradients and the other values that the objective computes.

use burn::tensor::{Tensor, backend::AutodiffBackend};
use pref_core::{BvpoConfig, Kto, LossOutput, ObjectiveKind, PairBatch, Sft, UnpairedBatch};
use serde_json::{Value, json};

use super::case::Case;
use super::data::{Answer, Pair};
use super::error::CaseError;
use super::evaluation::Evaluation;
use super::tensors::{answer_side, pair_batch};

impl Case {
    /// Computes the case's objective and its gradients on a device.
    ///
    /// # Errors
    /// [`CaseError`] if the data lacks something that the objective needs.
    pub fn evaluate<B: AutodiffBackend>(
        &self,
        device: &B::Device,
    ) -> Result<Evaluation, CaseError> {
        match self.objective.kind() {
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => self.evaluate_pairs::<B>(device),
            ObjectiveKind::Bvpo(bvpo) => self.evaluate_bvpo::<B>(bvpo, device),
            ObjectiveKind::Kto(kto) => self.evaluate_kto::<B>(*kto, device),
            ObjectiveKind::Sft(sft) => self.evaluate_sft::<B>(*sft, device),
            ObjectiveKind::BradleyTerry(_) | ObjectiveKind::Segments(_) => {
                let method = self.objective.method().name();
                Err(CaseError::RewardModel { method })
            }
        }
    }

    /// Computes another loss in place of the case's objective: `loss` takes the case's pairs as a
    /// batch and returns one loss per pair, nats, `[pairs]`. The result has `loss`, the mean over
    /// the pairs, `per_pair` and `grad`, and `grad_kl` if the case's objective needs `kl`.
    ///
    /// # Errors
    /// [`CaseError::Empty`] if the case has no pairs, such as a case of kto or bvpo;
    /// [`CaseError::NoColumn`] and [`CaseError::Segments`] if the data does not fit into a batch.
    pub fn evaluate_with<B: AutodiffBackend>(
        &self,
        device: &B::Device,
        loss: impl FnOnce(&PairBatch<B>) -> Tensor<B, 1>,
    ) -> Result<Evaluation, CaseError> {
        if self.data.pairs.is_empty() {
            return Err(CaseError::Empty {
                path: "data.pairs".to_owned(),
            });
        }
        let batch = pair_batch::<B>(&self.data.pairs, "pairs", device)?;
        let per_pair = loss(&batch);
        let mut found = Evaluation::default();
        self.insert_loss(&mut found, &batch, per_pair.clone().mean(), per_pair);
        Ok(found)
    }

    fn evaluate_pairs<B: AutodiffBackend>(
        &self,
        device: &B::Device,
    ) -> Result<Evaluation, CaseError> {
        let batch = pair_batch::<B>(&self.data.pairs, "pairs", device)?;
        let objective = self.objective.over_pairs::<B>();
        let objective = objective.expect("pairwise objectives and sums are over pairs");
        let output = objective.loss(&batch)?;
        let mut found = Evaluation::default();
        let (loss, per_pair) = (output.loss.clone(), output.per_pair.clone());
        self.insert_loss(&mut found, &batch, loss, per_pair);
        found.insert("rewards", rewards(&output));
        found.insert("granule_accuracies", numbers(output.granule_accuracies));
        if let (Some(w), Some(l)) = (output.chosen_kl, output.rejected_kl) {
            found.insert("kl", json!({"chosen": numbers(w), "rejected": numbers(l)}));
        }
        Ok(found)
    }

    /// Adds the loss and its gradients with respect to the leaves of `batch`.
    fn insert_loss<B: AutodiffBackend>(
        &self,
        found: &mut Evaluation,
        batch: &PairBatch<B>,
        loss: Tensor<B, 1>,
        per_pair: Tensor<B, 1>,
    ) {
        let pairs = &self.data.pairs;
        let gradients = loss.backward();
        found.insert("loss", number(loss));
        found.insert("per_pair", numbers(per_pair));
        found.insert("grad", policy_gradient(batch, pairs, &gradients));
        if self.objective.needs().kl {
            found.insert("grad_kl", kl_gradient(batch, pairs, &gradients));
        }
    }

    fn evaluate_bvpo<B: AutodiffBackend>(
        &self,
        config: &BvpoConfig,
        device: &B::Device,
    ) -> Result<Evaluation, CaseError> {
        let mut found = Evaluation::default();
        let trace = pair_batch::<B>(&self.data.trace, "trace", device)?;
        let empty = pair_batch::<B>(&self.data.empty, "empty", device)?;
        let mut config = config.clone();
        if let Some(moments) = &self.data.moments {
            let moments = moments.to_gradient_moments();
            let alpha = moments.optimal_alpha();
            found.insert("optimal_alpha", json!(alpha));
            found.insert("optimal_error", json!(moments.error(alpha)));
            config = config.with_moments(&moments);
        }
        let bvpo = config.build::<B>();
        let bvpo = bvpo.expect("a case with an optimal α was checked to have moments");
        let output = bvpo.loss(&trace, &empty)?;
        let gradients = output.loss.backward();
        found.insert("loss", number(output.loss));
        found.insert("trace", number(output.trace.loss));
        found.insert("empty", number(output.empty.loss));
        let gradient = policy_gradient(&trace, &self.data.trace, &gradients);
        found.insert("grad_trace", gradient);
        let gradient = policy_gradient(&empty, &self.data.empty, &gradients);
        found.insert("grad_empty", gradient);
        Ok(found)
    }

    fn evaluate_kto<B: AutodiffBackend>(
        &self,
        kto: Kto,
        device: &B::Device,
    ) -> Result<Evaluation, CaseError> {
        let desirable = self.desirable()?;
        let batch = UnpairedBatch::<B> {
            answers: answer_side(&self.data.examples, "examples", device)?,
            desirable: Tensor::from_data(desirable.as_slice(), device),
            mismatched: answer_side(&self.data.kl_examples, "kl_examples", device)?,
        };
        let output = kto.loss(&batch)?;
        let gradients = output.loss.backward();
        let mut found = Evaluation::default();
        found.insert("loss", number(output.loss));
        found.insert("kl", number(output.kl));
        found.insert("per_example", numbers(output.per_example));
        let gradient = gradient_of(&batch.answers.policy, self.data.examples.iter(), &gradients);
        found.insert("grad", Value::Array(gradient));
        Ok(found)
    }

    /// SFT on the chosen answers of the pairs.
    fn evaluate_sft<B: AutodiffBackend>(
        &self,
        sft: Sft,
        device: &B::Device,
    ) -> Result<Evaluation, CaseError> {
        let batch = pair_batch::<B>(&self.data.pairs, "pairs", device)?;
        let output = sft.loss(&batch.chosen);
        let mut found = Evaluation::default();
        self.insert_loss(&mut found, &batch, output.loss, output.per_answer);
        Ok(found)
    }

    /// 1 for each desirable example, 0 for the others.
    fn desirable(&self) -> Result<Vec<f32>, CaseError> {
        let flag = |(i, answer): (usize, &Answer)| match answer.desirable {
            Some(desirable) => Ok(f32::from(u8::from(desirable))),
            None => Err(CaseError::NoLabel {
                path: format!("data.examples[{i}].desirable"),
            }),
        };
        self.data.examples.iter().enumerate().map(flag).collect()
    }
}

fn rewards<B: AutodiffBackend>(output: &LossOutput<B>) -> Value {
    json!({
        "chosen": numbers(output.chosen_rewards.clone()),
        "rejected": numbers(output.rejected_rewards.clone()),
    })
}

/// Gradients with respect to the policy's log-probs, one entry per pair.
fn policy_gradient<B: AutodiffBackend>(
    batch: &PairBatch<B>,
    pairs: &[Pair],
    gradients: &B::Gradients,
) -> Value {
    let chosen = pairs.iter().map(|pair| &pair.chosen);
    let rejected = pairs.iter().map(|pair| &pair.rejected);
    by_pair(
        gradient_of(&batch.chosen.policy, chosen, gradients),
        gradient_of(&batch.rejected.policy, rejected, gradients),
    )
}

/// Gradients with respect to `kl`, one entry per pair.
fn kl_gradient<B: AutodiffBackend>(
    batch: &PairBatch<B>,
    pairs: &[Pair],
    gradients: &B::Gradients,
) -> Value {
    let (Some(chosen_kl), Some(rejected_kl)) = (&batch.chosen.kl, &batch.rejected.kl) else {
        return Value::Array(Vec::new());
    };
    let chosen = pairs.iter().map(|pair| &pair.chosen);
    let rejected = pairs.iter().map(|pair| &pair.rejected);
    by_pair(
        gradient_of(chosen_kl, chosen, gradients),
        gradient_of(rejected_kl, rejected, gradients),
    )
}

fn by_pair(chosen: Vec<Value>, rejected: Vec<Value>) -> Value {
    let both = chosen.into_iter().zip(rejected);
    both.map(|(w, l)| json!({"chosen": w, "rejected": l}))
        .collect()
}

/// The gradient with respect to a padded leaf, one list per answer, without padding. It is 0 if the
/// loss does not depend on the leaf.
fn gradient_of<'a, B: AutodiffBackend>(
    leaf: &Tensor<B, 2>,
    answers: impl Iterator<Item = &'a Answer>,
    gradients: &B::Gradients,
) -> Vec<Value> {
    let [rows, width] = leaf.dims();
    let values: Vec<f64> = match leaf.grad(gradients) {
        Some(gradient) => gradient.into_data().iter::<f64>().collect(),
        None => vec![0.0; rows * width],
    };
    let rows = values.chunks(width).zip(answers);
    rows.map(|(row, answer)| json!(row[..answer.policy.len()]))
        .collect()
}

fn numbers<B: AutodiffBackend>(tensor: Tensor<B, 1>) -> Value {
    json!(tensor.into_data().iter::<f64>().collect::<Vec<_>>())
}

fn number<B: AutodiffBackend>(tensor: Tensor<B, 1>) -> Value {
    json!(tensor.into_data().iter::<f64>().next())
}
