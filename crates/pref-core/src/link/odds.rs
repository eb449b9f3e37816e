//! The odds-ratio link of ORPO.

use burn::tensor::{Tensor, backend::Backend};

use super::Link;
use crate::granules::GranuleSums;
use crate::math::{log_odds, log_sigmoid};

/// `−a_w − λ log σ(o_w − o_l)`, `a = S/n`, `o = a − log(1 − e^a)` (ORPO, Hong et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OddsRatio {
    /// Weight `λ` of the odds-ratio term, `> 0`.
    pub lambda: f64,
}

impl<B: Backend> Link<B> for OddsRatio {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let log_odds_ratio = log_odds(chosen.mean()) - log_odds(rejected.mean());
        -chosen.mean() - log_sigmoid(log_odds_ratio) * self.lambda
    }

    /// `λ a`, as TRL logs it.
    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.mean() * self.lambda
    }
}
