//! The fields of rows. In: the names of a file's columns. Out: the names of fields, which the other
//! files of this folder use.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// All fields that a row may have.
pub(in crate::read) const FIELDS: [&str; 30] = [
    "prompt",
    "chosen",
    "rejected",
    "conversations",
    "responses",
    "ratings",
    "response",
    "rating",
    "helpfulness",
    "completion",
    "label",
    "messages",
    "text",
    "tools",
    "chat_template_kwargs",
    "chosen_segments",
    "chosen_scores",
    "chosen_parts",
    "chosen_weights",
    "chosen_importance",
    "rejected_segments",
    "rejected_scores",
    "rejected_parts",
    "rejected_weights",
    "rejected_importance",
    "completion_segments",
    "completion_scores",
    "completion_parts",
    "completion_weights",
    "completion_importance",
];

/// Whether a field annotates an answer, as `chosen_weights` does.
pub(super) fn is_annotation(field: &str) -> bool {
    let sides = ["chosen_", "rejected_", "completion_"];
    FIELDS.contains(&field) && sides.iter().any(|side| field.starts_with(side))
}

/// Renames columns to fields. `columns` holds, for each field, the name of its column.
pub(in crate::read) fn rename_columns(
    object: Map<String, Value>,
    columns: &BTreeMap<String, String>,
) -> Map<String, Value> {
    if columns.is_empty() {
        return object;
    }
    let new_name = |name: String| {
        let field = columns.iter().find(|(_, from)| **from == name);
        match field {
            Some((field, _)) => Some(field.clone()),
            // another column takes this name, so this one is dropped
            None if columns.contains_key(&name) => None,
            None => Some(name),
        }
    };
    let entries = object.into_iter();
    entries
        .filter_map(|(name, value)| Some((new_name(name)?, value)))
        .collect()
}
