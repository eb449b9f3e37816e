//! The trait of judges. In: nothing. Out: the types of a question to a judge, of its reply, and of its errors.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::request::Request;

/// Somebody or something that answers questions: a model behind a server, a program, or a type of your own.
///
/// One call is one attempt. The caller repeats it, counts it, and stores its result.
///
/// ```
/// use pref_annotate::{Ask, Judge, JudgeError, Reply};
///
/// /// Finds everything excellent.
/// struct Kind;
///
/// impl Judge for Kind {
///     fn model(&self) -> &str {
///         "kind"
///     }
///
///     async fn ask(&self, _: Ask<'_>) -> Result<Reply, JudgeError> {
///         Ok(Reply::of_text(r#"{"a": [{"index": 1, "reason": "good", "score": 4}]}"#))
///     }
/// }
/// ```
pub trait Judge: Send + Sync {
    /// The name of the model, which is part of the key of every question. It says who answers, and not where.
    fn model(&self) -> &str;

    /// What the judge reads.
    fn basis(&self) -> Basis {
        Basis::Messages
    }

    /// Asks once. For [`Task::Answer`](crate::Task::Answer), a reply that the limit of tokens cuts is a reply, and
    /// no [`Fault::Cut`].
    fn ask(&self, ask: Ask<'_>) -> impl Future<Output = Result<Reply, JudgeError>> + Send;
}

/// What a judge reads of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The messages.
    Messages,
    /// The data behind them, [`Facts`](crate::Facts), which are then part of the key.
    Facts,
    /// As `Facts`, with the texts of the row as training reads them. The scores are numbers from 0 to 4 that a model
    /// computes: whole numbers, scales of the aspects, and their order along an answer are not demanded.
    Rows,
}

/// One attempt to get a reply.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The question.
    pub request: &'a Request,
    /// The most tokens of the reply.
    pub max_tokens: u32,
}

/// The reply to a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// All that the server sent, as text; empty if there is no server.
    pub raw: String,
    /// The tokens that were used, if the server tells.
    pub usage: Option<Usage>,
    /// The model, as the server names it.
    pub model: Option<String>,
    /// The state of the server that determines its replies (`system_fingerprint`).
    pub fingerprint: Option<String>,
    /// How long the server takes no more requests, if it says that its limit is reached.
    pub pause: Option<Duration>,
}

impl Reply {
    /// A reply that is only text.
    pub fn of_text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// The tokens of a question and its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the question.
    pub prompt: u64,
    /// Tokens of the question that the server had in its cache; they are part of `prompt`.
    pub cached: u64,
    /// Tokens of the reply.
    pub completion: u64,
}

/// An attempt without a reply.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
#[non_exhaustive]
pub struct JudgeError {
    /// What happened, and what can be done next.
    pub fault: Fault,
    /// The message. It has no key of the server.
    pub message: String,
    /// The tokens that were used, if the server tells.
    pub usage: Option<Usage>,
}

impl JudgeError {
    /// An error without usage.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self {
            fault,
            message: message.into(),
            usage: None,
        }
    }
}

/// What happened to an attempt without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server asks to wait (429, or 503 with `Retry-After`).
    Busy {
        /// How long, if the server says it.
        wait: Option<Duration>,
    },
    /// The server failed. The same failure three times ends the question.
    Server,
    /// No connection could be made, so nothing was asked.
    Unreachable,
    /// The connection ended, or there was no complete reply in time. The server may have answered.
    Lost,
    /// The limit of tokens cut the reply.
    Cut,
    /// The server does not know a part of the request; the next attempt is without it.
    Adapted,
    /// The judge refuses this question. Asking again does not help.
    Refused,
    /// The server refuses all questions: key, credit, model or URL are wrong. The run ends.
    Fatal,
}
