//! The logistic link of DPO and its two treatments of noisy labels.

use burn::tensor::{Tensor, backend::Backend};

use super::{Link, margin};
use crate::granules::GranuleSums;
use crate::math::log_sigmoid;

/// `−(1−ε) log σ(βΔ) − ε log σ(−βΔ)`, `Δ = S_w − S_l`.
///
/// DPO (Rafailov et al. 2023, eq. 7) at `ε = 0`; conservative DPO (Mitchell 2023) above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logistic {
    /// Scale `β` of the margin, `> 0`.
    pub beta: f64,
    /// Probability `ε` that a label is wrong, `0 ≤ ε < 0.5`.
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

/// `(−(1−ε) log σ(βΔ) + ε log σ(−βΔ)) / (1−2ε)`: unbiased under labels flipped with probability
/// `ε` (robust DPO, Chowdhury et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustLogistic {
    /// Scale `β` of the margin, `> 0`.
    pub beta: f64,
    /// Probability `ε` that a label is flipped, `0 ≤ ε < 0.5`.
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
