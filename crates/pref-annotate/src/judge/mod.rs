//! Judges. In: a question. Out: a reply, or an error that says whether asking again can help.

mod arithmetic;
mod chat;
mod interface;
mod rules;

pub use arithmetic::{final_number, same_number};
pub(crate) use chat::RemoteBatch;
pub use chat::{ApiKey, ChatError, ChatJudge, ChatOptions, Format, KeyError};
pub use interface::{Ask, Basis, Fault, Judge, JudgeError, Reply, Usage};
pub use rules::{Rules, UnknownRules};
