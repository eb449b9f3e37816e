//! Fields of sampled responses. In: rows as JSON objects. Out: the response, the answer and the prompt as texts.

use anyhow::{Result, bail, ensure};
use serde_json::{Map, Value};

/// The file's own names for fields.
pub(crate) struct Fields {
    names: Vec<(String, String)>,
}

impl Fields {
    /// # Errors
    /// If a name is given for a field that the command does not read.
    pub(crate) fn new(columns: &[(String, String)], known: &[&str]) -> Result<Self> {
        for (field, _) in columns {
            ensure!(
                known.contains(&field.as_str()),
                "--column {field}=…: there is no field `{field}`; the fields are {}",
                known.join(", ")
            );
        }
        Ok(Self {
            names: columns.to_vec(),
        })
    }

    /// The name of a field in the file.
    fn name<'a>(&'a self, field: &'a str) -> &'a str {
        let given = self.names.iter().rev().find(|(known, _)| known == field);
        given.map_or(field, |(_, name)| name)
    }

    /// The value of the first of these fields that the row has.
    pub(crate) fn first<'a>(
        &self,
        row: &'a Map<String, Value>,
        fields: &[&str],
    ) -> Result<(&'a str, &'a Value)> {
        for field in fields {
            if let Some((name, value)) = row.get_key_value(self.name(field))
                && !value.is_null()
            {
                return Ok((name, value));
            }
        }
        let expected: Vec<String> = fields
            .iter()
            .map(|field| format!("`{}`", self.name(field)))
            .collect();
        let found: Vec<&str> = row.keys().map(String::as_str).collect();
        bail!(
            "no field {}; the row has {}; name another field with --column {}=NAME",
            expected.join(" or "),
            found.join(", "),
            fields[0]
        )
    }
}

/// The text of `response` or `completion`.
pub(crate) fn response_text(row: &Map<String, Value>, fields: &Fields) -> Result<String> {
    let (name, value) = fields.first(row, &["response", "completion"])?;
    match text_of(value) {
        Some(text) => Ok(text),
        None => bail!(
            "`{name}` is {}; expected a text, or a list of messages with `content`",
            kind(value)
        ),
    }
}

/// The text of `answer`, which may be a number.
pub(crate) fn answer_text(row: &Map<String, Value>, fields: &Fields) -> Result<String> {
    let (name, value) = fields.first(row, &["answer"])?;
    let text = match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        value => text_of(value),
    };
    match text.filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(text),
        None => bail!("`{name}` is {}; expected a text or a number", kind(value)),
    }
}

/// A text, or the content of the last message.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(messages) => match &messages.last()?["content"] {
            Value::String(text) => Some(text.clone()),
            Value::Array(blocks) => {
                let texts = blocks.iter().filter_map(|block| block["text"].as_str());
                Some(texts.collect())
            }
            _ => None,
        },
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "an empty text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
