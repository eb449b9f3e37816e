//! Means over pairs, with the names that TRL gives them.

use serde::{Deserialize, Serialize};

/// Means over pairs, or over single answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMeans {
    /// Loss.
    pub loss: f64,
    /// Reward of the chosen answers.
    #[serde(rename = "rewards/chosen")]
    pub chosen_rewards: f64,
    /// Reward of the rejected answers.
    #[serde(rename = "rewards/rejected")]
    pub rejected_rewards: f64,
    /// Fraction of pairs whose chosen answer has the higher reward.
    #[serde(rename = "rewards/accuracies")]
    pub accuracies: f64,
    /// Chosen reward minus rejected reward.
    #[serde(rename = "rewards/margins")]
    pub margins: f64,
    /// Log-prob of the chosen answers, summed over tokens, nats.
    #[serde(rename = "logps/chosen")]
    pub chosen_logps: f64,
    /// Log-prob of the rejected answers, summed over tokens, nats.
    #[serde(rename = "logps/rejected")]
    pub rejected_logps: f64,
    /// Fraction of a pair's granules whose chosen side has the higher reward, averaged over pairs.
    #[serde(rename = "rewards/granule_accuracies")]
    pub granule_accuracies: f64,
    /// Estimate of the KL to the reference on the chosen answers, `Σ d_t`, nats.
    #[serde(rename = "kl/chosen", default, skip_serializing_if = "Option::is_none")]
    pub chosen_kl: Option<f64>,
    /// Estimate of the KL to the reference on the rejected answers, nats.
    #[serde(
        rename = "kl/rejected",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rejected_kl: Option<f64>,
    /// Estimate of the KL to the reference from answers to other prompts, for kto, nats.
    #[serde(rename = "kl", default, skip_serializing_if = "Option::is_none")]
    pub reference_point: Option<f64>,
}
