//! Converts a row to a pair, and reads the fields that all rows have. In: a row and its shape. Out: a
//! [`Pair`], or an error that names file, line and field.

use serde_json::{Map, Value};

use super::fields::is_annotation;
use super::source_row::{SourceRow, kind};
use crate::read::error::ReadError;
use crate::read::shape::Shape;
use crate::text::{Pair, TemplateKwargs, Text};

impl SourceRow {
    /// Converts a row of this shape to a pair.
    pub(in crate::read) fn pair(self, shape: Shape) -> Result<Pair, ReadError> {
        let (prompt, chosen, rejected) = match shape {
            Shape::Pairs => self.prompt_and_answers()?,
            Shape::ShareGpt => (
                self.text("conversations")?,
                self.text("chosen")?,
                self.text("rejected")?,
            ),
            Shape::ImplicitPrompt => self.split_prompt()?,
            // the reader has joined the rows of one prompt
            Shape::Rated | Shape::RatedRows | Shape::HelpSteer => self.best_and_worst()?,
            Shape::Unpaired
            | Shape::PromptCompletion
            | Shape::Samples
            | Shape::Messages
            | Shape::Text => {
                return Err(ReadError::Unpaired {
                    path: self.path.to_path_buf(),
                    line: self.line,
                });
            }
        };
        let mut pair = Pair::new(prompt, chosen, rejected, self.place());
        let texts = [
            ("prompt", &pair.prompt),
            ("chosen", &pair.chosen),
            ("rejected", &pair.rejected),
        ];
        // with an implicit prompt, two equal answers become the prompt, and both answers are empty
        let is_absent = pair.chosen == Text::Plain(String::new());
        if pair.chosen == pair.rejected && (shape == Shape::ImplicitPrompt || !is_absent) {
            return Err(ReadError::NoPreference {
                path: self.path.to_path_buf(),
                line: self.line,
            });
        }
        self.check_texts(texts)?;
        pair.tools = self.tools()?;
        pair.template_kwargs = self.template_kwargs()?;
        pair.annotations = [self.annotation("chosen")?, self.annotation("rejected")?];
        pair.more = self.unused_fields(shape);
        Ok(pair)
    }

    /// The fields of the row that a record of this shape does not use.
    pub(super) fn unused_fields(self, shape: Shape) -> Map<String, Value> {
        let is_used = |field: &str| {
            let always = ["prompt", "tools", "chat_template_kwargs"].contains(&field);
            let is_completion = field.starts_with("completion");
            let is_annotation = is_annotation(field) && is_completion == shape.is_single();
            let is_answer = ["chosen", "rejected"].contains(&field) || is_annotation;
            always
                || match shape {
                    Shape::Pairs | Shape::ImplicitPrompt => is_answer,
                    Shape::ShareGpt => is_answer || field == "conversations",
                    Shape::Rated | Shape::RatedRows | Shape::HelpSteer => {
                        is_answer || ["responses", "ratings"].contains(&field)
                    }
                    Shape::Unpaired | Shape::PromptCompletion => {
                        is_annotation || ["completion", "label"].contains(&field)
                    }
                    Shape::Samples => {
                        is_annotation || ["response", "messages", "conversations"].contains(&field)
                    }
                    Shape::Messages => {
                        is_annotation || ["messages", "conversations"].contains(&field)
                    }
                    Shape::Text => field == "text",
                }
        };
        let mut unused = self.object;
        unused.retain(|field, _| !is_used(field));
        unused
    }

    /// An error if a text is empty, or if some texts are strings and others conversations. The prompt is
    /// the first of `texts`.
    pub(super) fn check_texts<const N: usize>(
        &self,
        texts: [(&'static str, &Text); N],
    ) -> Result<(), ReadError> {
        let is_plain = |text: &Text| matches!(text, Text::Plain(_));
        for (field, text) in texts {
            if text.is_empty() {
                return Err(ReadError::Empty {
                    path: self.path.to_path_buf(),
                    line: self.line,
                    field,
                });
            }
            if is_plain(text) != is_plain(texts[0].1) {
                let (expected, found) = match is_plain(text) {
                    true => ("a list of messages, as `prompt` is", "a string"),
                    false => ("a string, as `prompt` is", "a list"),
                };
                return Err(self.wrong_type(field.to_owned(), expected, found));
            }
        }
        Ok(())
    }

    /// JSON schemas of functions: a list, or, as in some tables, a string that holds a list.
    pub(super) fn tools(&self) -> Result<Vec<Value>, ReadError> {
        const TOOLS: &str = "a list of functions as JSON schemas";
        let parsed = match self.object.get("tools") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::String(text)) => parsed_or_text(text),
            Some(other) => other.clone(),
        };
        match parsed {
            Value::Array(tools) => Ok(tools),
            other => Err(self.wrong_type("tools".to_owned(), TOOLS, kind(&other))),
        }
    }

    /// Settings of the chat template: an object, or a string that holds an object.
    pub(super) fn template_kwargs(&self) -> Result<TemplateKwargs, ReadError> {
        const KWARGS: &str = "an object of settings of the chat template, without `messages` and `add_generation_prompt`";
        let value = match self.object.get("chat_template_kwargs") {
            None | Some(Value::Null) => return Ok(TemplateKwargs::default()),
            Some(Value::String(text)) => parsed_or_text(text),
            Some(value) => value.clone(),
        };
        let found = kind(&value);
        serde_json::from_value(value)
            .map_err(|_| self.wrong_type("chat_template_kwargs".to_owned(), KWARGS, found))
    }
}

/// The JSON of a text, or the text itself if it is not JSON, which the caller refuses with its kind.
fn parsed_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}
