//! Links of methods related to DPO. In: granule sums of both sides. Out: one loss per granule.

use burn::tensor::{Tensor, activation::sigmoid, backend::Backend};

use super::interface::{Link, margin};
use crate::granules::GranuleSums;
use crate::math::log_sigmoid;

/// `q (log q − log(1−ε)) + q̄ (log q̄ − log ε)`, `q = σ(βΔ)`, `q̄ = σ(−βΔ)`: the reverse KL
/// divergence from the smoothed label (EXO, Ji et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exo {
    /// Scale `β` of the margin, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
    /// Smoothing `ε` of the label, `0 < ε < 0.5`. Default of the configuration: 0.001.
    pub label_smoothing: f64,
}

impl<B: Backend> Link<B> for Exo {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let logits = margin(chosen, rejected) * self.beta;
        let term = |logits: Tensor<B, 2>, label: f64| {
            let log_q = log_sigmoid(logits);
            log_q.clone().exp() * (log_q - label.ln())
        };
        term(logits.clone(), 1.0 - self.label_smoothing) + term(-logits, self.label_smoothing)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}

/// `−log σ(βS_w) − ½ log σ(−βS_w) − ½ log σ(−βS_l)` (NCA for pairs, Chen et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nca {
    /// Scale `β` of the rewards, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
}

impl<B: Backend> Link<B> for Nca {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let (w, l) = (self.reward(chosen), self.reward(rejected));
        -log_sigmoid(w.clone()) - log_sigmoid(-w) * 0.5 - log_sigmoid(-l) * 0.5
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}

/// `(S_w − 1/(2β))² + (S_l + 1/(2β))²` (SPPO with hard labels, Wu et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sppo {
    /// `β > 0`. The loss is least where the sums are `1/(2β)` and `−1/(2β)` nats. Default of the
    /// configuration: 0.1.
    pub beta: f64,
}

impl<B: Backend> Link<B> for Sppo {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let target = 1.0 / (2.0 * self.beta);
        (chosen.reward.clone() - target).square() + (rejected.reward.clone() + target).square()
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}

/// `1 − σ(βS_w) + σ(βS_l)` (APO-zero, D'Oosterlinck et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApoZero {
    /// Scale `β` of the rewards, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
}

impl<B: Backend> Link<B> for ApoZero {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        sigmoid(-self.reward(chosen)) + sigmoid(self.reward(rejected))
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}

/// `σ(βS_w) + 1 − σ(βΔ)`, `Δ = S_w − S_l` (APO-down, D'Oosterlinck et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApoDown {
    /// Scale `β` of the rewards, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
}

impl<B: Backend> Link<B> for ApoDown {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        sigmoid(self.reward(chosen)) + sigmoid(margin(chosen, rejected) * -self.beta)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}

/// `(1−k)(−log σ(βΔ)) + k e^{−βΔ}`, `k = σ(βΔ/τ)`: the log-ratio modulated loss
/// of DiscoPOP (Lu et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DiscoPop {
    /// Scale `β` of the margin, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
    /// Temperature `τ` of the modulation, `0 < τ ≤ 1`. Above 1 the loss would grow exponentially
    /// for negative margins. Default of the configuration: 0.05.
    pub tau: f64,
}

impl<B: Backend> Link<B> for DiscoPop {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let logits = margin(chosen, rejected) * self.beta;
        let modulation = logits.clone() / self.tau; // k = σ(modulation)
        let logistic = -log_sigmoid(logits.clone()) * sigmoid(-modulation.clone());
        // k e^{−βΔ} as one exponential; as two factors it would be 0 · ∞ for a large negative
        // margin
        let exponential = (log_sigmoid(modulation) - logits).exp();
        logistic + exponential
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}
