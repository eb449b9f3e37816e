//! The settings of `sum`. In: the fields of an objective. Out: the terms of the sum, each checked.

use serde_json::{Value, json};

use super::error::ObjectiveConfigError;
use super::fields::{Domain, Fields, as_number};
use super::method::Method;
use super::pairwise::PairwiseConfig;
use super::reading::read_inner;

/// One objective of a weighted sum.
#[derive(Clone, Debug, PartialEq)]
pub struct TermConfig {
    /// Factor of its loss, `≥ 0`. Default 1.
    pub weight: f64,
    /// The objective.
    pub objective: PairwiseConfig,
}

/// Reads `terms`, at least one.
pub(super) fn read_sum(fields: &mut Fields) -> Result<Vec<TermConfig>, ObjectiveConfigError> {
    const EXPECTED: &str = "a list of objectives, such as [{\"method\": \"dpo\", \"weight\": 0.8}, {\"method\": \"sft\"}]";
    let list = match fields.take("terms") {
        None => {
            return Err(ObjectiveConfigError::Required {
                owner: Method::Sum.name(),
                key: "terms",
                expected: EXPECTED,
            });
        }
        Some(Value::Array(list)) if !list.is_empty() => list,
        Some(other) => return Err(ObjectiveConfigError::wrong_type("terms", EXPECTED, &other)),
    };
    let mut terms = Vec::with_capacity(list.len());
    let mut resolved = Vec::with_capacity(list.len());
    for (i, mut value) in list.into_iter().enumerate() {
        let weight = value
            .as_object_mut()
            .and_then(|term| term.shift_remove("weight"));
        let path = format!("terms[{i}]");
        let weight = match weight {
            None => 1.0,
            Some(weight) => as_number(&format!("{path}.weight"), &weight, Domain::NonNegative)?,
        };
        let why =
            "all terms are computed on the same pairs, so each must be an objective over pairs";
        let (objective, mut spelled_out) = read_inner(&value, Method::Sum, &path, "a term", why)?;
        spelled_out["weight"] = json!(weight);
        terms.push(TermConfig { weight, objective });
        resolved.push(spelled_out);
    }
    fields.resolve("terms", resolved);
    Ok(terms)
}
