//! Means over pairs. In: sums divided by counts. Out: named values, with the names that TRL gives them.

use serde::{Deserialize, Serialize};

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
}
