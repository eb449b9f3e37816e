//! The choices that each published method makes. In: a method and its fields. Out: a [`Preset`],
//! which still lacks the settings that all methods have.

use super::error::ObjectiveConfigError;
use super::fields::{Domain, Fields};
use super::granularity::{
    ASPECT_WEIGHTS_1D, ASPECT_WEIGHTS_2D, GranularityConfig, read_parts, read_ranked,
};
use super::link::LinkConfig;
use super::method::Method;
use super::weight::WeightConfig;
use crate::granularity::Adaptive;
use crate::link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Logistic, Nca, NoPreference,
    OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};
use crate::objective::{BradleyTerry, Kto};
use crate::reward::TokenReward;
use crate::segments::N_ASPECTS;
use crate::weight::{Confidence, ReferenceConfidence, SharedLength, TemporalDecay};

/// A method whose own settings are read.
pub(super) enum Preset {
    /// An objective over pairs. The settings that all objectives over pairs have are still to be
    /// read.
    Pairwise(PairwisePreset),
    /// KTO, complete.
    Kto(Kto),
    /// BVPO, whose settings are still to be read.
    Bvpo,
    /// A sum, whose terms are still to be read.
    Sum,
    /// SFT. The preset is used if it is a part of another objective.
    Sft(PairwisePreset),
    /// Bradley-Terry, complete.
    BradleyTerry(BradleyTerry),
    /// Scores of segments, complete.
    Segments,
}

/// The choices that a method over pairs makes.
pub(super) struct PairwisePreset {
    pub(super) reward: TokenReward,
    pub(super) link: LinkConfig,
    /// Weights given in the configuration multiply fixed weights and replace default weights.
    pub(super) weights: Setting<Vec<WeightConfig>>,
    /// If it is fixed, the configuration cannot give another one.
    pub(super) granularity: Setting<GranularityConfig>,
    /// Default of the setting `sft_coefficient`.
    pub(super) sft_coefficient: f64,
}

/// Whether a choice defines the method or is only its default.
pub(super) enum Setting<T> {
    Fixed(T),
    Default(T),
}

impl PairwisePreset {
    fn new(reward: TokenReward, link: LinkConfig) -> Self {
        Self {
            reward,
            link,
            weights: Setting::Default(Vec::new()),
            granularity: Setting::Default(GranularityConfig::Whole),
            sft_coefficient: 0.0,
        }
    }

    fn with_default_weight(mut self, weight: WeightConfig) -> Self {
        self.weights = Setting::Default(vec![weight]);
        self
    }

    fn with_fixed_weight(mut self, weight: WeightConfig) -> Self {
        self.weights = Setting::Fixed(vec![weight]);
        self
    }
}

/// ADPO's default granularity, from the paper's experiments on mathematics.
const ADAPTIVE: Setting<GranularityConfig> =
    Setting::Default(GranularityConfig::Adaptive(Adaptive { max_granules: 256 }));

/// BMC's weights with the paper's `δ` for question answering.
const BMC: WeightConfig = WeightConfig::Confidence(Confidence {
    delta: 3.0,
    reference: ReferenceConfidence::Policy,
});

impl Preset {
    /// Reads the settings that only this method has.
    pub(super) fn read(method: Method, fields: &mut Fields) -> Result<Self, ObjectiveConfigError> {
        use TokenReward::{LogProb, LogRatio, LogRatioWithKl};
        let new = PairwisePreset::new;
        let preset = match method {
            Method::Dpo => new(LogRatio, logistic(fields, 0.1)?),
            Method::DpoBmc => new(LogRatio, logistic(fields, 0.05)?).with_default_weight(BMC),
            Method::D2po => new(LogRatio, logistic(fields, 0.1)?)
                .with_default_weight(WeightConfig::TemporalDecay(TemporalDecay { gamma: 0.98 })),
            Method::LdDpo => new(LogRatio, logistic(fields, 0.1)?)
                .with_default_weight(WeightConfig::SharedLength(SharedLength { alpha: 0.5 })),
            Method::Adpo => PairwisePreset {
                granularity: ADAPTIVE,
                ..new(LogRatio, logistic(fields, 0.1)?)
            },
            Method::Cdpo => {
                new(LogRatio, logistic(fields, 0.1)?).with_fixed_weight(WeightConfig::Importance)
            }
            Method::Cadpo => PairwisePreset {
                granularity: ADAPTIVE,
                ..new(LogRatio, logistic(fields, 0.1)?).with_fixed_weight(WeightConfig::Importance)
            },
            Method::Hipo => {
                let link = logistic(fields, 0.1)?;
                let parts = read_parts(fields, Method::Hipo.name(), "part_weights")?;
                PairwisePreset {
                    granularity: Setting::Fixed(GranularityConfig::Parts(parts)),
                    ..new(LogRatio, link)
                }
            }
            Method::Dpo2d => ranked_segments(fields, ASPECT_WEIGHTS_2D)?,
            Method::Dpo1d => ranked_segments(fields, ASPECT_WEIGHTS_1D)?,
            Method::Robust => new(
                LogRatio,
                LinkConfig::RobustLogistic(RobustLogistic {
                    beta: beta(fields)?,
                    label_smoothing: fields.number("label_smoothing", 0.1, Domain::BelowHalf)?,
                }),
            ),
            Method::Hinge => {
                let beta = beta(fields)?;
                new(LogRatio, LinkConfig::Hinge(Hinge { beta }))
            }
            Method::Ipo => new(LogRatio, squared(fields)?),
            Method::IpoBmc => new(LogRatio, squared(fields)?).with_default_weight(BMC),
            Method::SimPo => new(LogProb, simpo(fields)?),
            Method::SimPoBmc => new(LogProb, simpo(fields)?).with_default_weight(BMC),
            Method::Rdpo => new(LogRatio, rdpo(fields)?),
            Method::RdpoBmc => new(LogRatio, rdpo(fields)?).with_default_weight(BMC),
            Method::Orpo => new(LogProb, orpo(fields)?),
            Method::OrpoBmc => new(LogProb, orpo(fields)?).with_default_weight(BMC),
            Method::Exo => new(
                LogRatio,
                LinkConfig::Exo(Exo {
                    beta: beta(fields)?,
                    label_smoothing: fields.number(
                        "label_smoothing",
                        1e-3,
                        Domain::PositiveBelowHalf,
                    )?,
                }),
            ),
            Method::Nca => {
                let beta = beta(fields)?;
                new(LogRatio, LinkConfig::Nca(Nca { beta }))
            }
            Method::Sppo => {
                let beta = beta(fields)?;
                new(LogRatio, LinkConfig::Sppo(Sppo { beta }))
            }
            Method::ApoZero => {
                let beta = beta(fields)?;
                new(LogRatio, LinkConfig::ApoZero(ApoZero { beta }))
            }
            Method::ApoDown => {
                let beta = beta(fields)?;
                new(LogRatio, LinkConfig::ApoDown(ApoDown { beta }))
            }
            Method::DiscoPop => new(
                LogRatio,
                LinkConfig::DiscoPop(DiscoPop {
                    beta: beta(fields)?,
                    tau: fields.number("tau", 0.05, Domain::PositiveUnit)?,
                }),
            ),
            Method::Tdpo1 => {
                let reward = LogRatioWithKl {
                    alpha: 1.0,
                    stop_chosen: false,
                };
                new(reward, logistic_without_smoothing(fields)?)
            }
            Method::Tdpo2 => {
                let link = logistic_without_smoothing(fields)?;
                let reward = LogRatioWithKl {
                    alpha: fields.number("alpha", 0.5, Domain::NonNegative)?,
                    stop_chosen: true,
                };
                new(reward, link)
            }
            Method::Figa => {
                let link = LinkConfig::Figa(Figa {
                    alpha: fields.number("alpha", 1.0, Domain::NonNegative)?,
                    beta: fields.number("beta", 0.5, Domain::NonNegative)?,
                });
                new(LogProb, link).with_fixed_weight(WeightConfig::Varied)
            }
            Method::Sft => {
                return Ok(Preset::Sft(PairwisePreset {
                    sft_coefficient: 1.0,
                    ..new(LogProb, LinkConfig::NoPreference(NoPreference))
                }));
            }
            Method::Kto => return Ok(Preset::Kto(kto(fields)?)),
            Method::Bvpo => return Ok(Preset::Bvpo),
            Method::Sum => return Ok(Preset::Sum),
            Method::BradleyTerry => {
                let key = "center_rewards_coefficient";
                return Ok(Preset::BradleyTerry(BradleyTerry {
                    center_rewards_coefficient: fields.number(key, 0.0, Domain::NonNegative)?,
                }));
            }
            Method::Segments => return Ok(Preset::Segments),
        };
        Ok(Preset::Pairwise(preset))
    }
}

fn beta(fields: &mut Fields) -> Result<f64, ObjectiveConfigError> {
    fields.number("beta", 0.1, Domain::Positive)
}

fn logistic(fields: &mut Fields, beta: f64) -> Result<LinkConfig, ObjectiveConfigError> {
    Ok(LinkConfig::Logistic(Logistic {
        beta: fields.number("beta", beta, Domain::Positive)?,
        label_smoothing: fields.number("label_smoothing", 0.0, Domain::BelowHalf)?,
    }))
}

fn logistic_without_smoothing(fields: &mut Fields) -> Result<LinkConfig, ObjectiveConfigError> {
    Ok(LinkConfig::Logistic(Logistic {
        beta: beta(fields)?,
        label_smoothing: 0.0,
    }))
}

/// 2D-DPO with these default aspect weights.
fn ranked_segments(
    fields: &mut Fields,
    aspect_weights: [f64; N_ASPECTS],
) -> Result<PairwisePreset, ObjectiveConfigError> {
    let link = logistic(fields, 0.2)?;
    let ranked = read_ranked(fields, aspect_weights)?;
    Ok(PairwisePreset {
        granularity: Setting::Fixed(GranularityConfig::Ranked(ranked)),
        ..PairwisePreset::new(TokenReward::LogRatio, link)
    })
}

fn squared(fields: &mut Fields) -> Result<LinkConfig, ObjectiveConfigError> {
    let tau = fields.optional_number("tau", Domain::Positive)?;
    // TRL's name for tau
    let beta = fields.optional_number("beta", Domain::Positive)?;
    if tau.is_some() && beta.is_some() {
        return Err(ObjectiveConfigError::Exclusive {
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

fn rdpo(fields: &mut Fields) -> Result<LinkConfig, ObjectiveConfigError> {
    Ok(LinkConfig::LengthRegularized(LengthRegularized {
        beta: beta(fields)?,
        alpha: fields.number("alpha", 0.05, Domain::NonNegative)?,
    }))
}

fn orpo(fields: &mut Fields) -> Result<LinkConfig, ObjectiveConfigError> {
    Ok(LinkConfig::OddsRatio(OddsRatio {
        lambda: fields.number("lambda", 0.1, Domain::Positive)?,
    }))
}

fn simpo(fields: &mut Fields) -> Result<LinkConfig, ObjectiveConfigError> {
    let beta = fields.number("beta", 2.0, Domain::Positive)?;
    let gamma = fields.optional_number("gamma", Domain::NonNegative)?;
    let ratio = fields.optional_number("gamma_beta_ratio", Domain::NonNegative)?;
    let gamma = match (gamma, ratio) {
        (Some(_), Some(_)) => {
            return Err(ObjectiveConfigError::Exclusive {
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

fn kto(fields: &mut Fields) -> Result<Kto, ObjectiveConfigError> {
    Ok(Kto {
        beta: beta(fields)?,
        desirable_weight: fields.number("desirable_weight", 1.0, Domain::NonNegative)?,
        undesirable_weight: fields.number("undesirable_weight", 1.0, Domain::NonNegative)?,
    })
}
