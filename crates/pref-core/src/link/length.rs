//! Logistic links that account for the lengths of the answers.

use burn::tensor::{Tensor, backend::Backend};

use super::{Link, margin};
use crate::granules::GranuleSums;
use crate::math::log_sigmoid;

/// `−log σ(β S_w/n_w − β S_l/n_l − γ)` (SimPO, Meng et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimPo {
    /// Scale `β` of the mean log-probs, `> 0`.
    pub beta: f64,
    /// Target margin `γ` of the rewards, absolute.
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

/// `−log σ(βΔ − α(n_w − n_l))` (R-DPO, Park et al. 2024, with the sign of BMC's table 7).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthRegularized {
    /// Scale `β` of the margin, `> 0`.
    pub beta: f64,
    /// Margin `α` asked for a token by which the chosen answer is longer.
    pub alpha: f64,
}

impl<B: Backend> Link<B> for LengthRegularized {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let longer = chosen.n_tokens() - rejected.n_tokens();
        -log_sigmoid(margin(chosen, rejected) * self.beta - longer * self.alpha)
    }

    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.reward.clone() * self.beta
    }
}
