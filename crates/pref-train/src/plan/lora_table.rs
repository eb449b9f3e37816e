//! The settings of the section `train.lora` put together. In: settings in the order in which they were given.
//! Out: the section as a table, with the defaults of a new adapter.

use pref_model::LoraConfig;
use serde_json::{Map, Value, json};

use super::error::PlanError;
use super::lora::SECTION;
use super::objective::Given;

/// The section as a table, or `None` if no adapter is trained. `train.lora = true` switches it on, and so does
/// any of its settings; `train.lora = false` switches it off.
pub(super) fn lora_table(given: &[Given]) -> Result<Option<Value>, PlanError> {
    let within = |g: &Given| {
        let key = g.name.strip_prefix(SECTION)?.strip_prefix('.')?;
        Some((key.to_owned(), g.value.clone()))
    };
    let mut table: Map<String, Value> = given.iter().filter_map(within).collect();
    let switch = given.iter().find(|g| g.name == SECTION);
    let is_on = match switch.map(|g| &g.value) {
        None => !table.is_empty(),
        Some(Value::Bool(is_on)) => *is_on,
        Some(other) => {
            return Err(PlanError::Value {
                key: SECTION.to_owned(),
                message: format!(
                    "expected true, false or settings such as `train.lora.rank`, found {other}"
                ),
            });
        }
    };
    if !is_on {
        return Ok(None);
    }
    if !table.contains_key("adapter") {
        let default = LoraConfig::default();
        for (key, value) in [
            ("rank", json!(default.rank)),
            ("alpha", json!(default.alpha)),
            ("dropout", json!(default.dropout)),
            ("targets", json!(default.targets)),
            ("rslora", json!(default.rslora)),
            ("dora", json!(default.dora)),
        ] {
            table.entry(key).or_insert(value);
        }
    }
    Ok(Some(Value::Object(table)))
}
