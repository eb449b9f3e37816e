//! Parses the cells of a table, which are all text. In: a row of CSV. Out: the same row with lists,
//! numbers and conversations as values.

use serde_json::Value;

use super::fields::FIELDS;
use super::python_literal::python_literal;
use super::source_row::SourceRow;
use crate::read::error::ReadError;

/// Fields that hold texts or conversations.
const TEXTS: [&str; 8] = [
    "prompt",
    "chosen",
    "rejected",
    "conversations",
    "response",
    "completion",
    "messages",
    PLAIN,
];

/// A field that is always a plain text.
const PLAIN: &str = "text";

impl SourceRow {
    /// Reads the values of a table's cells. A list or a conversation is written as JSON or as Python prints
    /// it. An empty cell is null, unless the field holds a text.
    ///
    /// # Errors
    /// [`ReadError::Cell`] if a cell begins like a conversation but cannot be read as one. It is not read
    /// as a plain text, because a model would then be trained on its quotes and brackets.
    pub(in crate::read) fn parse_cells(&mut self) -> Result<(), ReadError> {
        for field in FIELDS {
            let Some(Value::String(cell)) = self.object.get(field) else {
                continue;
            };
            let cell = cell.trim();
            let value = match TEXTS.contains(&field) {
                true if field != PLAIN && begins_as_messages(cell) => {
                    Some(parse_value(cell).map_err(|message| ReadError::Cell {
                        path: self.path.to_path_buf(),
                        line: self.line,
                        field,
                        message,
                    })?)
                }
                true => None,
                false if cell.is_empty() => Some(Value::Null),
                // if it is not a list it stays a text, and the field's reader reports the wrong type
                false => parse_value(cell).ok(),
            };
            if let Some(value) = value {
                self.object.insert(field.to_owned(), value);
            }
        }
        Ok(())
    }
}

/// Reads a value that is written as JSON or as Python prints it.
fn parse_value(cell: &str) -> Result<Value, String> {
    serde_json::from_str(cell).or_else(|_| python_literal(cell))
}

/// Whether a cell begins like a message: `[{'role':`, `{"from":`, or the same inside `array(`.
fn begins_as_messages(cell: &str) -> bool {
    let cell = cell.strip_prefix("array(").unwrap_or(cell);
    let first = cell.strip_prefix('[').unwrap_or(cell).trim_start();
    let Some(key) = first.strip_prefix('{') else {
        return false;
    };
    let key = key.trim_start();
    ["role", "content", "from", "value"].iter().any(|name| {
        ['\'', '"'].iter().any(|&quote| {
            let rest = key.strip_prefix(quote);
            let rest = rest.and_then(|rest| rest.strip_prefix(name)?.strip_prefix(quote));
            rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
        })
    })
}
