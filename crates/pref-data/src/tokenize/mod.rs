//! From text to token ids, as TRL's `DPOTrainer` does it. In: pairs or single answers and a
//! tokenizer. Out: ids of prompts and answers, and a report of what was cut and of rows in which
//! prompt and answer share a token.
//!
//! The prompt is tokenized alone, and the prompt together with each answer. The answer begins at the
//! first id that differs from the prompt's ids. An end-of-sequence token is appended to a plain
//! answer, and to a conversation if the template leaves the last turn open.

mod answer_features;
mod answer_text;
mod error;
mod examples;
mod options;
mod prompt;
mod rendering;
mod report;
mod rows;
mod truncate;
mod turns;

pub use error::TokenizeError;
pub use examples::tokenize_examples;
pub use options::{Boundary, LongPrompts, TokenizeOptions, Truncation};
pub use report::TokenizeReport;
pub use rows::{Tokenized, tokenize};
