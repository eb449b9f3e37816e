//! JSON Lines of preference pairs. In: a file. Out: pairs with their lines, or an error that names
//! file, line and field.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::pair::{Message, Pair, Text};

/// The fields of a row.
const FIELDS: [&str; 3] = ["prompt", "chosen", "rejected"];

/// A file of pairs that cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line is not text.
    #[error("{}:{line}: not valid UTF-8 at byte {byte} of the line; save the file as UTF-8", path.display())]
    Utf8 {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 0, within the line.
        byte: usize,
    },
    /// A line is not JSON.
    #[error("{}:{line}:{column}: not valid JSON: {message}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// A line is JSON but no object.
    #[error("{}:{line}: expected an object with `prompt`, `chosen`, `rejected`, found {found}", path.display())]
    NotAnObject {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What kind of value it is.
        found: &'static str,
    },
    /// A field is absent.
    #[error("{}:{line}: field `{field}` is missing; found {found}{suggestion}", path.display())]
    MissingField {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// The fields that are there.
        found: String,
        /// `; did you mean …?` or nothing.
        suggestion: String,
    },
    /// A field is of the wrong type.
    #[error("{}:{line}: field `{field}` must be {expected}, found {found}", path.display())]
    WrongType {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field, with the index within it.
        field: String,
        /// What it takes.
        expected: &'static str,
        /// What kind of value it is.
        found: &'static str,
    },
    /// A field holds nothing.
    #[error("{}:{line}: `{field}` is empty; fill it or remove the row", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// Both answers are the same.
    #[error("{}:{line}: chosen and rejected are identical, so the pair expresses no preference; remove the row", path.display())]
    NoPreference {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// There is no row.
    #[error("{}: no pairs; expected one JSON object a line", path.display())]
    NoPairs {
        /// Which file.
        path: PathBuf,
    },
}

/// Reads every pair of a JSON Lines file. Blank lines and a byte order mark are passed over, other
/// fields than `prompt`, `chosen` and `rejected` ignored.
///
/// # Errors
/// [`ReadError`] at the first row that is no pair.
pub fn read_pairs(path: &Path) -> Result<Vec<Pair>, ReadError> {
    let bytes = fs::read(path).map_err(|source| ReadError::File {
        path: path.to_owned(),
        source,
    })?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut pairs = Vec::new();
    for (index, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let row = Row {
            path,
            line: index + 1,
        };
        let text = std::str::from_utf8(line).map_err(|error| ReadError::Utf8 {
            path: path.to_owned(),
            line: row.line,
            byte: error.valid_up_to(),
        })?;
        if !text.trim().is_empty() {
            pairs.push(row.pair(text)?);
        }
    }
    if pairs.is_empty() {
        return Err(ReadError::NoPairs {
            path: path.to_owned(),
        });
    }
    Ok(pairs)
}

/// Where a row is.
struct Row<'a> {
    path: &'a Path,
    line: usize,
}

impl Row<'_> {
    fn pair(&self, text: &str) -> Result<Pair, ReadError> {
        let value: Value = serde_json::from_str(text).map_err(|error| ReadError::Json {
            path: self.path.to_owned(),
            line: self.line,
            column: error.column(),
            message: plain_message(&error),
        })?;
        let Value::Object(object) = value else {
            return Err(ReadError::NotAnObject {
                path: self.path.to_owned(),
                line: self.line,
                found: kind(&value),
            });
        };
        let pair = Pair {
            prompt: self.text(&object, "prompt")?,
            chosen: self.text(&object, "chosen")?,
            rejected: self.text(&object, "rejected")?,
            line: self.line,
        };
        let texts = [&pair.prompt, &pair.chosen, &pair.rejected];
        for (field, text) in FIELDS.into_iter().zip(texts) {
            if text.is_empty() {
                return Err(ReadError::Empty {
                    path: self.path.to_owned(),
                    line: self.line,
                    field,
                });
            }
            let is_plain = matches!(text, Text::Plain(_));
            if is_plain != matches!(pair.prompt, Text::Plain(_)) {
                let (expected, found) = match is_plain {
                    true => ("a list of messages, as `prompt` is", "a string"),
                    false => ("a string, as `prompt` is", "a list"),
                };
                return Err(self.wrong_type(field.to_owned(), expected, found));
            }
        }
        if pair.chosen == pair.rejected {
            return Err(ReadError::NoPreference {
                path: self.path.to_owned(),
                line: self.line,
            });
        }
        Ok(pair)
    }

    fn text(&self, object: &Map<String, Value>, field: &'static str) -> Result<Text, ReadError> {
        match object.get(field) {
            None => Err(self.missing(object, field)),
            Some(Value::String(text)) => Ok(Text::Plain(text.clone())),
            Some(Value::Array(turns)) => {
                let turns = turns.iter().enumerate();
                let turns = turns.map(|(i, turn)| self.message(turn, &format!("{field}[{i}]")));
                Ok(Text::Conversation(turns.collect::<Result<_, _>>()?))
            }
            Some(other) => Err(self.wrong_type(
                field.to_owned(),
                "a string or a list of messages",
                kind(other),
            )),
        }
    }

    fn message(&self, turn: &Value, at: &str) -> Result<Message, ReadError> {
        const MESSAGE: &str = "an object with the strings `role` and `content`";
        let part = |key: &str| match turn.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong_type(format!("{at}.{key}"), "a string", kind(other))),
            None => Err(self.wrong_type(at.to_owned(), MESSAGE, kind(turn))),
        };
        Ok(Message {
            role: part("role")?,
            content: part("content")?,
        })
    }

    fn missing(&self, object: &Map<String, Value>, field: &'static str) -> ReadError {
        let names: Vec<&str> = object.keys().map(String::as_str).collect();
        let nearest = names
            .iter()
            .filter(|name| !FIELDS.contains(name))
            .map(|name| (strsim::jaro_winkler(name, field), name))
            .filter(|(similarity, _)| *similarity > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        ReadError::MissingField {
            path: self.path.to_owned(),
            line: self.line,
            field,
            found: match names.is_empty() {
                true => "no field".to_owned(),
                false => names.join(", "),
            },
            suggestion: match nearest {
                Some((_, name)) => format!("; is `{name}` meant?"),
                None => String::new(),
            },
        }
    }

    fn wrong_type(&self, field: String, expected: &'static str, found: &'static str) -> ReadError {
        ReadError::WrongType {
            path: self.path.to_owned(),
            line: self.line,
            field,
            expected,
            found,
        }
    }
}

/// The parser's message without the place, which is the line's own and misleads.
fn plain_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
