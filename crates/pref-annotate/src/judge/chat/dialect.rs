//! What a server understands. In: its refusals. Out: requests without what it refused.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use serde::{Deserialize, Serialize};

use crate::task::Task;

/// How a server is told the form of a reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// By a JSON schema; if the server refuses it, as `json`, and then as `text`.
    #[default]
    Auto,
    /// By a JSON schema, which the server holds the model to.
    Schema,
    /// As JSON of any form.
    Json,
    /// Only by the words of the question.
    Text,
}

/// What is sent now. All requests share it.
#[derive(Debug)]
pub(super) struct Dialect {
    format: AtomicU8,
    may_change_format: bool,
    has_completion_tokens: AtomicBool,
    has_no_temperature: AtomicBool,
}

/// What one request is sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) format: Format,
    /// Whether the limit of tokens is called `max_completion_tokens`.
    pub(super) has_completion_tokens: bool,
    /// Whether temperature and top-p are left out.
    pub(super) has_no_temperature: bool,
}

const LEVELS: [Format; 3] = [Format::Schema, Format::Json, Format::Text];

impl Dialect {
    pub(super) fn new(format: Format) -> Self {
        let level = match format {
            Format::Auto | Format::Schema => 0,
            Format::Json => 1,
            Format::Text => 2,
        };
        Self {
            format: AtomicU8::new(level),
            may_change_format: format == Format::Auto,
            has_completion_tokens: AtomicBool::new(false),
            has_no_temperature: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Features {
        let level = usize::from(self.format.load(Ordering::SeqCst));
        Features {
            format: LEVELS[level.min(LEVELS.len() - 1)],
            has_completion_tokens: self.has_completion_tokens.load(Ordering::SeqCst),
            has_no_temperature: self.has_no_temperature.load(Ordering::SeqCst),
        }
    }

    /// Whether a refusal (status 400 or 422) of a request with `sent` names something that can be left out. The next
    /// requests are without it. How an answer is drawn is never left out, and an answer has no form.
    pub(super) fn adapt(&self, sent: Features, message: &str, task: &Task) -> bool {
        let message = message.to_lowercase();
        let names = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if !sent.has_completion_tokens && names(&["max_completion_tokens"]) {
            self.has_completion_tokens.store(true, Ordering::SeqCst);
            return true;
        }
        if *task == Task::Answer {
            return false;
        }
        if !sent.has_no_temperature && names(&["'temperature'", "`temperature`", "\"temperature\""])
        {
            self.has_no_temperature.store(true, Ordering::SeqCst);
            return true;
        }
        let is_format = names(&[
            "response_format",
            "json_schema",
            "json_object",
            "grammar",
            "schema",
        ]);
        if self.may_change_format && sent.format != Format::Text && is_format {
            let level = LEVELS.iter().position(|level| *level == sent.format);
            let next = level.map_or(2, |level| level as u8 + 1);
            self.format.fetch_max(next, Ordering::SeqCst);
            return true;
        }
        false
    }
}

/// Settings of an answer that a refusal names. Every question has them, so the server refuses all.
const DRAWN: [&str; 8] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "stop",
    "seed",
    "chat_template_kwargs",
];

/// The setting that a refusal names in quotation marks. None if it names none.
pub(super) fn refused_setting(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    DRAWN.into_iter().find(|name| {
        let quoted = |mark: char| message.contains(&format!("{mark}{name}{mark}"));
        ['\'', '`', '"'].into_iter().any(quoted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_refuses_is_left_out() {
        let judge = &Task::Compare;
        let dialect = Dialect::new(Format::Auto);
        let first = dialect.now();
        let message = "response_format type json_schema is not supported";
        assert!(dialect.adapt(first, message, judge));
        // A second request was sent in the same way before.
        assert!(dialect.adapt(first, message, judge));
        assert_eq!(dialect.now().format, Format::Json);
        assert!(dialect.adapt(dialect.now(), message, judge));
        assert!(!dialect.adapt(dialect.now(), message, judge));
        assert!(dialect.adapt(dialect.now(), "use 'max_completion_tokens' instead", judge));
        assert!(!dialect.adapt(dialect.now(), "this prompt is too long", judge));
        let answer = &Task::Answer;
        assert!(!dialect.adapt(dialect.now(), "`temperature` must be 1", answer));
        let fixed = Dialect::new(Format::Schema);
        assert!(!fixed.adapt(fixed.now(), message, judge));
    }
}
