//! The presets that published methods are. In: a method and its settings. Out: token reward, link,
//! and the weights and granularity that the method is, or has by default.

use super::error::ConfigError;
use super::fields::{Domain, Fields};
use super::method::Method;
use super::modifiers::{ONE_D, TWO_D, parts, ranked};
use super::pairwise::{GranularityConfig, LinkConfig, WeightConfig};
use crate::granularity::Adaptive;
use crate::link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Logistic, Nca, NoPreference,
    OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};
use crate::pairwise::TokenReward;
use crate::weight::{Confidence, ReferenceConfidence, SharedLength, TemporalDecay};

/// What a method fixes before the modifiers are read.
pub(super) struct Preset {
    pub(super) reward: TokenReward,
    pub(super) link: LinkConfig,
    /// Weights that are the method: given ones are multiplied onto them.
    pub(super) own_weights: Vec<WeightConfig>,
    /// Weights that are a default: given ones replace them.
    pub(super) default_weights: Vec<WeightConfig>,
    /// A granularity that is the method: none can be given.
    pub(super) own_granularity: Option<GranularityConfig>,
    pub(super) default_granularity: GranularityConfig,
    pub(super) sft_coefficient: f64,
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
    pub(super) fn read(method: Method, fields: &mut Fields) -> Result<Self, ConfigError> {
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
    let tau = fields.optional_number("tau", Domain::Positive)?;
    // TRL's name for it
    let beta = fields.optional_number("beta", Domain::Positive)?;
    if tau.is_some() && beta.is_some() {
        return Err(ConfigError::Exclusive {
            first: "tau",
            second: "beta",
        });
    }
    let tau = tau.or(beta).unwrap_or(0.1);
    fields.resolve("tau", tau);
    Ok(LinkConfig::Squared(Squared {
        tau,
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
