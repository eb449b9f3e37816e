//! The modifiers that go with any method: `token_weights` and `granularity`.
//! In: their JSON. Out: checked enums, and the JSON with its defaults.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::{ConfigError, suggestion};
use super::fields::{Domain, Fields, as_count, as_number};
use super::pairwise::{GranularityConfig, WeightConfig};
use crate::divergence::Divergence;
use crate::granularity::{Adaptive, Parts, Ranked, Static};
use crate::segments::N_ASPECTS;
use crate::weight::{Confidence, ReferenceConfidence, SharedLength, TemporalDecay};

/// 2D-DPO's weights of helpfulness, correctness, safety, completeness, clarity.
pub(super) const TWO_D: [f64; N_ASPECTS] = [0.3, 0.4, 0.1, 0.1, 0.1];
/// Helpfulness alone.
pub(super) const ONE_D: [f64; N_ASPECTS] = [1.0, 0.0, 0.0, 0.0, 0.0];

/// One weight, or a list whose product is taken.
pub(super) fn token_weights(value: &Value) -> Result<Vec<WeightConfig>, ConfigError> {
    match value {
        Value::Array(list) => list.iter().map(token_weight).collect(),
        one => Ok(vec![token_weight(one)?]),
    }
}

fn token_weight(value: &Value) -> Result<WeightConfig, ConfigError> {
    const KINDS: [&str; 6] = [
        "confidence",
        "importance",
        "temporal_decay",
        "shared_length",
        "varied",
        "given",
    ];
    let mut fields = Fields::new("token_weights", value)?;
    let kind = fields.text("kind")?.unwrap_or_default();
    let weight = match kind.replace('-', "_").as_str() {
        "confidence" => WeightConfig::Confidence(Confidence {
            delta: fields.number("delta", 3.0, Domain::Positive)?,
            reference: match fields.text("reference")?.as_deref() {
                None | Some("policy") => ReferenceConfidence::Policy,
                Some("own") => ReferenceConfidence::Own,
                Some(other) => {
                    return Err(ConfigError::wrong_type(
                        "reference",
                        "\"policy\" or \"own\"",
                        &json!(other),
                    ));
                }
            },
        }),
        "importance" => WeightConfig::Importance,
        "temporal_decay" => WeightConfig::TemporalDecay(TemporalDecay {
            gamma: fields.number("gamma", 0.98, Domain::PositiveUnit)?,
        }),
        "shared_length" => WeightConfig::SharedLength(SharedLength {
            alpha: fields.number("alpha", 0.5, Domain::Unit)?,
        }),
        "varied" => WeightConfig::Varied,
        "given" => WeightConfig::Given,
        other => {
            return Err(ConfigError::WrongType {
                key: "token_weights.kind".to_owned(),
                expected: format!("one of {}{}", KINDS.join(", "), suggestion(other, &KINDS)),
                found: format!("{other:?}"),
            });
        }
    };
    fields.rename(&format!("token_weights of kind {kind}"));
    fields.finish()?;
    Ok(weight)
}

pub(super) fn weight_to_value(weight: &WeightConfig) -> Value {
    match weight {
        WeightConfig::Confidence(Confidence { delta, reference }) => {
            let reference = match reference {
                ReferenceConfidence::Policy => "policy",
                ReferenceConfidence::Own => "own",
            };
            json!({"kind": "confidence", "delta": delta, "reference": reference})
        }
        WeightConfig::Importance => json!({"kind": "importance"}),
        WeightConfig::TemporalDecay(TemporalDecay { gamma }) => {
            json!({"kind": "temporal_decay", "gamma": gamma})
        }
        WeightConfig::SharedLength(SharedLength { alpha }) => {
            json!({"kind": "shared_length", "alpha": alpha})
        }
        WeightConfig::Varied => json!({"kind": "varied"}),
        WeightConfig::Given => json!({"kind": "given"}),
    }
}

/// `"whole"`, or an object of one key.
pub(super) fn granularity(value: &Value) -> Result<GranularityConfig, ConfigError> {
    const KINDS: [&str; 5] = ["whole", "static", "adaptive", "parts", "ranked"];
    let wrong = |found: &str| ConfigError::WrongType {
        key: "granularity".to_owned(),
        expected: format!(
            "\"whole\", or one of {{\"static\": k}}, {{\"adaptive\": m}}, {{\"parts\": {{…}}}}, {{\"ranked\": {{…}}}}{}",
            suggestion(found, &KINDS)
        ),
        found: value.to_string(),
    };
    let (kind, setting) = match value {
        Value::String(kind) => (kind.as_str(), &Value::Null),
        Value::Object(map) => match map.iter().next() {
            Some((kind, setting)) if map.len() == 1 => (kind.as_str(), setting),
            _ => return Err(wrong("")),
        },
        _ => return Err(wrong("")),
    };
    match kind {
        "whole" if setting.is_null() => Ok(GranularityConfig::Whole),
        "static" => Ok(GranularityConfig::Static(Static {
            tokens: as_count("granularity.static", setting)?,
        })),
        "adaptive" => Ok(GranularityConfig::Adaptive(Adaptive {
            granules: as_count("granularity.adaptive", setting)?,
        })),
        "parts" => {
            let mut fields = Fields::new("granularity.parts", setting)?;
            let parts = parts(&mut fields, "granularity.parts", "weights")?;
            fields.finish()?;
            Ok(GranularityConfig::Parts(parts))
        }
        "ranked" => {
            let mut fields = Fields::new("granularity.ranked", setting)?;
            let ranked = ranked(&mut fields, TWO_D)?;
            fields.finish()?;
            Ok(GranularityConfig::Ranked(ranked))
        }
        other => Err(wrong(other)),
    }
}

pub(super) fn granularity_to_value(granularity: &GranularityConfig) -> Value {
    match granularity {
        GranularityConfig::Whole => json!("whole"),
        GranularityConfig::Static(Static { tokens }) => json!({"static": tokens}),
        GranularityConfig::Adaptive(Adaptive { granules }) => json!({"adaptive": granules}),
        GranularityConfig::Parts(parts) => json!({"parts": {
            "weights": parts.weights,
            "response_weight": parts.response_weight,
        }}),
        GranularityConfig::Ranked(ranked) => json!({"ranked": {
            "aspect_weights": ranked.aspect_weights,
            "equivalent_beta": ranked.equivalent_beta,
        }}),
    }
}

/// `f_divergence_type` and `f_alpha_divergence_coef`, as TRL names them.
pub(super) fn divergence(fields: &mut Fields) -> Result<Divergence, ConfigError> {
    const KEY: &str = "f_divergence_type";
    const COEFFICIENT: &str = "f_alpha_divergence_coef";
    const KINDS: [&str; 4] = [
        "reverse_kl",
        "forward_kl",
        "js_divergence",
        "alpha_divergence",
    ];
    let kind = fields.text(KEY)?.unwrap_or_else(|| KINDS[0].to_owned());
    let kind = kind.replace('-', "_");
    let alpha = fields.optional_number(COEFFICIENT, Domain::Finite)?;
    if alpha.is_some() && kind != "alpha_divergence" {
        return Err(ConfigError::WrongType {
            key: COEFFICIENT.to_owned(),
            expected: "left out, since only `f_divergence_type` alpha_divergence has it".to_owned(),
            found: kind,
        });
    }
    let divergence = match kind.as_str() {
        // the default is not spelled out: most methods have no other
        "reverse_kl" => return Ok(Divergence::ReverseKl),
        "forward_kl" => Divergence::ForwardKl,
        "js_divergence" => Divergence::JensenShannon,
        "alpha_divergence" => {
            let alpha = alpha.unwrap_or(0.5);
            fields.resolve(COEFFICIENT, alpha);
            Divergence::Alpha(alpha)
        }
        other => {
            return Err(ConfigError::WrongType {
                key: KEY.to_owned(),
                expected: format!("one of {}{}", KINDS.join(", "), suggestion(other, &KINDS)),
                found: format!("{other:?}"),
            });
        }
    };
    fields.resolve(KEY, kind);
    Ok(divergence)
}

/// `{label: weight}` under `key`, and `response_weight`.
pub(super) fn parts(
    fields: &mut Fields,
    owner: &'static str,
    key: &'static str,
) -> Result<Parts, ConfigError> {
    const EXPECTED: &str =
        "one weight a part, such as {\"context\": 0.2, \"reasoning\": 0.5, \"answer\": 0.3}";
    let required = || ConfigError::Required {
        owner,
        key,
        expected: EXPECTED,
    };
    let weights = match fields.take(key).ok_or_else(required)? {
        Value::Object(map) if !map.is_empty() => map,
        other => return Err(ConfigError::wrong_type(key, EXPECTED, &other)),
    };
    let weights: BTreeMap<String, f64> = weights
        .iter()
        .map(|(label, weight)| {
            let at = format!("{key}.{label}");
            as_number(&at, weight, Domain::NonNegative).map(|weight| (label.clone(), weight))
        })
        .collect::<Result<_, _>>()?;
    fields.resolve(key, json!(weights));
    let response_weight = fields.number("response_weight", 0.0, Domain::NonNegative)?;
    Ok(Parts {
        weights,
        response_weight,
    })
}

/// `aspect_weights` and `equivalent_beta`.
pub(super) fn ranked(
    fields: &mut Fields,
    default: [f64; N_ASPECTS],
) -> Result<Ranked, ConfigError> {
    const KEY: &str = "aspect_weights";
    const EXPECTED: &str = "five numbers: helpfulness, correctness, safety, completeness, clarity";
    let aspect_weights = match fields.take(KEY) {
        None => default,
        Some(value) => {
            let numbers: Vec<f64> = value
                .as_array()
                .ok_or_else(|| ConfigError::wrong_type(KEY, EXPECTED, &value))?
                .iter()
                .map(|weight| as_number(KEY, weight, Domain::NonNegative))
                .collect::<Result<_, _>>()?;
            <[f64; N_ASPECTS]>::try_from(numbers)
                .map_err(|_| ConfigError::wrong_type(KEY, EXPECTED, &value))?
        }
    };
    let sum: f64 = aspect_weights.iter().sum();
    if (sum - 1.0).abs() > 1e-6 {
        return Err(ConfigError::Sum { key: KEY, sum });
    }
    fields.resolve(KEY, json!(aspect_weights));
    Ok(Ranked {
        aspect_weights,
        equivalent_beta: fields.flag("equivalent_beta", true)?,
    })
}
