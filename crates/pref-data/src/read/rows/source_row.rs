//! A row of a file before it becomes a pair. In: a JSON object and its place. Out: [`SourceRow`],
//! and the errors that its fields can cause.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::FIELDS;
use crate::read::error::ReadError;
use crate::text::Place;

/// A row of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRow {
    /// The file.
    pub path: Arc<Path>,
    /// The line of the file, from 1. In JSON lists, Parquet and Arrow it is the number of the row,
    /// from 1.
    pub line: usize,
    /// The fields of the row.
    pub object: Map<String, Value>,
    /// Whether the row is from CSV or TSV, in which every value is a text.
    pub(in crate::read) is_table: bool,
}

/// Rows of a file, in order.
pub(in crate::read) type SourceRows = Box<dyn Iterator<Item = Result<SourceRow, ReadError>>>;

impl SourceRow {
    /// A row from a JSON value, which must be an object.
    pub(in crate::read) fn from_value(
        path: &Arc<Path>,
        line: usize,
        value: Value,
    ) -> Result<Self, ReadError> {
        match value {
            Value::Object(object) => Ok(SourceRow {
                path: Arc::clone(path),
                line,
                object,
                is_table: false,
            }),
            other => Err(ReadError::NotAnObject {
                path: path.to_path_buf(),
                line,
                found: kind(&other),
            }),
        }
    }

    /// The position of the row.
    pub(crate) fn place(&self) -> Place {
        Place {
            file: Some(Arc::clone(&self.path)),
            line: self.line,
        }
    }

    /// The error for a missing field. Suggests the column with the most similar name.
    pub(super) fn missing(&self, field: &'static str) -> ReadError {
        let names: Vec<&str> = self.object.keys().map(String::as_str).collect();
        let most_similar = names
            .iter()
            .filter(|name| !FIELDS.contains(name))
            .map(|name| (strsim::jaro_winkler(name, field), name))
            .filter(|(similarity, _)| *similarity > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        ReadError::MissingField {
            path: self.path.to_path_buf(),
            line: self.line,
            field,
            found: match names.is_empty() {
                true => "no field".to_owned(),
                false => names.join(", "),
            },
            suggestion: match most_similar {
                Some((_, name)) => format!("; did you mean `{name}`?"),
                None => "; if a column of another name holds it, map that column to the field"
                    .to_owned(),
            },
        }
    }

    /// The error for a field that is null.
    pub(super) fn null(&self, field: &'static str) -> ReadError {
        ReadError::Null {
            path: self.path.to_path_buf(),
            line: self.line,
            field,
        }
    }

    /// The error for a row whose fields match no shape. It names the first field of `pairs` that
    /// has no value.
    pub(in crate::read) fn shapeless(&self) -> ReadError {
        const NEEDED: [&str; 3] = ["prompt", "chosen", "rejected"];
        let value = |field: &&str| self.object.get(*field);
        match NEEDED
            .into_iter()
            .find(|f| value(f).is_none_or(Value::is_null))
        {
            Some(field) if value(&field).is_some() => self.null(field),
            Some("chosen") if value(&"rejected").is_none() => self.no_answer(),
            Some(field) => self.missing(field),
            None => self.missing("chosen"),
        }
    }

    /// The error for a row with a prompt and without any answer, which may have been meant for sft.
    fn no_answer(&self) -> ReadError {
        let mut error = self.missing("chosen");
        if let ReadError::MissingField { suggestion, .. } = &mut error {
            suggestion.insert_str(0, " (for sft, an answer is a `completion`)");
        }
        error
    }

    /// The error for a value of the wrong type.
    pub(super) fn wrong_type(
        &self,
        field: String,
        expected: &'static str,
        found: &'static str,
    ) -> ReadError {
        ReadError::WrongType {
            path: self.path.to_path_buf(),
            line: self.line,
            field,
            expected,
            found,
        }
    }

    /// A list of numbers. `field` names the list in errors.
    pub(super) fn numbers(&self, field: &str, list: &[Value]) -> Result<Vec<f64>, ReadError> {
        let number = |(i, value): (usize, &Value)| {
            let number = value.as_f64();
            number.ok_or_else(|| self.wrong_type(format!("{field}[{i}]"), "a number", kind(value)))
        };
        list.iter().enumerate().map(number).collect()
    }
}

/// The kind of a value, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
