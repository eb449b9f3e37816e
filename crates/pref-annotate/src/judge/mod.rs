//! Judges. In: a question. Out: a reply, or an error that says whether asking again can help.

mod arithmetic;
mod chat;
mod interface;
mod rules;

pub use arithmetic::{final_number, same_number};
pub(crate) use chat::{About, RemoteBatch, about, batch_line_of};
pub use chat::{ApiKey, ChatError, ChatJudge, ChatOptions, Format, KeyError, ServerKind};
pub use interface::{Ask, Basis, Fault, Judge, JudgeError, Reply, Usage};
pub use rules::{Rules, UnknownRules};
