//! What is measured: sums over pairs, and the lines of `metrics.jsonl` with TRL's names.

use burn::tensor::{Tensor, backend::Backend};
use pref_core::LossOutput;
use serde::{Deserialize, Serialize};

/// Sums over the pairs of some batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairSums {
    /// Pairs summed over.
    pub pairs: f64,
    loss: f64,
    chosen_rewards: f64,
    rejected_rewards: f64,
    correct: f64,
    chosen_logps: f64,
    rejected_logps: f64,
    granule_accuracies: f64,
    /// Chosen, rejected; none without reference log-probs.
    kl: Option<[f64; 2]>,
}

/// Means over pairs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMeans {
    /// Loss, nats.
    pub loss: f64,
    /// Implicit reward of the chosen answers.
    #[serde(rename = "rewards/chosen")]
    pub chosen_rewards: f64,
    /// Implicit reward of the rejected answers.
    #[serde(rename = "rewards/rejected")]
    pub rejected_rewards: f64,
    /// How often the chosen answer has the higher reward.
    #[serde(rename = "rewards/accuracies")]
    pub accuracies: f64,
    /// Chosen reward less rejected reward.
    #[serde(rename = "rewards/margins")]
    pub margins: f64,
    /// Log-prob of the chosen answers, summed over tokens, nats.
    #[serde(rename = "logps/chosen")]
    pub chosen_logps: f64,
    /// The same of the rejected answers.
    #[serde(rename = "logps/rejected")]
    pub rejected_logps: f64,
    /// The share of each pair's granules whose chosen side has the higher reward.
    #[serde(rename = "rewards/granule_accuracies")]
    pub granule_accuracies: f64,
    /// Estimate of the KL to the reference on the chosen answers, `Σ d_t`, nats.
    #[serde(rename = "kl/chosen", default, skip_serializing_if = "Option::is_none")]
    pub chosen_kl: Option<f64>,
    /// The same on the rejected answers.
    #[serde(
        rename = "kl/rejected",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rejected_kl: Option<f64>,
}

/// One line of `metrics.jsonl`: the optimiser steps since the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Optimiser steps taken, this one included.
    pub step: usize,
    /// Passes over the data so far.
    pub epoch: f64,
    /// Means over the pairs of these steps.
    #[serde(flatten)]
    pub pairs: PairMeans,
    /// Global gradient norm before clipping, of the last of these steps.
    pub grad_norm: f64,
    /// Learning rate that the last of these steps used.
    pub learning_rate: f64,
    /// Tokens seen so far, prompts included and padding not.
    pub num_tokens: u64,
}

/// One line of `metrics.jsonl`: an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalRecord {
    /// Optimiser steps taken before it.
    pub step: usize,
    /// Pairs evaluated.
    pub eval_pairs: usize,
    /// Means over them.
    #[serde(flatten, with = "eval_prefix")]
    pub pairs: PairMeans,
}

/// How each line of `metrics.jsonl` is told from the other kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Record {
    /// An evaluation.
    Eval(EvalRecord),
    /// Training steps.
    Step(StepRecord),
}

impl Record {
    /// Optimiser steps taken.
    pub fn step(&self) -> usize {
        match self {
            Record::Eval(record) => record.step,
            Record::Step(record) => record.step,
        }
    }
}

/// Values of each pair of a batch, still on the device, `[6, pairs]`, or `[8, pairs]` with
/// estimates of the KL: read back in one copy.
pub(crate) fn per_pair<B: Backend>(output: &LossOutput<B>) -> Tensor<B, 2> {
    let mut rows = vec![
        output.per_pair.clone().detach(),
        output.chosen_rewards.clone(),
        output.rejected_rewards.clone(),
        output.chosen_logps.clone(),
        output.rejected_logps.clone(),
        output.granule_accuracies.clone(),
    ];
    rows.extend(
        [&output.chosen_kl, &output.rejected_kl]
            .into_iter()
            .flatten()
            .cloned(),
    );
    Tensor::stack(rows, 0)
}

/// The values of [`per_pair`] on the host.
#[derive(Clone, Debug)]
pub(crate) struct PairValues {
    values: Vec<f32>,
    pairs: usize,
    has_kl: bool,
}

impl PairValues {
    pub(crate) fn read<B: Backend>(tensor: Tensor<B, 2>) -> Self {
        let [rows, pairs] = tensor.dims();
        let values = tensor.into_data().iter::<f32>().collect();
        let has_kl = rows == 8;
        Self {
            values,
            pairs,
            has_kl,
        }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.pairs..(index + 1) * self.pairs]
    }

    /// Indices of the pairs whose loss is no finite number.
    pub(crate) fn not_finite(&self) -> Vec<usize> {
        let losses = self.row(0).iter().enumerate();
        losses
            .filter(|(_, loss)| !loss.is_finite())
            .map(|(i, _)| i)
            .collect()
    }
}

impl PairSums {
    pub(crate) fn add(&mut self, values: &PairValues) {
        let sum = |row: &[f32]| row.iter().map(|&v| f64::from(v)).sum::<f64>();
        self.pairs += values.pairs as f64;
        self.loss += sum(values.row(0));
        self.chosen_rewards += sum(values.row(1));
        self.rejected_rewards += sum(values.row(2));
        let both = values.row(1).iter().zip(values.row(2));
        self.correct += both.filter(|(w, l)| w > l).count() as f64;
        self.chosen_logps += sum(values.row(3));
        self.rejected_logps += sum(values.row(4));
        self.granule_accuracies += sum(values.row(5));
        if values.has_kl {
            let [chosen, rejected] = self.kl.unwrap_or_default();
            self.kl = Some([chosen + sum(values.row(6)), rejected + sum(values.row(7))]);
        }
    }

    /// Means over the pairs.
    pub fn means(&self) -> PairMeans {
        let mean = |sum: f64| sum / self.pairs.max(1.0);
        PairMeans {
            loss: mean(self.loss),
            chosen_rewards: mean(self.chosen_rewards),
            rejected_rewards: mean(self.rejected_rewards),
            accuracies: mean(self.correct),
            margins: mean(self.chosen_rewards - self.rejected_rewards),
            chosen_logps: mean(self.chosen_logps),
            rejected_logps: mean(self.rejected_logps),
            granule_accuracies: mean(self.granule_accuracies),
            chosen_kl: self.kl.map(|[chosen, _]| mean(chosen)),
            rejected_kl: self.kl.map(|[_, rejected]| mean(rejected)),
        }
    }
}

/// TRL's prefix of evaluation metrics: `eval_loss`, `eval_rewards/margins`, …
mod eval_prefix {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_json::{Map, Value};

    use super::PairMeans;

    pub(super) fn serialize<S: Serializer>(means: &PairMeans, s: S) -> Result<S::Ok, S::Error> {
        let value = serde_json::to_value(means).map_err(serde::ser::Error::custom)?;
        let prefixed: Map<String, Value> = value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (format!("eval_{key}"), value.clone()))
            .collect();
        prefixed.serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<PairMeans, D::Error> {
        let prefixed = BTreeMap::<String, Value>::deserialize(d)?;
        let plain: Map<String, Value> = prefixed
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix("eval_")?.to_owned(), value)))
            .collect();
        serde_json::from_value(Value::Object(plain)).map_err(D::Error::custom)
    }
}
