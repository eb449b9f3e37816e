//! A pairwise objective as closed enums. In: a method's name and settings. Out:
//! [`PairwiseConfig`], from which [`PairwiseConfig::build`] makes the objective for a backend.

use burn::tensor::backend::Backend;
use serde_json::{Value, json};

use super::Needs;
use super::error::ConfigError;
use super::fields::{Domain, Fields};
use super::method::Method;
use super::modifiers::{
    divergence, granularity, granularity_to_value, token_weights, weight_to_value,
};
use super::preset::Preset;
use crate::divergence::Divergence;
use crate::granularity::{Adaptive, Granularity, Parts, Ranked, Static, Whole};
use crate::link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Link, Logistic, Nca,
    NoPreference, OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};
use crate::pairwise::{PairwiseObjective, TokenReward};
use crate::weight::{
    Confidence, Given, Importance, SharedLength, TemporalDecay, TokenWeight, Varied,
};

/// A checked choice of token reward, weights, granularity, link and SFT term.
#[derive(Clone, Debug, PartialEq)]
pub struct PairwiseConfig {
    /// Token reward `ρ_t`.
    pub reward: TokenReward,
    /// Token weights, multiplied; none means 1.
    pub weights: Vec<WeightConfig>,
    /// What is compared with what.
    pub granularity: GranularityConfig,
    /// What a granule's log-ratio is worth.
    pub divergence: Divergence,
    /// From sums to losses.
    pub link: LinkConfig,
    /// Weight of `−Σ p_t / n_w` on the chosen side.
    pub sft_coefficient: f64,
}

/// The token weights there are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "each variant is documented on the type it holds or is named after"
)]
pub enum WeightConfig {
    Confidence(Confidence),
    Importance,
    TemporalDecay(TemporalDecay),
    SharedLength(SharedLength),
    Varied,
    Given,
}

/// The granularities there are.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "each variant is documented on the type it holds or is named after"
)]
pub enum GranularityConfig {
    Whole,
    Static(Static),
    Adaptive(Adaptive),
    Parts(Parts),
    Ranked(Ranked),
}

/// The links there are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    missing_docs,
    reason = "each variant is documented on the type it holds"
)]
pub enum LinkConfig {
    Logistic(Logistic),
    RobustLogistic(RobustLogistic),
    Hinge(Hinge),
    Squared(Squared),
    SimPo(SimPo),
    LengthRegularized(LengthRegularized),
    OddsRatio(OddsRatio),
    Exo(Exo),
    Nca(Nca),
    Sppo(Sppo),
    ApoZero(ApoZero),
    ApoDown(ApoDown),
    DiscoPop(DiscoPop),
    Figa(Figa),
    NoPreference(NoPreference),
}

impl PairwiseConfig {
    pub(super) fn read(method: Method, fields: &mut Fields) -> Result<Self, ConfigError> {
        let preset = Preset::read(method, fields)?;

        let given = match fields.take("token_weights") {
            None => preset.default_weights,
            Some(value) => token_weights(&value)?,
        };
        // the method's own weights are said by its name
        match given.as_slice() {
            [] => {}
            [one] => fields.resolve("token_weights", weight_to_value(one)),
            many => {
                let list: Vec<Value> = many.iter().map(weight_to_value).collect();
                fields.resolve("token_weights", json!(list));
            }
        }
        let mut weights = preset.own_weights;
        weights.extend(given);

        let granularity = match (preset.own_granularity, fields.take("granularity")) {
            (Some(own), None) => own,
            (None, None) => preset.default_granularity,
            (None, Some(value)) => granularity(&value)?,
            (Some(own), Some(value)) => {
                let given = granularity(&value)?;
                if given != own {
                    return Err(ConfigError::Meaningless {
                        method: method.name(),
                        setting: format!("granularity {value}"),
                        why: "the method is a granularity of its own",
                    });
                }
                own
            }
        };
        match granularity {
            GranularityConfig::Whole => {}
            GranularityConfig::Parts(_) | GranularityConfig::Ranked(_)
                if matches!(method, Method::Hipo | Method::TwoDDpo | Method::OneDDpo) => {}
            _ => fields.resolve("granularity", granularity_to_value(&granularity)),
        }

        let sft_coefficient = fields.number(
            "sft_coefficient",
            preset.sft_coefficient,
            Domain::NonNegative,
        )?;
        let divergence = divergence(fields)?;
        let config = Self {
            reward: preset.reward,
            weights,
            granularity,
            divergence,
            link: preset.link,
            sft_coefficient,
        };
        config.refuse_meaningless(method)?;
        Ok(config)
    }

    /// What the data must hold.
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
            weights: self.weights.iter().map(WeightConfig::build).collect(),
            granularity: self.granularity.build(),
            divergence: self.divergence,
            link: self.link.build(),
            sft_coefficient: self.sft_coefficient,
        }
    }
}

impl WeightConfig {
    fn build<B: Backend>(&self) -> Box<dyn TokenWeight<B>> {
        match *self {
            WeightConfig::Confidence(weight) => Box::new(weight),
            WeightConfig::Importance => Box::new(Importance),
            WeightConfig::TemporalDecay(weight) => Box::new(weight),
            WeightConfig::SharedLength(weight) => Box::new(weight),
            WeightConfig::Varied => Box::new(Varied),
            WeightConfig::Given => Box::new(Given),
        }
    }
}

impl GranularityConfig {
    fn build<B: Backend>(&self) -> Box<dyn Granularity<B>> {
        match self {
            GranularityConfig::Whole => Box::new(Whole),
            GranularityConfig::Static(granularity) => Box::new(*granularity),
            GranularityConfig::Adaptive(granularity) => Box::new(*granularity),
            GranularityConfig::Parts(granularity) => Box::new(granularity.clone()),
            GranularityConfig::Ranked(granularity) => Box::new(granularity.clone()),
        }
    }
}

impl LinkConfig {
    fn build<B: Backend>(self) -> Box<dyn Link<B>> {
        match self {
            LinkConfig::Logistic(link) => Box::new(link),
            LinkConfig::RobustLogistic(link) => Box::new(link),
            LinkConfig::Hinge(link) => Box::new(link),
            LinkConfig::Squared(link) => Box::new(link),
            LinkConfig::SimPo(link) => Box::new(link),
            LinkConfig::LengthRegularized(link) => Box::new(link),
            LinkConfig::OddsRatio(link) => Box::new(link),
            LinkConfig::Exo(link) => Box::new(link),
            LinkConfig::Nca(link) => Box::new(link),
            LinkConfig::Sppo(link) => Box::new(link),
            LinkConfig::ApoZero(link) => Box::new(link),
            LinkConfig::ApoDown(link) => Box::new(link),
            LinkConfig::DiscoPop(link) => Box::new(link),
            LinkConfig::Figa(link) => Box::new(link),
            LinkConfig::NoPreference(link) => Box::new(link),
        }
    }
}
