//! Compositions without a meaning. In: a pairwise objective's choices. Out: nothing, or the error
//! that names the setting and says why not.

use super::error::ConfigError;
use super::method::Method;
use super::pairwise::{GranularityConfig, LinkConfig, PairwiseConfig, WeightConfig};
use crate::divergence::Divergence;
use crate::pairwise::TokenReward;
use crate::weight::SharedLength;

impl PairwiseConfig {
    pub(super) fn refuse_meaningless(&self, method: Method) -> Result<(), ConfigError> {
        let refuse = |setting: &str, why| {
            Err(ConfigError::Meaningless {
                method: method.name(),
                setting: setting.to_owned(),
                why,
            })
        };
        if matches!(self.link, LinkConfig::NoPreference(_)) {
            if !self.weights.is_empty() {
                return refuse("token_weights", "there is no token reward to weigh");
            }
            if self.granularity != GranularityConfig::Whole {
                return refuse("a granularity", "there is nothing to compare by granules");
            }
        }
        if self.divergence != Divergence::ReverseKl {
            if self.reward != TokenReward::LogRatio {
                return refuse(
                    "f_divergence_type",
                    "its token reward is no log-ratio of policy and reference",
                );
            }
            if !self.link.takes_scores() {
                return refuse(
                    "f_divergence_type",
                    "only dpo, robust, hinge, ipo, exo, discopop and what is built on them compare scores of another divergence",
                );
            }
        }
        if self.reward == TokenReward::LogProb
            && self.link.averages()
            && let Some((setting, why)) = self.may_leave_granules_empty()
        {
            return refuse(setting, why);
        }
        Ok(())
    }

    /// The setting, if there is such, that can leave a granule without a token of weight above 0 on
    /// one side, and how. Adaptive granules and ranked segments hold a token at least, and weights
    /// in the data are the data's choice.
    fn may_leave_granules_empty(&self) -> Option<(&'static str, &'static str)> {
        const NO_TOKEN: &str = "an answer may have no token in a granule, and a mean over none would read as probability 1; use adaptive or ranked";
        match self.granularity {
            GranularityConfig::Static(_) => return Some(("static granularity", NO_TOKEN)),
            GranularityConfig::Parts(_) => return Some(("granularity by parts", NO_TOKEN)),
            GranularityConfig::Whole
            | GranularityConfig::Adaptive(_)
            | GranularityConfig::Ranked(_) => {}
        }
        let is_whole = self.granularity == GranularityConfig::Whole;
        let may_be_zero = |weight: &WeightConfig| match *weight {
            WeightConfig::Varied => Some((
                "token_weights of kind varied",
                "an answer may have no varied token, and weights of 0 throughout would read as probability 1; use confidence",
            )),
            // of a whole answer the first tokens are always shared
            WeightConfig::SharedLength(SharedLength { alpha }) if alpha == 0.0 && !is_whole => {
                Some((
                    "granules and token_weights of kind shared_length with alpha 0",
                    "a granule may lie beyond the shared length, and weights of 0 throughout would read as probability 1; use an alpha above 0",
                ))
            }
            WeightConfig::SharedLength(_)
            | WeightConfig::Confidence(_)
            | WeightConfig::Importance
            | WeightConfig::TemporalDecay(_)
            | WeightConfig::Given => None,
        };
        self.weights.iter().find_map(may_be_zero)
    }
}

impl LinkConfig {
    /// Whether the loss is a function of the difference of the sides' scores, so that the scores
    /// can be those of any f-divergence.
    fn takes_scores(self) -> bool {
        match self {
            LinkConfig::Logistic(_)
            | LinkConfig::RobustLogistic(_)
            | LinkConfig::Hinge(_)
            | LinkConfig::Squared(_)
            | LinkConfig::Exo(_)
            | LinkConfig::DiscoPop(_) => true,
            LinkConfig::SimPo(_)
            | LinkConfig::LengthRegularized(_)
            | LinkConfig::OddsRatio(_)
            | LinkConfig::Nca(_)
            | LinkConfig::Sppo(_)
            | LinkConfig::ApoZero(_)
            | LinkConfig::ApoDown(_)
            | LinkConfig::Figa(_)
            | LinkConfig::NoPreference(_) => false,
        }
    }

    /// Whether the loss looks at the mean of a granule's rewards, as that of reference-free methods
    /// does: figa's is linear in the sum, to which an empty granule adds nothing.
    fn averages(self) -> bool {
        match self {
            LinkConfig::SimPo(_) | LinkConfig::OddsRatio(_) => true,
            LinkConfig::Squared(link) => link.length_average,
            LinkConfig::Logistic(_)
            | LinkConfig::RobustLogistic(_)
            | LinkConfig::Hinge(_)
            | LinkConfig::LengthRegularized(_)
            | LinkConfig::Exo(_)
            | LinkConfig::Nca(_)
            | LinkConfig::Sppo(_)
            | LinkConfig::ApoZero(_)
            | LinkConfig::ApoDown(_)
            | LinkConfig::DiscoPop(_)
            | LinkConfig::Figa(_)
            | LinkConfig::NoPreference(_) => false,
        }
    }
}
