//! Means over rows, tokens or segments. In: sums divided by counts. Out: named values, with the names that
//! TRL gives them.

use serde::{Deserialize, Serialize};

/// The means of a run, by the kind of its objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Means {
    /// Over pairs, or over the single answers of kto.
    Pairs(PairMeans),
    /// Over the tokens of answers (sft).
    Tokens(TokenMeans),
    /// Over pairs that a reward model scores (bradley-terry).
    Rewards(RewardMeans),
    /// Over segments that a reward model scores (segments).
    Segments(SegmentMeans),
}

impl Means {
    /// The mean loss.
    pub fn loss(&self) -> f64 {
        match self {
            Means::Pairs(means) => means.loss,
            Means::Tokens(means) => means.loss,
            Means::Rewards(means) => means.loss,
            Means::Segments(means) => means.loss,
        }
    }

    /// The means over pairs; `None` for an objective of another kind.
    pub fn pairs(&self) -> Option<&PairMeans> {
        match self {
            Means::Pairs(means) => Some(means),
            Means::Tokens(_) | Means::Rewards(_) | Means::Segments(_) => None,
        }
    }
}

/// Means over the tokens of answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenMeans {
    /// Mean negative log-prob of a token, nats.
    pub loss: f64,
    /// Fraction of tokens that the model gives the largest probability.
    pub mean_token_accuracy: f64,
    /// Mean entropy of the policy's next-token distributions over the counted tokens of the answers, nats. `None`
    /// if the plan does not ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
}

/// Means over pairs that a reward model scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardMeans {
    /// Mean loss, nats.
    pub loss: f64,
    /// Fraction of pairs whose chosen answer has the higher score.
    pub accuracy: f64,
    /// Mean score of the chosen answers minus mean score of the rejected answers.
    pub margin: f64,
    /// The least score.
    pub min_reward: f64,
    /// Mean score of all answers.
    pub mean_reward: f64,
    /// The largest score.
    pub max_reward: f64,
}

/// Means over segments that a reward model scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentMeans {
    /// Mean squared error of a score.
    pub loss: f64,
    /// Fraction of scores that are right after rounding, averaged over aspects.
    pub accuracy: f64,
    /// Fraction of segments whose helpfulness is right after rounding.
    #[serde(rename = "accuracy/helpfulness")]
    pub helpfulness: f64,
    /// The same for correctness.
    #[serde(rename = "accuracy/correctness")]
    pub correctness: f64,
    /// The same for safety.
    #[serde(rename = "accuracy/safety")]
    pub safety: f64,
    /// The same for completeness.
    #[serde(rename = "accuracy/completeness")]
    pub completeness: f64,
    /// The same for clarity.
    #[serde(rename = "accuracy/clarity")]
    pub clarity: f64,
}

/// Means over pairs, or over single answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMeans {
    /// Mean loss, nats.
    pub loss: f64,
    /// Implicit reward of the chosen answers, as the objective defines it.
    #[serde(rename = "rewards/chosen")]
    pub chosen_rewards: f64,
    /// Implicit reward of the rejected answers.
    #[serde(rename = "rewards/rejected")]
    pub rejected_rewards: f64,
    /// Fraction of pairs whose chosen answer has the higher reward. For single answers: fraction whose
    /// reward is above the reference point if they are desirable, and not above it if they are not.
    #[serde(rename = "rewards/accuracies")]
    pub accuracies: f64,
    /// Mean reward of the chosen answers minus mean reward of the rejected answers.
    #[serde(rename = "rewards/margins")]
    pub margins: f64,
    /// Log-prob of the chosen answers, summed over tokens, nats.
    #[serde(rename = "logps/chosen")]
    pub chosen_logps: f64,
    /// Log-prob of the rejected answers, summed over tokens, nats.
    #[serde(rename = "logps/rejected")]
    pub rejected_logps: f64,
    /// Fraction of a pair's granules whose chosen side has the higher reward, averaged over pairs. For single
    /// answers it equals `accuracies`.
    #[serde(rename = "rewards/granule_accuracies")]
    pub granule_accuracies: f64,
    /// Estimate of the KL to the reference from the chosen answers, `Σ_t d_t`, nats. `None` without
    /// reference log-probs.
    #[serde(rename = "kl/chosen", default, skip_serializing_if = "Option::is_none")]
    pub chosen_kl: Option<f64>,
    /// Estimate of the KL to the reference from the rejected answers, nats.
    #[serde(
        rename = "kl/rejected",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rejected_kl: Option<f64>,
    /// For kto: estimate of the KL to the reference from answers to other prompts, nats.
    #[serde(rename = "kl", default, skip_serializing_if = "Option::is_none")]
    pub reference_point: Option<f64>,
    /// Mean entropy of the policy's next-token distributions over the counted tokens of the answers, nats. `None`
    /// if the plan does not ask for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
}
