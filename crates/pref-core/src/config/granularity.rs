//! The setting `granularity`. In: JSON. Out: a [`GranularityConfig`], the same as JSON with every
//! default spelled out, and the granularity for a backend.

use std::collections::BTreeMap;

use burn::tensor::backend::Backend;
use serde_json::{Value, json};

use super::error::{ObjectiveConfigError, suggestion};
use super::fields::{Domain, Fields, as_count, as_number};
use crate::granularity::{Adaptive, Granularity, Parts, Ranked, Static, Whole};
use crate::segments::N_ASPECTS;

/// 2D-DPO's weights of helpfulness, correctness, safety, completeness, clarity.
pub(super) const ASPECT_WEIGHTS_2D: [f64; N_ASPECTS] = [0.3, 0.4, 0.1, 0.1, 0.1];
/// 1D-DPO's weights: helpfulness alone.
pub(super) const ASPECT_WEIGHTS_1D: [f64; N_ASPECTS] = [1.0, 0.0, 0.0, 0.0, 0.0];

/// The granularities that a configuration can name.
#[derive(Clone, Debug, PartialEq)]
pub enum GranularityConfig {
    /// `"whole"`.
    Whole,
    /// `{"static": 8}`: the number of tokens per granule.
    Static(Static),
    /// `{"adaptive": 256}`: the maximum number of granules per pair.
    Adaptive(Adaptive),
    /// `{"parts": {"weights": {"answer": 1.0}, "response_weight": 0.0}}`.
    Parts(Parts),
    /// `{"ranked": {"aspect_weights": [0.3, 0.4, 0.1, 0.1, 0.1], "equivalent_beta": true}}`.
    Ranked(Ranked),
}

/// The words that name a granularity.
#[derive(Clone, Copy)]
enum Kind {
    Whole,
    Static,
    Adaptive,
    Parts,
    Ranked,
}

const KINDS: [(&str, Kind); 5] = [
    ("whole", Kind::Whole),
    ("static", Kind::Static),
    ("adaptive", Kind::Adaptive),
    ("parts", Kind::Parts),
    ("ranked", Kind::Ranked),
];

impl GranularityConfig {
    /// Reads `"whole"`, or an object with one key.
    pub(super) fn read(value: &Value) -> Result<Self, ObjectiveConfigError> {
        let wrong = |found: &str| ObjectiveConfigError::WrongType {
            key: "granularity".to_owned(),
            expected: format!(
                "\"whole\", or one of {{\"static\": k}}, {{\"adaptive\": m}}, {{\"parts\": {{…}}}}, {{\"ranked\": {{…}}}}{}",
                suggestion(found, &KINDS.map(|(name, _)| name))
            ),
            found: value.to_string(),
        };
        let (word, setting) = match value {
            Value::String(word) => (word.as_str(), &Value::Null),
            Value::Object(map) => match map.iter().next() {
                Some((word, setting)) if map.len() == 1 => (word.as_str(), setting),
                Some(_) | None => return Err(wrong("")),
            },
            _ => return Err(wrong("")),
        };
        let kind = KINDS.iter().find(|(name, _)| *name == word);
        let (_, kind) = kind.ok_or_else(|| wrong(word))?;
        match kind {
            Kind::Whole if setting.is_null() => Ok(GranularityConfig::Whole),
            Kind::Whole => Err(wrong(word)),
            Kind::Static => Ok(GranularityConfig::Static(Static {
                tokens_per_granule: as_count("granularity.static", setting)?,
            })),
            Kind::Adaptive => Ok(GranularityConfig::Adaptive(Adaptive {
                max_granules: as_count("granularity.adaptive", setting)?,
            })),
            Kind::Parts => {
                let mut fields = Fields::new("granularity.parts", setting)?;
                let parts = read_parts(&mut fields, "granularity.parts", "weights")?;
                fields.finish()?;
                Ok(GranularityConfig::Parts(parts))
            }
            Kind::Ranked => {
                let mut fields = Fields::new("granularity.ranked", setting)?;
                let ranked = read_ranked(&mut fields, ASPECT_WEIGHTS_2D)?;
                fields.finish()?;
                Ok(GranularityConfig::Ranked(ranked))
            }
        }
    }

    /// The granularity as JSON, every default spelled out.
    pub(super) fn to_value(&self) -> Value {
        match self {
            GranularityConfig::Whole => json!("whole"),
            GranularityConfig::Static(Static { tokens_per_granule }) => {
                json!({"static": tokens_per_granule})
            }
            GranularityConfig::Adaptive(Adaptive { max_granules }) => {
                json!({"adaptive": max_granules})
            }
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

    /// The granularity for a backend.
    pub(super) fn build<B: Backend>(&self) -> Box<dyn Granularity<B>> {
        match self {
            GranularityConfig::Whole => Box::new(Whole),
            GranularityConfig::Static(granularity) => Box::new(*granularity),
            GranularityConfig::Adaptive(granularity) => Box::new(*granularity),
            GranularityConfig::Parts(granularity) => Box::new(granularity.clone()),
            GranularityConfig::Ranked(granularity) => Box::new(granularity.clone()),
        }
    }
}

/// Reads `{label: weight}` under `key`, and `response_weight`.
pub(super) fn read_parts(
    fields: &mut Fields,
    owner: &'static str,
    key: &'static str,
) -> Result<Parts, ObjectiveConfigError> {
    const EXPECTED: &str =
        "a weight for each part, such as {\"context\": 0.2, \"reasoning\": 0.5, \"answer\": 0.3}";
    let required = || ObjectiveConfigError::Required {
        owner,
        key,
        expected: EXPECTED,
    };
    let weights = match fields.take(key).ok_or_else(required)? {
        Value::Object(map) if !map.is_empty() => map,
        other => return Err(ObjectiveConfigError::wrong_type(key, EXPECTED, &other)),
    };
    let weights: BTreeMap<String, f64> = weights
        .iter()
        .map(|(label, weight)| {
            let path = format!("{key}.{label}");
            as_number(&path, weight, Domain::NonNegative).map(|weight| (label.clone(), weight))
        })
        .collect::<Result<_, _>>()?;
    fields.resolve(key, json!(weights));
    let response_weight = fields.number("response_weight", 0.0, Domain::NonNegative)?;
    Ok(Parts {
        weights,
        response_weight,
    })
}

/// Reads `aspect_weights` and `equivalent_beta`.
pub(super) fn read_ranked(
    fields: &mut Fields,
    default: [f64; N_ASPECTS],
) -> Result<Ranked, ObjectiveConfigError> {
    const KEY: &str = "aspect_weights";
    const EXPECTED: &str = "five numbers (helpfulness, correctness, safety, completeness, clarity)";
    let aspect_weights = match fields.take(KEY) {
        None => default,
        Some(value) => {
            let numbers: Vec<f64> = value
                .as_array()
                .ok_or_else(|| ObjectiveConfigError::wrong_type(KEY, EXPECTED, &value))?
                .iter()
                .map(|weight| as_number(KEY, weight, Domain::NonNegative))
                .collect::<Result<_, _>>()?;
            <[f64; N_ASPECTS]>::try_from(numbers)
                .map_err(|_| ObjectiveConfigError::wrong_type(KEY, EXPECTED, &value))?
        }
    };
    let sum: f64 = aspect_weights.iter().sum();
    if (sum - 1.0).abs() > 1e-6 {
        return Err(ObjectiveConfigError::Sum { key: KEY, sum });
    }
    fields.resolve(KEY, json!(aspect_weights));
    Ok(Ranked {
        aspect_weights,
        equivalent_beta: fields.flag("equivalent_beta", true)?,
    })
}
