//! Converts a row to a single answer. In: a row and its shape. Out: an [`Example`], or an error that
//! names file, line and field.

use serde_json::{Map, Value};

use super::source_row::{SourceRow, kind};
use crate::read::error::ReadError;
use crate::read::shape::Shape;
use crate::text::{ASSISTANT, Example, Message, Text};

impl SourceRow {
    /// The single answer of a row of this shape.
    pub(in crate::read) fn example(self, shape: Shape) -> Result<Example, ReadError> {
        let label = match shape {
            Shape::Unpaired => Some(self.label()?),
            _ => None,
        };
        let (prompt, completion) = match shape {
            Shape::Messages => self.conversation()?,
            Shape::Text => (Text::Plain(String::new()), self.plain_text()?),
            Shape::Samples => self.sampled()?,
            _ => {
                let (prompt, completion) = (self.text("prompt")?, self.text("completion")?);
                self.check_texts([("prompt", &prompt), ("completion", &completion)])?;
                (prompt, completion)
            }
        };
        let mut example = Example {
            prompt,
            completion,
            label,
            tools: self.tools()?,
            template_kwargs: self.template_kwargs()?,
            place: self.place(),
            annotation: match shape {
                Shape::Text => None,
                _ => self.annotation("completion")?,
            },
            more: Map::new(),
        };
        example.more = self.unused_fields(shape);
        Ok(example)
    }

    /// The prompt and the sampled answer, which is a turn of the assistant if the prompt is a conversation.
    fn sampled(&self) -> Result<(Text, Text), ReadError> {
        let (prompt, response) = (self.prompt_alone()?, self.text("response")?);
        let response = match (&prompt, response) {
            (Text::Conversation(_), Text::Plain(text)) if !text.is_empty() => {
                Text::Conversation(vec![Message::new(ASSISTANT, text)])
            }
            (_, response) => response,
        };
        if response.is_empty() {
            return Err(self.empty("response"));
        }
        self.check_texts([("prompt", &prompt), ("response", &response)])?;
        Ok((prompt, response))
    }

    fn label(&self) -> Result<bool, ReadError> {
        const LABEL: &str = "true or false, or 1 or 0";
        match self.object.get("label") {
            None => Err(self.missing("label")),
            Some(Value::Null) => Err(self.null("label")),
            Some(Value::Bool(label)) => Ok(*label),
            Some(Value::Number(label)) if label.as_f64() == Some(1.0) => Ok(true),
            Some(Value::Number(label)) if label.as_f64() == Some(0.0) => Ok(false),
            Some(Value::String(label)) if label.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(label)) if label.eq_ignore_ascii_case("false") => Ok(false),
            Some(other) => Err(self.wrong_type("label".to_owned(), LABEL, kind(other))),
        }
    }

    /// A conversation without its last turn, and the last turn, which must be the assistant's.
    fn conversation(&self) -> Result<(Text, Text), ReadError> {
        const MESSAGES: &str =
            "a list of at least two messages, the last with the role \"assistant\"";
        let is_given = |field: &str| self.object.get(field).is_some_and(|v| !v.is_null());
        let field = match is_given("messages") || !is_given("conversations") {
            true => "messages",
            false => "conversations",
        };
        let wrong = |found| Err(self.wrong_type(field.to_owned(), MESSAGES, found));
        let Text::Conversation(mut turns) = self.text(field)? else {
            return wrong("a string");
        };
        match turns.pop() {
            None => wrong("an empty list"),
            Some(last) if last.role != ASSISTANT => {
                wrong("a list whose last message has another role")
            }
            Some(_) if turns.is_empty() => wrong("a list of one message"),
            Some(last) => {
                let answer = Text::Conversation(vec![last]);
                match answer.is_empty() {
                    true => Err(self.empty(field)),
                    false => Ok((Text::Conversation(turns), answer)),
                }
            }
        }
    }

    /// The text of a row that has only a text.
    fn plain_text(&self) -> Result<Text, ReadError> {
        match self.text("text")? {
            text @ Text::Plain(_) if text.is_empty() => Err(self.empty("text")),
            text @ Text::Plain(_) => Ok(text),
            Text::Conversation(_) => {
                let expected = "a string; a list of messages belongs into `messages`";
                Err(self.wrong_type("text".to_owned(), expected, "a list"))
            }
        }
    }

    /// The error for a text that holds nothing.
    fn empty(&self, field: &'static str) -> ReadError {
        ReadError::Empty {
            path: self.path.to_path_buf(),
            line: self.line,
            field,
        }
    }
}
