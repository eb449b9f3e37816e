//! The plan of a run as names and values. In: the text of `plan.toml`. Out: each setting with its value as text.

use toml::{Table, Value};

/// Every setting, such as `train.learning-rate`, in the order of the file.
pub(super) fn settings(plan: &Table) -> Vec<(String, String)> {
    let mut all = Vec::new();
    add(&mut all, "", plan);
    all
}

fn add(all: &mut Vec<(String, String)>, section: &str, table: &Table) {
    for (key, value) in table {
        let name = match section {
            "" => key.clone(),
            section => format!("{section}.{key}"),
        };
        match value {
            Value::Table(table) => add(all, &name, table),
            Value::String(text) => all.push((name, text.clone())),
            other => all.push((name, other.to_string())),
        }
    }
}

/// A text of a plan.
pub(super) fn text<'a>(plan: &'a Table, section: &str, key: &str) -> Option<&'a str> {
    plan.get(section)?.get(key)?.as_str()
}
