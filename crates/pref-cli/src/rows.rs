//! Rows of data files, for every command that reads or writes them. In: flags and files. Out: chunks
//! of rows, and files of rows.

mod hash;
mod kinds;
mod output;
mod read;
mod resumable;
mod samples;
mod tokens;

pub(crate) use hash::hash_of_rows;
pub(crate) use kinds::{Rows, TokenRows, noun};
pub(crate) use output::{Output, write_lines};
pub(crate) use read::{ReadArgs, RowArgs, parse_field};
pub(crate) use resumable::{Resumable, ScoreArgs, ensure_json_lines};
pub(crate) use samples::{Fields, answer_text, response_text};
pub(crate) use tokens::{TokenArgs, pair_tokens, parse_template_kwargs};
