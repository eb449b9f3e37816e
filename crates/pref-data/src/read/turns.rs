//! Texts and conversations from JSON. In: the value of a field. Out: a text, or messages, as `role`
//! and `content` or as ShareGPT has them; errors name the field down to the message.

use serde_json::Value;

use super::error::ReadError;
use super::row::kind;
use super::source::SourceRow;
use crate::pair::{Message, Text};

impl SourceRow {
    pub(super) fn text(&self, field: &'static str) -> Result<Text, ReadError> {
        match self.object.get(field) {
            None => Err(self.missing(field)),
            Some(Value::Null) => Err(self.null(field)),
            Some(value) => self.text_of(value, field),
        }
    }

    pub(super) fn text_of(&self, value: &Value, field: &str) -> Result<Text, ReadError> {
        match value {
            Value::String(text) => Ok(Text::Plain(text.clone())),
            Value::Array(turns) => {
                let turns = turns.iter().enumerate();
                let turns = turns.map(|(i, turn)| self.message(turn, &format!("{field}[{i}]")));
                Ok(Text::Conversation(turns.collect::<Result<_, _>>()?))
            }
            // ShareGPT's answers are single messages
            Value::Object(_) => Ok(Text::Conversation(vec![self.message(value, field)?])),
            other => Err(self.wrong_type(
                field.to_owned(),
                "a string or a list of messages",
                kind(other),
            )),
        }
    }

    /// A message as `role` and `content`, or ShareGPT's `from` and `value`.
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
        // a call of a tool may say nothing
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

    /// A content of several blocks: their texts, one after the other.
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

/// What the speakers of ShareGPT's conversations are called in a chat template.
fn share_gpt_role(from: String) -> String {
    match from.to_lowercase().as_str() {
        "human" | "user" => "user".to_owned(),
        "gpt" | "chatgpt" | "bot" | "model" | "assistant" => "assistant".to_owned(),
        "system" => "system".to_owned(),
        _ => from,
    }
}
