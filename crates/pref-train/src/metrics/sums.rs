//! Sums over rows, tokens or segments, which become means. In: the values of batches. Out: [`Means`].

use pref_core::N_ASPECTS;
use serde::{Deserialize, Serialize};

use super::means::{Means, RewardMeans, SegmentMeans, TokenMeans};
use super::pair_sums::{PairSums, add_pairwise, sum};
use super::values::{RowValues, ValueKind};

/// Sums over the values of some batches of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) enum Sums {
    /// Nothing was added so far.
    #[default]
    Nothing,
    Pairs(PairSums),
    Tokens(TokenSums),
    Rewards(RewardSums),
    Segments(SegmentSums),
}

/// Sums over the tokens of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenSums {
    loss: f64,
    n_tokens: f64,
    n_correct: f64,
    /// Sum of the entropies, nats, and number of tokens, if they are measured.
    #[serde(default)]
    entropy: Option<[f64; 2]>,
}

/// Sums over pairs that a reward model scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RewardSums {
    pairs: f64,
    loss: f64,
    n_correct: f64,
    margins: f64,
    rewards: f64,
    /// The least and the largest reward.
    extremes: Option<[f64; 2]>,
}

/// Sums over segments that a reward model scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SegmentSums {
    segments: f64,
    loss: f64,
    /// Number of segments whose score is right after rounding, for each aspect.
    n_correct: [f64; N_ASPECTS],
}

impl Sums {
    /// Whether nothing was added so far.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Sums::Nothing)
    }

    /// Adds the values of a batch. All batches of a run have values of the same kind.
    pub(crate) fn add(&mut self, values: &RowValues) {
        if self.is_empty() {
            *self = match values.kind() {
                ValueKind::Pairs { .. } | ValueKind::Answers => Sums::Pairs(PairSums::default()),
                ValueKind::Tokens => Sums::Tokens(TokenSums::default()),
                ValueKind::Rewards => Sums::Rewards(RewardSums::default()),
                ValueKind::Segments => Sums::Segments(SegmentSums::default()),
            };
        }
        match self {
            Sums::Nothing => {}
            Sums::Pairs(sums) => sums.add(values),
            Sums::Tokens(sums) => sums.add(values),
            Sums::Rewards(sums) => sums.add(values),
            Sums::Segments(sums) => sums.add(values),
        }
    }

    /// The means. Without any value they are those of no pairs.
    pub(crate) fn means(&self) -> Means {
        match self {
            Sums::Nothing => Means::Pairs(PairSums::default().means()),
            Sums::Pairs(sums) => Means::Pairs(sums.means()),
            Sums::Tokens(sums) => Means::Tokens(sums.means()),
            Sums::Rewards(sums) => Means::Rewards(sums.means()),
            Sums::Segments(sums) => Means::Segments(sums.means()),
        }
    }
}

impl TokenSums {
    fn add(&mut self, values: &RowValues) {
        self.loss += sum(values.row(0));
        self.n_tokens += sum(values.row(1));
        self.n_correct += sum(values.row(2));
        self.entropy = add_pairwise(self.entropy, values.entropy());
    }

    fn means(&self) -> TokenMeans {
        let mean = |sum: f64| sum / self.n_tokens.max(1.0);
        TokenMeans {
            loss: mean(self.loss),
            mean_token_accuracy: mean(self.n_correct),
            entropy: self.entropy.map(|[sum, n]| sum / n.max(1.0)),
        }
    }
}

impl RewardSums {
    fn add(&mut self, values: &RowValues) {
        self.pairs += values.n() as f64;
        self.loss += sum(values.row(0));
        let both = values.row(1).iter().zip(values.row(2));
        for (&chosen, &rejected) in both {
            let (chosen, rejected) = (f64::from(chosen), f64::from(rejected));
            self.n_correct += f64::from(u8::from(chosen > rejected));
            self.margins += chosen - rejected;
            self.rewards += chosen + rejected;
            let [least, largest] = self.extremes.unwrap_or([chosen, chosen]);
            self.extremes = Some([
                least.min(chosen).min(rejected),
                largest.max(chosen).max(rejected),
            ]);
        }
    }

    fn means(&self) -> RewardMeans {
        let mean = |sum: f64| sum / self.pairs.max(1.0);
        let [min_reward, max_reward] = self.extremes.unwrap_or_default();
        RewardMeans {
            loss: mean(self.loss),
            accuracy: mean(self.n_correct),
            margin: mean(self.margins),
            min_reward,
            mean_reward: mean(self.rewards) / 2.0,
            max_reward,
        }
    }
}

impl SegmentSums {
    fn add(&mut self, values: &RowValues) {
        self.segments += values.n() as f64;
        self.loss += sum(values.row(0));
        for (aspect, n_correct) in self.n_correct.iter_mut().enumerate() {
            let predicted = values.row(1 + aspect).iter();
            let both = predicted.zip(values.row(1 + N_ASPECTS + aspect));
            let is_right = |(predicted, given): &(&f32, &f32)| predicted.round() == given.round();
            *n_correct += both.filter(is_right).count() as f64;
        }
    }

    fn means(&self) -> SegmentMeans {
        let mean = |sum: f64| sum / self.segments.max(1.0);
        let [helpfulness, correctness, safety, completeness, clarity] = self.n_correct.map(mean);
        SegmentMeans {
            loss: mean(self.loss),
            accuracy: mean(self.n_correct.iter().sum::<f64>()) / N_ASPECTS as f64,
            helpfulness,
            correctness,
            safety,
            completeness,
            clarity,
        }
    }
}
