//! A judge behind an OpenAI-compatible chat server. In: a URL, a model, a key. Out: one request per attempt.

mod batch;
mod body;
mod client;
mod dialect;
mod key;
mod kind;
mod preflight;
mod response;
mod status;
mod url;

pub(crate) use batch::{RemoteBatch, batch_line_of};
pub use client::{ChatJudge, ChatOptions};
pub use dialect::Format;
pub use key::{ApiKey, KeyError};
pub use kind::ServerKind;
pub use preflight::ChatError;
pub(crate) use response::{About, about};
