//! Sums over pairs, which become means. In: the values of batches. Out: [`PairMeans`].

use serde::{Deserialize, Serialize};

use super::means::PairMeans;
use super::values::{RowValues, ValueKind};

/// Sums over the pairs, or single answers, of some batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PairSums {
    /// Number of pairs or single answers.
    pub pairs: f64,
    /// Number of chosen answers, and number of rejected answers.
    answers: [f64; 2],
    loss: f64,
    chosen_rewards: f64,
    rejected_rewards: f64,
    correct: f64,
    chosen_logps: f64,
    rejected_logps: f64,
    granule_accuracies: f64,
    /// Sums of the estimated KL, nats, of chosen and of rejected answers. `None` without reference log-probs.
    kl: Option<[f64; 2]>,
    reference_point: Option<f64>,
    /// Sum of the entropies, nats, and number of tokens, if they are measured.
    #[serde(default)]
    entropy: Option<[f64; 2]>,
}

impl PairSums {
    /// Adds the values of a batch of pairs, or of single answers.
    pub(super) fn add(&mut self, values: &RowValues) {
        self.pairs += values.n() as f64;
        self.loss += sum(values.row(0));
        self.entropy = add_pairwise(self.entropy, values.entropy());
        match values.kind() {
            ValueKind::Pairs { has_kl } => self.add_pairs(values, has_kl),
            ValueKind::Answers => self.add_single(values),
            ValueKind::Tokens | ValueKind::Rewards | ValueKind::Segments => {
                unreachable!("these values have sums of their own")
            }
        }
    }

    fn add_pairs(&mut self, values: &RowValues, has_kl: bool) {
        let n = values.n() as f64;
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

    /// Desirable answers count as chosen, undesirable answers as rejected. A desirable answer is correct if
    /// its reward is above the reference point, and an undesirable answer is correct if it is not.
    fn add_single(&mut self, values: &RowValues) {
        let rows: [&[f32]; 6] = std::array::from_fn(|k| values.row(k + 1));
        let [rewards, logps, ratios, desirable, points, thresholds] = rows;
        let mut kl = self.kl.unwrap_or_default();
        for i in 0..values.n() {
            let reward = f64::from(rewards[i]);
            let is_desirable = desirable[i] > 0.5;
            let (sum_of_rewards, sum_of_logps) = match is_desirable {
                true => (&mut self.chosen_rewards, &mut self.chosen_logps),
                false => (&mut self.rejected_rewards, &mut self.rejected_logps),
            };
            *sum_of_rewards += reward;
            *sum_of_logps += f64::from(logps[i]);
            let side = usize::from(!is_desirable);
            self.answers[side] += 1.0;
            kl[side] += f64::from(ratios[i]);
            let is_correct = (rewards[i] > thresholds[i]) == is_desirable;
            self.correct += f64::from(u8::from(is_correct));
            self.granule_accuracies += f64::from(u8::from(is_correct));
        }
        self.kl = Some(kl);
        self.reference_point = Some(self.reference_point.unwrap_or_default() + sum(points));
    }

    /// Means over the pairs. For single answers, rewards, log-probs and KL are means over the desirable or
    /// over the undesirable answers.
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
            entropy: self.entropy.map(|[sum, n]| sum / n.max(1.0)),
        }
    }
}

/// The sum of two pairs of numbers, if there are any.
pub(super) fn add_pairwise(a: Option<[f64; 2]>, b: Option<[f64; 2]>) -> Option<[f64; 2]> {
    match (a, b) {
        (Some([a, n]), Some([b, m])) => Some([a + b, n + m]),
        (Some(pair), None) | (None, Some(pair)) => Some(pair),
        (None, None) => None,
    }
}

pub(super) fn sum(row: &[f32]) -> f64 {
    row.iter().map(|&v| f64::from(v)).sum()
}
