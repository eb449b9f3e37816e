//! Logistic links that take the lengths of the answers into account. In: granule sums and token
//! counts of both sides. Out: one loss per granule.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::{Link, margin};
use crate::granules::GranuleSums;
use crate::math::log_sigmoid;

/// `−log σ(β S_w/n_w − β S_l/n_l − γ)` (SimPO, Meng et al. 2024). `S` is a sum of
/// log-probs, so no reference is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimPo {
    /// Scale `β` of the mean log-probs, `> 0`. Default of the configuration: 2.
    pub beta: f64,
    /// Target `γ` for the difference of the rewards, `≥ 0`, absolute and not a fraction of `β`.
    /// Default of the configuration: 0.5.
    pub gamma: f64,
}

impl<B: Backend> Link<B> for SimPo {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let margin = self.reward(chosen) - self.reward(rejected);
        -log_sigmoid(margin - self.gamma)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.mean() * self.beta
    }
}

/// `−log σ(βΔ − α(n_w − n_l))`, `Δ = S_w − S_l` (R-DPO, Park et al. 2024, with the sign of table 7
/// of Jiang et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthRegularized {
    /// Scale `β` of the margin, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
    /// Penalty `α ≥ 0` on the scaled margin for each token by which the chosen answer is longer.
    /// Default of the configuration: 0.05.
    pub alpha: f64,
}

impl<B: Backend> Link<B> for LengthRegularized {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let n_longer = chosen.n_tokens() - rejected.n_tokens();
        -log_sigmoid(margin(chosen, rejected) * self.beta - n_longer * self.alpha)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}
