//! A chat template. In: its Jinja source, special tokens, messages. Out: the text for the tokenizer,
//! rendered as `transformers` renders it.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::LazyLock;

use chrono::{DateTime, FixedOffset, Local, TimeZone};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, escape_formatter};
use regex::Regex;

use super::{functions, operators, python_text};
use crate::panics::catch_panic;
use crate::text::{Message, TemplateKwargs};

/// The name of the template in the engine's messages.
const NAME: &str = "chat_template";

/// A compiled chat template.
///
/// ```
/// use pref_data::{ChatTemplate, Message};
/// let source = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}";
/// let template = ChatTemplate::new(source, None, Some("</s>"))?;
/// assert_eq!(template.render(&[Message::new("user", "Hi")], &[], false)?, "<user>Hi</s>");
/// # Ok::<(), pref_data::TemplateError>(())
/// ```
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// Special tokens by their names, such as `bos_token`. A token that the model does not have is
    /// undefined in the template.
    tokens: BTreeMap<String, String>,
    /// Whether the source calls `strftime_now`.
    uses_time: bool,
}

impl ChatTemplate {
    /// Compiles a template. It sees the special tokens as `bos_token` and `eos_token`.
    ///
    /// # Errors
    /// [`TemplateError`] if the source is not a valid template.
    pub fn new(
        source: &str,
        bos_token: Option<&str>,
        eos_token: Option<&str>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        // the settings that transformers gives to Jinja
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        environment.set_syntax(syntax.clone());
        functions::add_to(&mut environment);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", |format: &str| {
            strftime(Local::now(), format)
        });
        environment.set_formatter(|out, state, value| {
            match python_text::text_if_different(value)? {
                Some(text) => out.write_str(&text).map_err(Error::from),
                None => escape_formatter(out, state, value),
            }
        });
        // stops templates that would loop for ever
        environment.set_fuel(Some(10_000_000));
        let source = without_generation(source);
        let compiled = catch_panic(|| {
            let source = operators::without_operators(&source, NAME, &syntax)?;
            environment.add_template_owned(NAME, source)
        });
        compiled.map_err(TemplateError)??;
        let template = Self {
            environment,
            tokens: BTreeMap::new(),
            uses_time: source.contains("strftime_now"),
        };
        let tokens = [("bos_token", bos_token), ("eos_token", eos_token)];
        let known = tokens
            .into_iter()
            .filter_map(|(name, token)| Some((name, token?)));
        Ok(known.fold(template, |template, (name, token)| {
            template.with_token(name, token)
        }))
    }

    /// Whether the template writes the current time, so that its text depends on when it is rendered.
    pub fn uses_time(&self) -> bool {
        self.uses_time
    }

    /// The same template with a fixed time instead of the current one.
    #[must_use]
    pub fn at(mut self, time: DateTime<FixedOffset>) -> Self {
        let at = move |format: &str| strftime(time, format);
        self.environment.add_function("strftime_now", at);
        self
    }

    /// The same template with one more special token, such as `pad_token`.
    pub fn with_token(mut self, name: &str, token: &str) -> Self {
        self.tokens.insert(name.to_owned(), token.to_owned());
        self
    }

    /// The text of a conversation. `tools` are JSON schemas of functions that the model can call. With
    /// `add_generation_prompt` the text ends where the assistant's next turn begins.
    ///
    /// # Errors
    /// [`TemplateError`] if the template refuses the messages, or runs for too long.
    pub fn render(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        self.render_with(
            messages,
            tools,
            &TemplateKwargs::default(),
            add_generation_prompt,
        )
    }

    /// Like [`render`](Self::render), with further variables. They replace variables of the same name.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_with(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        kwargs: &TemplateKwargs,
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        // without tools transformers passes None, which templates can distinguish from undefined
        let tools = match tools {
            [] => Value::from(()),
            tools => Value::from(Serde(tools)),
        };
        let template = self.environment.get_template(NAME)?;
        let mut context: BTreeMap<&str, Value> = BTreeMap::from([
            ("messages", Value::from(Serde(messages))),
            ("tools", tools),
            ("documents", Value::from(())),
            ("add_generation_prompt", add_generation_prompt.into()),
        ]);
        let tokens = self.tokens.iter();
        context.extend(tokens.map(|(name, token)| (name.as_str(), token.into())));
        context.extend(
            kwargs
                .iter()
                .map(|(name, value)| (name, Value::from(Serde(value)))),
        );
        let text = catch_panic(|| template.render(context));
        Ok(text.map_err(TemplateError)??)
    }
}

/// A template is not valid, or refuses the messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

impl From<Error> for TemplateError {
    /// The engine's message, followed by the messages of its causes.
    fn from(error: Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

/// Replaces `{% generation %}` and `{% endgeneration %}` by an `if true` block. These tags mark the
/// assistant's words and write nothing, and the engine does not know them.
fn without_generation(source: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(\{%[-+]?)\s*(end)?generation\s*([-+]?%\})").expect("a valid pattern")
    });
    let block = |tag: &regex::Captures<'_>| match tag.get(2) {
        None => format!("{} if true {}", &tag[1], &tag[3]),
        Some(_) => format!("{} endif {}", &tag[1], &tag[3]),
    };
    TAG.replace_all(source, block).into_owned()
}

/// Formats a time. The format is Python's, such as `%d %b %Y`.
fn strftime<Z: TimeZone<Offset: Display>>(
    time: DateTime<Z>,
    format: &str,
) -> Result<String, Error> {
    let mut text = String::new();
    match write!(text, "{}", time.format(format)) {
        Ok(()) => Ok(text),
        Err(_) => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("strftime_now: `{format}` is not a date format"),
        )),
    }
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}
