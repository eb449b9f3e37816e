//! The prompt of a row, whatever answers the row has. In: a row. Out: a [`PromptRow`], or an error that names file, line
//! and field.

use serde_json::{Map, Value};

use super::source_row::{SourceRow, kind};
use crate::read::error::ReadError;
use crate::text::{ASSISTANT, Place, TemplateKwargs, Text};

/// A row whose prompt can be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptRow {
    /// The prompt. A conversation ends with a turn that is to be answered.
    pub prompt: Text,
    /// Functions that the chat template offers to the model, as JSON schemas.
    pub tools: Vec<Value>,
    /// Settings of the chat template for this row.
    pub template_kwargs: TemplateKwargs,
    /// The position of the row.
    pub place: Place,
    /// All fields of the row, in their order.
    pub fields: Map<String, Value>,
}

impl SourceRow {
    /// The row as a prompt.
    pub(in crate::read) fn prompt_row(self) -> Result<PromptRow, ReadError> {
        let prompt = self.prompt_alone()?;
        if prompt.is_empty() {
            return Err(ReadError::Empty {
                path: self.path.to_path_buf(),
                line: self.line,
                field: "prompt",
            });
        }
        Ok(PromptRow {
            prompt,
            tools: self.tools()?,
            template_kwargs: self.template_kwargs()?,
            place: self.place(),
            fields: self.object,
        })
    }

    /// The prompt, which a conversation ends with a turn that is to be answered.
    pub(super) fn prompt_alone(&self) -> Result<Text, ReadError> {
        const TURNS: &str = "a list of messages with one that is to be answered";
        let has = |field: &str| self.object.get(field).is_some_and(|value| !value.is_null());
        let is_pair = has("chosen") && has("rejected");
        if has("prompt") {
            return match is_pair {
                // The prompt of a pair of conversations can be a text that stands for its first messages.
                true => Ok(self.prompt_and_answers()?.0),
                false => self.text("prompt"),
            };
        }
        let fields = ["messages", "conversations"];
        let Some(field) = fields.into_iter().find(|field| has(field)) else {
            return match is_pair {
                true => Ok(self.split_prompt()?.0),
                false => self.text("prompt"),
            };
        };
        let Text::Conversation(mut turns) = self.text(field)? else {
            let found = self.object.get(field).map_or("nothing", kind);
            return Err(self.wrong_type(field.to_owned(), TURNS, found));
        };
        while turns.last().is_some_and(|turn| turn.role == ASSISTANT) {
            turns.pop();
        }
        match turns.is_empty() {
            true => Err(self.wrong_type(field.to_owned(), TURNS, "none")),
            false => Ok(Text::Conversation(turns)),
        }
    }
}
