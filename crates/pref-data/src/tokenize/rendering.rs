//! The text of a prompt, alone and with an answer. In: a row's prompt, its tools and its template
//! settings. Out: the texts for the tokenizer.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::answer_text::{MARKER, region_of_marker};
use super::error::TokenizeError;
use crate::text::{Message, Place, TemplateKwargs, Text};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// The prompt of a row, rendered.
pub(super) struct Rendering<'a> {
    prompt: &'a Text,
    tools: &'a [Value],
    /// Settings of the template: the run's, replaced by the row's where both have the same name.
    kwargs: Cow<'a, TemplateKwargs>,
    /// A plain prompt unchanged, or a conversation as the template renders it.
    pub(super) text: Cow<'a, str>,
    pub(super) place: &'a Place,
    pub(super) tokenizer: &'a Tokenizer,
}

/// The text of a prompt and an answer together, including the end-of-sequence token.
pub(super) struct WithAnswer {
    pub(super) text: String,
    /// Length of the text in bytes, without the end-of-sequence token that this file appends.
    n_rendered: usize,
    /// The bytes of the answer, if the texts are plain and not rendered by a template.
    pub(super) plain_answer: Option<Range<usize>>,
}

impl<'a> Rendering<'a> {
    /// Renders a prompt. `settings` are the template settings of the run.
    pub(super) fn new(
        prompt: &'a Text,
        (tools, kwargs): (&'a [Value], &TemplateKwargs),
        place: &'a Place,
        tokenizer: &'a Tokenizer,
        settings: &'a TemplateKwargs,
    ) -> Result<Self, TokenizeError> {
        let kwargs = match kwargs.is_empty() {
            true => Cow::Borrowed(settings),
            false => Cow::Owned(settings.overlaid(kwargs)),
        };
        let text = match prompt {
            Text::Plain(text) => Cow::Borrowed(text.as_str()),
            Text::Conversation(turns) => {
                let text = tokenizer.render_with(turns, tools, &kwargs, true);
                let failed = |source| TokenizeError::Tokenizer {
                    place: place.clone(),
                    source,
                };
                Cow::Owned(text.map_err(failed)?)
            }
        };
        Ok(Self {
            prompt,
            tools,
            kwargs,
            text,
            place,
            tokenizer,
        })
    }

    /// Whether the tokenizer adds its special tokens to the prompt. In a conversation the template
    /// has written them already.
    pub(super) fn adds_special(&self) -> bool {
        matches!(self.prompt, Text::Plain(_))
    }

    /// The prompt with an answer and an end-of-sequence token.
    pub(super) fn with_answer(&self, answer: &Text) -> Result<WithAnswer, TokenizeError> {
        let eos = || self.tokenizer.eos_token().ok_or(TokenizeError::NoEos);
        if let (Text::Plain(prompt), Text::Plain(answer)) = (self.prompt, answer) {
            let eos = eos()?;
            let end = if answer.ends_with(eos) { "" } else { eos };
            let range = prompt.len()..prompt.len() + answer.len();
            return Ok(WithAnswer {
                text: format!("{prompt}{answer}{end}"),
                n_rendered: range.end,
                plain_answer: Some(range),
            });
        }
        let rendered = self.render(&self.turns(answer), false);
        let mut text = rendered.map_err(|e| self.failed(e))?;
        let n_rendered = text.len();
        if !self.tokenizer.ends_in_special(&text) {
            text.push_str(eos()?);
        }
        Ok(WithAnswer {
            text,
            n_rendered,
            plain_answer: None,
        })
    }

    /// The byte range of the rendered text in which the template writes an answer, possibly with
    /// changes.
    pub(super) fn answer_region(&self, answer: &Text, whole: &WithAnswer) -> Range<usize> {
        let text = &whole.text[..whole.n_rendered];
        let after_prompt = match text.starts_with(&*self.text) {
            true => self.text.len()..text.len(),
            false => 0..text.len(),
        };
        let mut turns = self.turns(answer);
        let Some(last) = turns.last_mut() else {
            return after_prompt;
        };
        last.content = MARKER.to_owned();
        // a template may refuse the marker, or write nothing in its place
        let marked = self.render(&turns, false);
        let found = marked
            .ok()
            .and_then(|marked| region_of_marker(text, &marked));
        found.unwrap_or(after_prompt)
    }

    /// The text of some turns. With `answers`, it ends where the assistant answers.
    pub(super) fn render(
        &self,
        turns: &[Message],
        answers: bool,
    ) -> Result<String, TokenizerError> {
        let (tools, kwargs) = (self.tools, &self.kwargs);
        self.tokenizer.render_with(turns, tools, kwargs, answers)
    }

    /// The turns of prompt and answer. A plain text becomes a turn of the assistant.
    fn turns(&self, answer: &Text) -> Vec<Message> {
        let turns = |text: &Text| match text {
            Text::Conversation(turns) => turns.clone(),
            Text::Plain(content) => vec![Message::new("assistant", content)],
        };
        [self.prompt, answer].into_iter().flat_map(turns).collect()
    }

    /// An error of the tokenizer with the row's place.
    pub(super) fn failed(&self, source: TokenizerError) -> TokenizeError {
        TokenizeError::Tokenizer {
            place: self.place.clone(),
            source,
        }
    }
}
