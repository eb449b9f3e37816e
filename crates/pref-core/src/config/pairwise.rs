//! A pairwise objective as closed enums. In: checked choices. Out: what they need of the data, and
//! the objective for a backend.

use burn::tensor::backend::Backend;

use super::granularity::GranularityConfig;
use super::link::LinkConfig;
use super::needs::Needs;
use super::weight::WeightConfig;
use crate::divergence::Divergence;
use crate::objective::PairwiseObjective;
use crate::reward::TokenReward;

/// The checked choices of an objective over pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct PairwiseConfig {
    /// Token reward `ρ_t`.
    pub reward: TokenReward,
    /// Token weights `w_t`, which are multiplied. An empty list means 1 for every token.
    pub weights: Vec<WeightConfig>,
    /// Which tokens of the two answers are compared with each other.
    pub granularity: GranularityConfig,
    /// The f-divergence, which turns a granule sum into a score.
    pub divergence: Divergence,
    /// The function from granule sums to a loss.
    pub link: LinkConfig,
    /// Factor of the SFT term `−Σ p_t / n_w` on the chosen side, `≥ 0`.
    pub sft_coefficient: f64,
}

impl PairwiseConfig {
    /// The data that the objective needs.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs {
            reference: self.reward != TokenReward::LogProb,
            kl: matches!(self.reward, TokenReward::LogRatioWithKl { .. }),
            parts: matches!(self.granularity, GranularityConfig::Parts(_)),
            segments: matches!(self.granularity, GranularityConfig::Ranked(_)),
            ..Needs::default()
        };
        for weight in &self.weights {
            match weight {
                WeightConfig::Confidence(_) | WeightConfig::Varied => needs.varied = true,
                WeightConfig::Importance => needs.importance = true,
                WeightConfig::Given => needs.weights = true,
                WeightConfig::TemporalDecay(_) | WeightConfig::SharedLength(_) => {}
            }
        }
        needs
    }

    /// The objective for a backend.
    pub fn build<B: Backend>(&self) -> PairwiseObjective<B> {
        PairwiseObjective {
            reward: self.reward,
            weights: self.weights.iter().map(|weight| weight.build()).collect(),
            granularity: self.granularity.build(),
            divergence: self.divergence,
            link: self.link.build(),
            sft_coefficient: self.sft_coefficient,
        }
    }
}
