//! The section `objective` of a plan. In: the settings of the objective in the order in which they were
//! given, and TRL's names of losses. Out: a checked objective. A setting that the method does not have
//! is refused, whether the method or the setting came first.

use pref_core::{Method, ObjectiveConfig, ObjectiveConfigError};
use serde_json::{Value, json};

use super::error::PlanError;
use super::keys::LOSS_TYPE;

/// A setting as a user gave it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    /// `section.key` as the plan spells it.
    pub(super) name: String,
    /// The key as the user spelled it.
    pub(super) spelled: String,
    pub(super) value: Value,
    /// Where it was given: a file, or `--set`.
    pub(super) origin: String,
}

impl Given {
    /// Whether the user spelled the key as this name of TRL.
    pub(super) fn is_spelled(&self, alias: &str) -> bool {
        self.spelled.replace('-', "_") == alias
    }
}

/// The objective of these settings. The method is dpo if no setting names one.
///
/// # Errors
/// [`PlanError::Value`] for an unknown method, or for a setting that the method does not have.
pub(super) fn objective(given: &[Given]) -> Result<ObjectiveConfig, PlanError> {
    let mut objective = json!({});
    for setting in given {
        let Some(path) = setting.name.strip_prefix("objective.") else {
            continue;
        };
        // `inner.method` is a setting of the inner objective
        let mut place = &mut objective;
        for name in path.split('.') {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[name];
        }
        *place = setting.value.clone();
    }
    let method = given.iter().find(|g| g.name == "objective.method");
    let implied = match method {
        None => json!({"method": "dpo"}),
        Some(method) if method.is_spelled(LOSS_TYPE) => {
            let implied = translated(&method.value)?;
            objective["method"] = implied["method"].clone();
            implied
        }
        Some(method) => {
            refuse_loss_type(&method.value)?;
            json!({})
        }
    };
    for (key, value) in implied.as_object().into_iter().flatten() {
        if objective.get(key).is_none() {
            objective[key] = value.clone();
        }
    }
    ObjectiveConfig::from_value(&objective).map_err(|error| {
        let origin = match &error {
            ObjectiveConfigError::UnknownKey { key, .. } => {
                let last = |g: &&Given| g.name.rsplit('.').next() == Some(key.as_str());
                let of_objective = |g: &&Given| g.name.starts_with("objective.");
                given.iter().filter(of_objective).find(last)
            }
            _ => None,
        };
        let origin = origin.map_or(String::new(), |g| {
            format!("; `{}` is set in {}", g.spelled, g.origin)
        });
        PlanError::Value {
            key: "objective".to_owned(),
            message: format!("{error}{origin}"),
        }
    })
}

/// The method of one of TRL's `loss_type`s, with the settings that it implies.
fn translated(value: &Value) -> Result<Value, PlanError> {
    let wrong = |message: String| PlanError::Value {
        key: LOSS_TYPE.to_owned(),
        message,
    };
    let word = match value {
        Value::Array(words) if words.len() == 1 => &words[0],
        Value::Array(words) => {
            let methods: Result<Vec<Value>, PlanError> = words.iter().map(translated).collect();
            let terms = methods?
                .into_iter()
                .map(|m| format!("{{method = {}}}", m["method"]));
            let terms: Vec<String> = terms.collect();
            return Err(wrong(format!(
                "several losses are the method \"sum\" here: set `objective.method` to \"sum\" and `objective.terms` to [{}], each with its settings and a `weight`",
                terms.join(", ")
            )));
        }
        word => word,
    };
    let Some(word) = word.as_str() else {
        return Err(wrong(format!(
            "must be a word or a list of words, found {word}"
        )));
    };
    of_loss_type(word).map_err(|reason| wrong(format!("TRL's `{word}` is not available: {reason}")))
}

/// The method for one of TRL's names, or the reason why there is none. Any other name is returned as
/// the name of a method.
fn of_loss_type(word: &str) -> Result<Value, &'static str> {
    let method = match word.replace('-', "_").as_str() {
        "sigmoid" => "dpo",
        // TRL divides each side by its token count
        "ipo" => return Ok(json!({"method": "ipo", "length_average": true})),
        "exo_pair" => "exo",
        "nca_pair" => "nca",
        "sppo_hard" => "sppo",
        "apo_zero" => "apo-zero",
        "apo_down" => "apo-down",
        "bco_pair" => {
            return Err("no method takes each answer's own logistic loss; nca is the nearest");
        }
        "aot" | "aot_unpaired" => {
            return Err(
                "it sorts log-ratios across the batch, and an objective here is a mean over pairs",
            );
        }
        "sigmoid_norm" => {
            return Err(
                "no method takes the logistic loss of log-ratios averaged over tokens; ipo with length_average takes their squared loss, simpo averages log-probs",
            );
        }
        "apo_zero_unpaired" => return Err("the loss on single answers is kto"),
        "alphapo" => {
            return Err("no method transforms log-probs by its α; simpo is its limit at α = 0");
        }
        _ => word,
    };
    Ok(json!({ "method": method }))
}

/// Refuses one of TRL's names as the name of a method, and gives our name.
fn refuse_loss_type(value: &Value) -> Result<(), PlanError> {
    let Some(word) = value.as_str().filter(|w| Method::from_name(w).is_none()) else {
        return Ok(());
    };
    let message = match of_loss_type(word) {
        Ok(ours) if ours["method"] != word => {
            format!(
                "`{word}` is TRL's `loss_type`; the method is {} here",
                ours["method"]
            )
        }
        Ok(_) => return Ok(()),
        Err(reason) => format!("`{word}` is TRL's `loss_type`, and is not available: {reason}"),
    };
    Err(PlanError::Value {
        key: "objective.method".to_owned(),
        message,
    })
}
