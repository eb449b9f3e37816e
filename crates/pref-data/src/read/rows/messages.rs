//! Texts and conversations from JSON. In: the value of a field; messages have `role` and `content`, or
//! `from` and `value` as in ShareGPT. Out: a text, or an error that names the field and the message.

use serde_json::Value;

use super::source_row::{SourceRow, kind};
use crate::read::error::ReadError;
use crate::text::{Message, Text};

impl SourceRow {
    /// The text or conversation in a field.
    pub(super) fn text(&self, field: &'static str) -> Result<Text, ReadError> {
        match self.object.get(field) {
            None => Err(self.missing(field)),
            Some(Value::Null) => Err(self.null(field)),
            Some(value) => self.text_of(value, field),
        }
    }

    /// The text or conversation in a value. `field` names the value in errors.
    pub(super) fn text_of(&self, value: &Value, field: &str) -> Result<Text, ReadError> {
        match value {
            Value::String(text) => Ok(Text::Plain(text.clone())),
            Value::Array(turns) => {
                let turns = turns.iter().enumerate();
                let turns = turns.map(|(i, turn)| self.message(turn, &format!("{field}[{i}]")));
                Ok(Text::Conversation(turns.collect::<Result<_, _>>()?))
            }
            // in ShareGPT an answer is a single message
            Value::Object(_) => Ok(Text::Conversation(vec![self.message(value, field)?])),
            other => Err(self.wrong_type(
                field.to_owned(),
                "a string or a list of messages",
                kind(other),
            )),
        }
    }

    /// A message of a conversation. `at` names it in errors, such as `prompt[2]`.
    fn message(&self, turn: &Value, at: &str) -> Result<Message, ReadError> {
        const MESSAGE: &str = "an object with the strings `role` and `content`";
        let part = |key: &str| match turn.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Array(blocks)) if key != "role" && key != "from" => {
                self.blocks(blocks, &format!("{at}.{key}"))
            }
            Some(other) => Err(self.wrong_type(format!("{at}.{key}"), "a string", kind(other))),
            None => Err(self.wrong_type(at.to_owned(), MESSAGE, kind(turn))),
        };
        let is_given = |key: &str| turn.get(key).is_some_and(|value| !value.is_null());
        if is_given("from") && !is_given("role") {
            return Ok(Message::new(share_gpt_role(part("from")?), part("value")?));
        }
        // a message with tool calls needs no content
        let content = match is_given("tool_calls") && !is_given("content") {
            true => String::new(),
            false => part("content")?,
        };
        let mut message = Message::new(part("role")?, content);
        let fields = turn.as_object().into_iter().flatten();
        message.more = fields
            .filter(|(key, value)| !["role", "content"].contains(&key.as_str()) && !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok(message)
    }

    /// The content of a message that consists of blocks: their texts, joined.
    fn blocks(&self, blocks: &[Value], at: &str) -> Result<String, ReadError> {
        const BLOCK: &str = "a block of text, such as {\"type\": \"text\", \"text\": \"…\"}";
        const TYPES: [&str; 3] = ["text", "input_text", "output_text"];
        let mut content = String::new();
        for (i, block) in blocks.iter().enumerate() {
            let named = block.get("type").filter(|value| !value.is_null());
            let is_text =
                named.is_none_or(|name| name.as_str().is_some_and(|n| TYPES.contains(&n)));
            match block.get("text").unwrap_or(block) {
                Value::String(text) if is_text => content.push_str(text),
                _ => {
                    let found = match is_text {
                        true => kind(block),
                        false => "a block of another type",
                    };
                    return Err(self.wrong_type(format!("{at}[{i}]"), BLOCK, found));
                }
            }
        }
        Ok(content)
    }
}

/// The role of a chat template that belongs to a speaker of a ShareGPT conversation.
fn share_gpt_role(from: String) -> String {
    match from.to_lowercase().as_str() {
        "human" | "user" => "user".to_owned(),
        "gpt" | "chatgpt" | "bot" | "model" | "assistant" => "assistant".to_owned(),
        "system" => "system".to_owned(),
        _ => from,
    }
}
