//! Checks whether a combination of choices has a meaning. In: the choices of a pairwise objective.
//! Out: nothing, or an error that names the setting and gives the reason.

use super::error::ObjectiveConfigError;
use super::granularity::GranularityConfig;
use super::link::LinkConfig;
use super::method::Method;
use super::pairwise::PairwiseConfig;
use super::weight::WeightConfig;
use crate::divergence::Divergence;
use crate::reward::TokenReward;
use crate::weight::SharedLength;

/// A setting in words, and why it cannot be used.
type Objection = (&'static str, &'static str);

/// Refuses a combination without a meaning.
pub(super) fn check_combination(
    method: Method,
    config: &PairwiseConfig,
) -> Result<(), ObjectiveConfigError> {
    let objection = objection_without_preference(config)
        .or_else(|| objection_to_divergence(config))
        .or_else(|| objection_to_means(config));
    match objection {
        None => Ok(()),
        Some((setting, why)) => Err(ObjectiveConfigError::Meaningless {
            method: method.name(),
            setting: setting.to_owned(),
            why,
        }),
    }
}

/// An objective that is an SFT term alone has no token rewards.
fn objection_without_preference(config: &PairwiseConfig) -> Option<Objection> {
    if !matches!(config.link, LinkConfig::NoPreference(_)) {
        return None;
    }
    if !config.weights.is_empty() {
        let why = "it compares no answers, so there are no token rewards to weight";
        return Some(("token_weights", why));
    }
    if config.granularity != GranularityConfig::Whole {
        let why = "it compares no answers, so there is nothing to divide into granules";
        return Some(("a granularity", why));
    }
    None
}

/// An f-divergence other than the reverse KL needs log-ratios and a link that compares them.
fn objection_to_divergence(config: &PairwiseConfig) -> Option<Objection> {
    const KEY: &str = "f_divergence_type";
    if config.divergence == Divergence::ReverseKl {
        return None;
    }
    if config.reward != TokenReward::LogRatio {
        return Some((
            KEY,
            "an f-divergence needs the log-ratio of policy and reference as token reward",
        ));
    }
    if !config.link.compares_scores() {
        return Some((
            KEY,
            "an f-divergence needs a loss that depends only on the difference of the two sides: dpo, robust, hinge, ipo, exo, discopop, or a method built on them",
        ));
    }
    None
}

/// The mean over a granule without weighted tokens is 0. As a mean log-prob, 0 would be probability
/// 1.
///
/// Adaptive granules and ranked segments always hold a token. Weights given in the data may all be
/// 0; this is not checked.
fn objection_to_means(config: &PairwiseConfig) -> Option<Objection> {
    const NO_TOKEN: &str = "an answer may have no token in a granule, and the mean over no tokens is 0, which counts as probability 1; use adaptive or ranked granularity";
    if config.reward != TokenReward::LogProb || !config.link.uses_means() {
        return None;
    }
    let is_whole = match config.granularity {
        GranularityConfig::Static(_) => return Some(("static granularity", NO_TOKEN)),
        GranularityConfig::Parts(_) => return Some(("granularity by parts", NO_TOKEN)),
        GranularityConfig::Whole => true,
        GranularityConfig::Adaptive(_) | GranularityConfig::Ranked(_) => false,
    };
    config.weights.iter().find_map(|weight| match *weight {
        WeightConfig::Varied => Some((
            "token_weights of kind varied",
            "an answer may have no varied token; all its weights are then 0, and a mean of 0 counts as probability 1; use confidence weights",
        )),
        // the first token of an answer is always within the shared length
        WeightConfig::SharedLength(SharedLength { alpha }) if alpha == 0.0 && !is_whole => Some((
            "granules and token_weights of kind shared_length with alpha 0",
            "a granule may lie beyond the shared length; all its weights are then 0, and a mean of 0 counts as probability 1; use an alpha above 0",
        )),
        WeightConfig::SharedLength(_)
        | WeightConfig::Confidence(_)
        | WeightConfig::Importance
        | WeightConfig::TemporalDecay(_)
        | WeightConfig::Given => None,
    })
}
