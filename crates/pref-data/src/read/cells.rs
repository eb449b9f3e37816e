//! The cells of a table, which are all text. In: a row of CSV. Out: the same row with what is a
//! list, a number or a conversation elsewhere read from its cell.

use serde_json::Value;

use super::error::ReadError;
use super::literal::python_literal;
use super::row::FIELDS;
use super::source::SourceRow;

/// Fields that hold texts, or conversations.
const TEXTS: [&str; 6] = [
    "prompt",
    "chosen",
    "rejected",
    "conversations",
    "response",
    "completion",
];

impl SourceRow {
    /// Reads the cells of a table: a list or a conversation is JSON, or as Python prints it, and an
    /// empty cell of what is no text is none.
    ///
    /// # Errors
    /// [`ReadError::Cell`] if a cell begins as a conversation and is none: taken for a plain text, it
    /// would be trained on with its quotes and brackets.
    pub(super) fn parse_cells(&mut self) -> Result<(), ReadError> {
        for field in FIELDS {
            let Some(Value::String(cell)) = self.object.get(field) else {
                continue;
            };
            let cell = cell.trim();
            let value = match TEXTS.contains(&field) {
                true if begins_as_messages(cell) => {
                    Some(list(cell).map_err(|message| ReadError::Cell {
                        path: self.path.to_path_buf(),
                        line: self.line,
                        field,
                        message,
                    })?)
                }
                true => None,
                false if cell.is_empty() => Some(Value::Null),
                // a text in the place of a list is refused by the field's reader
                false => list(cell).ok(),
            };
            if let Some(value) = value {
                self.object.insert(field.to_owned(), value);
            }
        }
        Ok(())
    }
}

fn list(cell: &str) -> Result<Value, String> {
    serde_json::from_str(cell).or_else(|_| python_literal(cell))
}

/// Whether a cell begins with a message: `[{'role':`, `{"from":` or what NumPy makes of it.
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
