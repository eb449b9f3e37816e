//! The logistic link of DPO, and two ways to treat labels that may be wrong. In: granule sums of
//! both sides. Out: one loss per granule.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::{Link, margin};
use crate::granules::GranuleSums;
use crate::math::log_sigmoid;

/// `−(1−ε) log σ(βΔ) − ε log σ(−βΔ)`, `Δ = S_w − S_l`.
///
/// With `ε = 0` this is DPO (Rafailov et al. 2023, eq. 7), with `ε > 0` conservative DPO (Mitchell
/// 2023).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Scale `β` of the margin, `> 0`. Default of the configuration: 0.1 for most methods.
    pub beta: f64,
    /// Probability `ε` that a label is wrong, `0 ≤ ε < 0.5`. Default of the configuration: 0.
    pub label_smoothing: f64,
}

impl<B: Backend> Link<B> for Logistic {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let logits = margin(chosen, rejected) * self.beta;
        let kept = log_sigmoid(logits.clone()) * (self.label_smoothing - 1.0);
        if self.label_smoothing == 0.0 {
            return kept;
        }
        kept - log_sigmoid(-logits) * self.label_smoothing
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}

/// `(−(1−ε) log σ(βΔ) + ε log σ(−βΔ)) / (1−2ε)`, `Δ = S_w − S_l`. If labels are flipped with
/// probability `ε`, its expectation is DPO's loss on the right labels (robust DPO, Chowdhury et al.
/// 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustLogistic {
    /// Scale `β` of the margin, `> 0`. Default of the configuration: 0.1 for most methods.
    pub beta: f64,
    /// Probability `ε` that a label is flipped, `0 ≤ ε < 0.5`. Default of the configuration: 0.1.
    pub label_smoothing: f64,
}

impl<B: Backend> Link<B> for RobustLogistic {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let logits = margin(chosen, rejected) * self.beta;
        let kept = log_sigmoid(logits.clone()) * (self.label_smoothing - 1.0);
        let flipped = log_sigmoid(-logits) * self.label_smoothing;
        (kept + flipped) / (1.0 - 2.0 * self.label_smoothing)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}
