//! Continuing a text. In: the ids of a prompt, and options. Out: the ids that follow.

mod choose;
mod continue_text;
mod options;

pub use continue_text::generate;
pub use options::{GenerateError, GenerateOptions};
