//! Objectives made of pairwise ones: BVPO's mixture of two sets, and weighted sums.

use serde_json::{Value, json};

use super::error::ConfigError;
use super::fields::{Domain, Fields, as_number};
use super::{ObjectiveConfig, ObjectiveKind, PairwiseConfig};
use crate::bvpo::{BvpoAlpha, BvpoConfig};

/// One summand of a weighted sum.
#[derive(Clone, Debug, PartialEq)]
pub struct TermConfig {
    /// Factor of its loss, `≥ 0`.
    pub weight: f64,
    /// What it computes.
    pub objective: PairwiseConfig,
}

pub(super) fn bvpo(fields: &mut Fields) -> Result<BvpoConfig, ConfigError> {
    let alpha = match fields.take("alpha") {
        None => BvpoAlpha::Fixed(0.5),
        Some(Value::String(word)) if word == "optimal" => BvpoAlpha::Optimal,
        Some(Value::String(other)) => {
            let expected = "a number from 0 to 1, or \"optimal\"";
            return Err(ConfigError::wrong_type("alpha", expected, &json!(other)));
        }
        Some(number) => BvpoAlpha::Fixed(as_number("alpha", &number, Domain::Unit)?),
    };
    match alpha {
        BvpoAlpha::Fixed(alpha) => fields.resolve("alpha", alpha),
        BvpoAlpha::Optimal => fields.resolve("alpha", "optimal"),
    }
    let inner = fields.take("inner").ok_or(ConfigError::Required {
        owner: "bvpo",
        key: "inner",
        expected: "the pairwise objective of both sets, such as {\"method\": \"dpo\"}",
    })?;
    let (inner, resolved) = pairwise(
        &inner,
        "bvpo",
        "an inner objective",
        "both of its sets hold pairs",
    )?;
    fields.resolve("inner", resolved);
    Ok(BvpoConfig { alpha, inner })
}

pub(super) fn sum(fields: &mut Fields) -> Result<Vec<TermConfig>, ConfigError> {
    const EXPECTED: &str = "a list of objectives, such as [{\"method\": \"dpo\", \"weight\": 0.8}, {\"method\": \"sft\"}]";
    let list = match fields.take("terms") {
        None => {
            return Err(ConfigError::Required {
                owner: "sum",
                key: "terms",
                expected: EXPECTED,
            });
        }
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(other) => return Err(ConfigError::wrong_type("terms", EXPECTED, &other)),
    };
    let mut terms = Vec::with_capacity(list.len());
    let mut resolved = Vec::with_capacity(list.len());
    for (i, mut value) in list.into_iter().enumerate() {
        let weight = value
            .as_object_mut()
            .and_then(|term| term.shift_remove("weight"));
        let weight = match weight {
            None => 1.0,
            Some(weight) => as_number(&format!("terms[{i}].weight"), &weight, Domain::NonNegative)?,
        };
        let (objective, mut spelled) =
            pairwise(&value, "sum", "a term", "its terms share their pairs")?;
        spelled["weight"] = json!(weight);
        terms.push(TermConfig { weight, objective });
        resolved.push(spelled);
    }
    fields.resolve("terms", resolved);
    Ok(terms)
}

/// An objective over pairs, and the same spelled out.
fn pairwise(
    value: &Value,
    method: &'static str,
    place: &str,
    why: &'static str,
) -> Result<(PairwiseConfig, Value), ConfigError> {
    let config = ObjectiveConfig::from_value(value)?;
    match config.kind {
        ObjectiveKind::Pairwise(pairwise) => Ok((pairwise, Value::Object(config.resolved))),
        ObjectiveKind::Kto(_) | ObjectiveKind::Bvpo(_) | ObjectiveKind::Sum(_) => {
            Err(ConfigError::Meaningless {
                method,
                setting: format!("{place} of {}", config.method.name()),
                why,
            })
        }
    }
}
