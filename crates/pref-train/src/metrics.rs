//! What is measured: sums over pairs, and the lines of `metrics.jsonl` with TRL's names.

use burn::tensor::{Tensor, backend::Backend};
use pref_core::{Kto, KtoOutput, LossOutput, Side};
use serde::{Deserialize, Serialize};

/// Sums over the pairs of some batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairSums {
    /// Pairs, or single answers, summed over.
    pub pairs: f64,
    /// Chosen answers among them, and rejected ones.
    answers: [f64; 2],
    loss: f64,
    chosen_rewards: f64,
    rejected_rewards: f64,
    correct: f64,
    chosen_logps: f64,
    rejected_logps: f64,
    granule_accuracies: f64,
    /// Chosen, rejected; none without reference log-probs.
    kl: Option<[f64; 2]>,
    reference_point: Option<f64>,
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
    /// The KL to the reference as kto estimates it from answers to other prompts, nats.
    #[serde(rename = "kl", default, skip_serializing_if = "Option::is_none")]
    pub reference_point: Option<f64>,
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
    /// Of an objective on two sets: means over the pairs with emptied traces. The loss above is
    /// then the mixture's, and the rest the pairs' with traces.
    #[serde(flatten, with = "empty_prefix")]
    pub empty: Option<PairMeans>,
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
    /// As [`StepRecord::empty`].
    #[serde(flatten, with = "eval_empty_prefix")]
    pub empty: Option<PairMeans>,
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

/// Values of each single answer of a batch, still on the device, `[7, answers]`.
pub(crate) fn per_example<B: Backend>(
    kto: &Kto,
    output: &KtoOutput<B>,
    answers: &Side<B>,
    desirable: Tensor<B, 1>,
) -> Tensor<B, 2> {
    let n = desirable.dims();
    let log_probs = answers.policy.clone().detach() * answers.mask.clone();
    let point = output.kl.clone().expand(n);
    Tensor::stack(
        vec![
            output.per_example.clone().detach(),
            output.rewards.clone(),
            log_probs.sum_dim(1).reshape(n),
            output.rewards.clone() / kto.beta,
            desirable,
            point.clone(),
            point * kto.beta,
        ],
        0,
    )
}

/// The values of [`per_pair`] or [`per_example`] on the host.
#[derive(Clone, Debug)]
pub(crate) struct PairValues {
    values: Vec<f32>,
    pairs: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pairs { has_kl: bool },
    Single,
}

impl PairValues {
    pub(crate) fn read<B: Backend>(tensor: Tensor<B, 2>) -> Self {
        let [rows, pairs] = tensor.dims();
        let values = tensor.into_data().iter::<f32>().collect();
        let kind = match rows {
            7 => Kind::Single,
            n => Kind::Pairs { has_kl: n == 8 },
        };
        Self {
            values,
            pairs,
            kind,
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
        self.pairs += values.pairs as f64;
        self.loss += sum(values.row(0));
        match values.kind {
            Kind::Pairs { has_kl } => self.add_pairs(values, has_kl),
            Kind::Single => self.add_single(values),
        }
    }

    fn add_pairs(&mut self, values: &PairValues, has_kl: bool) {
        let n = values.pairs as f64;
        self.answers = self.answers.map(|answers| answers + n);
        self.chosen_rewards += sum(values.row(1));
        self.rejected_rewards += sum(values.row(2));
        let both = values.row(1).iter().zip(values.row(2));
        self.correct += both.filter(|(w, l)| w > l).count() as f64;
        self.chosen_logps += sum(values.row(3));
        self.rejected_logps += sum(values.row(4));
        self.granule_accuracies += sum(values.row(5));
        if has_kl {
            let [chosen, rejected] = self.kl.unwrap_or_default();
            self.kl = Some([chosen + sum(values.row(6)), rejected + sum(values.row(7))]);
        }
    }

    /// Wanted answers count as chosen ones, the others as rejected. An answer is right where its
    /// reward is on its side of the reference point.
    fn add_single(&mut self, values: &PairValues) {
        let rows: [&[f32]; 6] = std::array::from_fn(|k| values.row(k + 1));
        let [rewards, logps, ratios, desirable, points, thresholds] = rows;
        let mut kl = self.kl.unwrap_or_default();
        for i in 0..values.pairs {
            let reward = f64::from(rewards[i]);
            let is_wanted = desirable[i] > 0.5;
            let (sum_of_rewards, sum_of_logps) = match is_wanted {
                true => (&mut self.chosen_rewards, &mut self.chosen_logps),
                false => (&mut self.rejected_rewards, &mut self.rejected_logps),
            };
            *sum_of_rewards += reward;
            *sum_of_logps += f64::from(logps[i]);
            let side = usize::from(!is_wanted);
            self.answers[side] += 1.0;
            kl[side] += f64::from(ratios[i]);
            let is_right = (rewards[i] > thresholds[i]) == is_wanted;
            self.correct += f64::from(u8::from(is_right));
            self.granule_accuracies += f64::from(u8::from(is_right));
        }
        self.kl = Some(kl);
        self.reference_point = Some(self.reference_point.unwrap_or_default() + sum(points));
    }

    /// Means over the pairs, or over the answers of either kind.
    pub fn means(&self) -> PairMeans {
        let mean = |sum: f64| sum / self.pairs.max(1.0);
        let of_chosen = |sum: f64| sum / self.answers[0].max(1.0);
        let of_rejected = |sum: f64| sum / self.answers[1].max(1.0);
        let [chosen_rewards, rejected_rewards] = [
            of_chosen(self.chosen_rewards),
            of_rejected(self.rejected_rewards),
        ];
        PairMeans {
            loss: mean(self.loss),
            chosen_rewards,
            rejected_rewards,
            accuracies: mean(self.correct),
            margins: chosen_rewards - rejected_rewards,
            chosen_logps: of_chosen(self.chosen_logps),
            rejected_logps: of_rejected(self.rejected_logps),
            granule_accuracies: mean(self.granule_accuracies),
            chosen_kl: self.kl.map(|[chosen, _]| of_chosen(chosen)),
            rejected_kl: self.kl.map(|[_, rejected]| of_rejected(rejected)),
            reference_point: self.reference_point.map(mean),
        }
    }
}

fn sum(row: &[f32]) -> f64 {
    row.iter().map(|&v| f64::from(v)).sum()
}

/// Means under names that begin with a word: TRL's `eval_loss`, `eval_rewards/margins`, ….
mod prefixed {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use serde_json::{Map, Value};

    use super::PairMeans;

    pub(super) fn write<S: Serializer>(
        prefix: &str,
        means: Option<&PairMeans>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        let value = serde_json::to_value(means).map_err(serde::ser::Error::custom)?;
        let fields = value.as_object().into_iter().flatten();
        let prefixed: Map<String, Value> = fields
            .map(|(key, value)| (format!("{prefix}{key}"), value.clone()))
            .collect();
        prefixed.serialize(s)
    }

    /// None where no name begins so.
    pub(super) fn read<'de, D: Deserializer<'de>>(
        prefix: &str,
        d: D,
    ) -> Result<Option<PairMeans>, D::Error> {
        let prefixed = BTreeMap::<String, Value>::deserialize(d)?;
        let plain: Map<String, Value> = prefixed
            .into_iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value)))
            .collect();
        match plain.contains_key("loss") {
            true => serde_json::from_value(Value::Object(plain)).map_err(D::Error::custom),
            false => Ok(None),
        }
    }
}

/// Evaluations.
mod eval_prefix {
    use serde::{Deserializer, Serializer, de::Error};

    use super::{PairMeans, prefixed};

    pub(super) fn serialize<S: Serializer>(means: &PairMeans, s: S) -> Result<S::Ok, S::Error> {
        prefixed::write("eval_", Some(means), s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<PairMeans, D::Error> {
        let means = prefixed::read("eval_", d)?;
        means.ok_or_else(|| D::Error::custom("no evaluation"))
    }
}

/// Pairs with emptied traces, in training and in evaluations.
macro_rules! optional_prefix {
    ($name:ident, $prefix:literal) => {
        mod $name {
            use serde::{Deserializer, Serializer};

            use super::{PairMeans, prefixed};

            pub(super) fn serialize<S: Serializer>(
                means: &Option<PairMeans>,
                s: S,
            ) -> Result<S::Ok, S::Error> {
                prefixed::write($prefix, means.as_ref(), s)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                d: D,
            ) -> Result<Option<PairMeans>, D::Error> {
                prefixed::read($prefix, d)
            }
        }
    };
}

optional_prefix!(empty_prefix, "empty_");
optional_prefix!(eval_empty_prefix, "eval_empty_");
