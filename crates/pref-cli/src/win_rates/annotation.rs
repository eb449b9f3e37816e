//! Annotations in AlpacaEval's format. In: a file. Out: two answers to each question, and which one is preferred.

use std::path::Path;

use anyhow::{Context, Result, bail};
use pref_data::{SourceRow, read_rows};
use serde::Serialize;
use serde_json::Value;

/// Two answers to a question, compared by a judge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Annotation {
    pub(crate) instruction: String,
    /// The baseline's answer.
    pub(crate) output_1: String,
    /// The model's answer.
    pub(crate) output_2: String,
    /// The name of the baseline.
    pub(crate) generator_1: String,
    /// The name of the model.
    pub(crate) generator_2: String,
    /// The judge.
    pub(crate) annotator: String,
    /// From 1 (the baseline's answer is preferred) to 2 (the model's). None if the judge gave no valid judgement.
    pub(crate) preference: Option<f64>,
}

/// The annotations of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Annotation>> {
    let mut all = Vec::new();
    for row in read_rows(path)? {
        let row = row?;
        let annotation =
            annotation(&row).with_context(|| format!("{}:{}", row.path.display(), row.line));
        all.push(annotation?);
    }
    if all.is_empty() {
        bail!("{}: no rows; expected annotations", path.display());
    }
    Ok(all)
}

fn annotation(row: &SourceRow) -> Result<Annotation> {
    let needed = |name: &str| match row.object.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Null) | None => bail!(
            "no field `{name}`; expected the fields of AlpacaEval's annotations: instruction, output_1 (the baseline's answer), output_2 (the model's answer) and preference (1 to 2)"
        ),
        Some(other) => bail!("`{name}` is {other}; expected a text"),
    };
    let name = |field: &str, default: &str| match row.object.get(field) {
        Some(Value::String(text)) => text.clone(),
        _ => default.to_owned(),
    };
    Ok(Annotation {
        instruction: name("instruction", ""),
        output_1: needed("output_1")?,
        output_2: needed("output_2")?,
        generator_1: name("generator_1", "the baseline"),
        generator_2: name("generator_2", "the model"),
        annotator: name("annotator", "a judge"),
        preference: preference(row)?,
    })
}

fn preference(row: &SourceRow) -> Result<Option<f64>> {
    let found = match row.object.get("preference") {
        None => bail!(
            "no field `preference`; expected a number from 1 (output_1 is preferred) to 2 (output_2 is preferred)"
        ),
        Some(value) => value,
    };
    let number = match found {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        found => number(found),
    };
    match number {
        // An older way to write a tie.
        Some(0.0) => Ok(Some(1.5)),
        Some(value) if (1.0..=2.0).contains(&value) => Ok(Some(value)),
        _ => bail!(
            "`preference` is {found}; expected a number from 1 (output_1 is preferred) to 2 (output_2 is preferred), 0 or 1.5 for a tie, or null"
        ),
    }
}

/// A number, which a table gives as text.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
