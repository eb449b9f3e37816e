//! A pairwise objective as closed enums, and the presets that published methods are.
//! In: a method's name and settings. Out: [`PairwiseConfig`], from which
//! [`PairwiseConfig::build`] makes the objective for a backend.

use burn::tensor::backend::Backend;
use serde_json::{Value, json};

use super::Needs;
use super::error::ConfigError;
use super::fields::{Domain, Fields};
use super::method::Method;
use super::modifiers::{
    ONE_D, TWO_D, divergence, granularity, granularity_to_value, parts, ranked, token_weights,
    weight_to_value,
};
use crate::divergence::Divergence;
use crate::granularity::{Adaptive, Granularity, Parts, Ranked, Static, Whole};
use crate::link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Link, Logistic, Nca,
    NoPreference, OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};
use crate::pairwise::{PairwiseObjective, TokenReward};
use crate::weight::{
    Confidence, Given, Importance, ReferenceConfidence, SharedLength, TemporalDecay, TokenWeight,
    Varied,
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

/// What a method fixes before the modifiers are read.
struct Preset {
    reward: TokenReward,
    link: LinkConfig,
    /// Weights that are the method: given ones are multiplied onto them.
    own_weights: Vec<WeightConfig>,
    /// Weights that are a default: given ones replace them.
    default_weights: Vec<WeightConfig>,
    /// A granularity that is the method: none can be given.
    own_granularity: Option<GranularityConfig>,
    default_granularity: GranularityConfig,
    sft_coefficient: f64,
}

impl Preset {
    fn new(reward: TokenReward, link: LinkConfig) -> Self {
        Self {
            reward,
            link,
            own_weights: Vec::new(),
            default_weights: Vec::new(),
            own_granularity: None,
            default_granularity: GranularityConfig::Whole,
            sft_coefficient: 0.0,
        }
    }

    /// The preset of a method, its settings read.
    fn read(method: Method, fields: &mut Fields) -> Result<Self, ConfigError> {
        use LinkConfig as L;
        use TokenReward::{LogProb, LogRatio, LogRatioWithKl};
        let bmc = || {
            vec![WeightConfig::Confidence(Confidence {
                delta: 3.0,
                reference: ReferenceConfidence::Policy,
            })]
        };
        let preset = match method {
            Method::Dpo => Self::new(LogRatio, logistic(fields, 0.1)?),
            Method::DpoBmc => Self {
                default_weights: bmc(),
                ..Self::new(LogRatio, logistic(fields, 0.05)?)
            },
            Method::D2po => Self {
                default_weights: vec![WeightConfig::TemporalDecay(TemporalDecay { gamma: 0.98 })],
                ..Self::new(LogRatio, logistic(fields, 0.1)?)
            },
            Method::LdDpo => Self {
                default_weights: vec![WeightConfig::SharedLength(SharedLength { alpha: 0.5 })],
                ..Self::new(LogRatio, logistic(fields, 0.1)?)
            },
            Method::Adpo => Self {
                default_granularity: GranularityConfig::Adaptive(Adaptive { granules: 256 }),
                ..Self::new(LogRatio, logistic(fields, 0.1)?)
            },
            Method::Cdpo => Self {
                own_weights: vec![WeightConfig::Importance],
                ..Self::new(LogRatio, logistic(fields, 0.1)?)
            },
            Method::Cadpo => Self {
                own_weights: vec![WeightConfig::Importance],
                default_granularity: GranularityConfig::Adaptive(Adaptive { granules: 256 }),
                ..Self::new(LogRatio, logistic(fields, 0.1)?)
            },
            Method::Hipo => {
                let link = logistic(fields, 0.1)?;
                Self {
                    own_granularity: Some(GranularityConfig::Parts(parts(
                        fields,
                        "hipo",
                        "part_weights",
                    )?)),
                    ..Self::new(LogRatio, link)
                }
            }
            Method::TwoDDpo | Method::OneDDpo => {
                let default = if method == Method::OneDDpo {
                    ONE_D
                } else {
                    TWO_D
                };
                let link = logistic(fields, 0.2)?;
                Self {
                    own_granularity: Some(GranularityConfig::Ranked(ranked(fields, default)?)),
                    ..Self::new(LogRatio, link)
                }
            }
            Method::Robust => Self::new(
                LogRatio,
                L::RobustLogistic(RobustLogistic {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                    label_smoothing: fields.number("label_smoothing", 0.1, Domain::BelowHalf)?,
                }),
            ),
            Method::Hinge => Self::new(
                LogRatio,
                L::Hinge(Hinge {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                }),
            ),
            Method::Ipo => Self::new(LogRatio, squared(fields)?),
            Method::IpoBmc => Self {
                default_weights: bmc(),
                ..Self::new(LogRatio, squared(fields)?)
            },
            Method::SimPo => Self::new(LogProb, simpo(fields)?),
            Method::SimPoBmc => Self {
                default_weights: bmc(),
                ..Self::new(LogProb, simpo(fields)?)
            },
            Method::Rdpo => Self::new(LogRatio, rdpo(fields)?),
            Method::RdpoBmc => Self {
                default_weights: bmc(),
                ..Self::new(LogRatio, rdpo(fields)?)
            },
            Method::Orpo => Self::new(LogProb, orpo(fields)?),
            Method::OrpoBmc => Self {
                default_weights: bmc(),
                ..Self::new(LogProb, orpo(fields)?)
            },
            Method::Exo => Self::new(
                LogRatio,
                L::Exo(Exo {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                    label_smoothing: fields.number(
                        "label_smoothing",
                        1e-3,
                        Domain::PositiveBelowHalf,
                    )?,
                }),
            ),
            Method::Nca => Self::new(
                LogRatio,
                L::Nca(Nca {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                }),
            ),
            Method::Sppo => Self::new(
                LogRatio,
                L::Sppo(Sppo {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                }),
            ),
            Method::ApoZero => Self::new(
                LogRatio,
                L::ApoZero(ApoZero {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                }),
            ),
            Method::ApoDown => Self::new(
                LogRatio,
                L::ApoDown(ApoDown {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                }),
            ),
            Method::DiscoPop => Self::new(
                LogRatio,
                L::DiscoPop(DiscoPop {
                    beta: fields.number("beta", 0.1, Domain::Positive)?,
                    tau: fields.number("tau", 0.05, Domain::PositiveUnit)?,
                }),
            ),
            Method::Tdpo1 => Self::new(
                LogRatioWithKl {
                    alpha: 1.0,
                    stop_chosen: false,
                },
                plain_logistic(fields)?,
            ),
            Method::Tdpo2 => {
                let link = plain_logistic(fields)?;
                let reward = LogRatioWithKl {
                    alpha: fields.number("alpha", 0.5, Domain::NonNegative)?,
                    stop_chosen: true,
                };
                Self::new(reward, link)
            }
            Method::Figa => Self {
                own_weights: vec![WeightConfig::Varied],
                ..Self::new(
                    LogProb,
                    L::Figa(Figa {
                        alpha: fields.number("alpha", 1.0, Domain::NonNegative)?,
                        beta: fields.number("beta", 0.5, Domain::NonNegative)?,
                    }),
                )
            },
            Method::Sft | Method::Kto | Method::Bvpo | Method::Sum => Self {
                sft_coefficient: 1.0,
                ..Self::new(LogProb, L::NoPreference(NoPreference))
            },
        };
        Ok(preset)
    }
}

fn logistic(fields: &mut Fields, beta: f64) -> Result<LinkConfig, ConfigError> {
    Ok(LinkConfig::Logistic(Logistic {
        beta: fields.number("beta", beta, Domain::Positive)?,
        label_smoothing: fields.number("label_smoothing", 0.0, Domain::BelowHalf)?,
    }))
}

fn plain_logistic(fields: &mut Fields) -> Result<LinkConfig, ConfigError> {
    Ok(LinkConfig::Logistic(Logistic {
        beta: fields.number("beta", 0.1, Domain::Positive)?,
        label_smoothing: 0.0,
    }))
}

fn squared(fields: &mut Fields) -> Result<LinkConfig, ConfigError> {
    Ok(LinkConfig::Squared(Squared {
        tau: fields.number("tau", 0.1, Domain::Positive)?,
        length_average: fields.flag("length_average", false)?,
    }))
}

fn rdpo(fields: &mut Fields) -> Result<LinkConfig, ConfigError> {
    Ok(LinkConfig::LengthRegularized(LengthRegularized {
        beta: fields.number("beta", 0.1, Domain::Positive)?,
        alpha: fields.number("alpha", 0.05, Domain::NonNegative)?,
    }))
}

fn orpo(fields: &mut Fields) -> Result<LinkConfig, ConfigError> {
    Ok(LinkConfig::OddsRatio(OddsRatio {
        lambda: fields.number("lambda", 0.1, Domain::Positive)?,
    }))
}

fn simpo(fields: &mut Fields) -> Result<LinkConfig, ConfigError> {
    let beta = fields.number("beta", 2.0, Domain::Positive)?;
    let gamma = fields.optional_number("gamma", Domain::NonNegative)?;
    let ratio = fields.optional_number("gamma_beta_ratio", Domain::NonNegative)?;
    let gamma = match (gamma, ratio) {
        (Some(_), Some(_)) => {
            return Err(ConfigError::Exclusive {
                first: "gamma",
                second: "gamma_beta_ratio",
            });
        }
        (Some(gamma), None) => gamma,
        (None, Some(ratio)) => ratio * beta,
        (None, None) => 0.5,
    };
    fields.resolve("gamma", gamma);
    Ok(LinkConfig::SimPo(SimPo { beta, gamma }))
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

    fn refuse_meaningless(&self, method: Method) -> Result<(), ConfigError> {
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
        if matches!(self.link, LinkConfig::OddsRatio(_))
            && matches!(
                self.granularity,
                GranularityConfig::Static(_) | GranularityConfig::Parts(_)
            )
        {
            return refuse(
                "static or part granularity",
                "a granule may be empty on one side, and no tokens have no odds; use adaptive or ranked",
            );
        }
        Ok(())
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
