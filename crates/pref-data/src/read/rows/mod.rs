//! From a JSON object to a pair or an answer. In: a row of a file. Out: [`Pair`](crate::Pair) or
//! [`Example`](crate::Example), or an error that names file, line and field.

mod annotation;
mod answer;
mod cells;
mod fields;
mod messages;
mod prompt;
mod prompt_and_answers;
mod python_literal;
mod source_row;
mod to_record;

pub(super) use fields::{FIELDS, rename_columns};
pub use prompt::PromptRow;
pub use source_row::SourceRow;
pub(super) use source_row::SourceRows;
