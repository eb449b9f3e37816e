//! The odds-ratio link of ORPO. In: mean log-probs of both sides. Out: one loss per granule.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::Link;
use crate::granules::GranuleSums;
use crate::math::{log_odds, log_sigmoid};

/// `−a_w − λ log σ(o_w − o_l)`, `a = S/n`, `o = a − log(1 − e^a)` (ORPO, Hong et al. 2024).
///
/// A mean log-prob above −1e-6 counts as −1e-6, because its odds are infinite in f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OddsRatio {
    /// Weight `λ` of the odds-ratio term, `> 0`. Default of the configuration: 0.1.
    pub lambda: f64,
}

impl<B: Backend> Link<B> for OddsRatio {
    fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
        let log_odds_ratio = log_odds(chosen.mean()) - log_odds(rejected.mean());
        -chosen.mean() - log_sigmoid(log_odds_ratio) * self.lambda
    }

    /// `λ a`, as in TRL's metrics.
    fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
        side.mean() * self.lambda
    }
}
