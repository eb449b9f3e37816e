//! Rows of data files: flags and files in, chunks of rows and written files out. Every command that
//! looks at data uses these.

mod kinds;
mod output;
mod read;
mod tokens;

pub(crate) use kinds::{Rows, TokenRows, noun};
pub(crate) use output::{Output, write_lines};
pub(crate) use read::{ReadArgs, parse_field};
pub(crate) use tokens::{TokenArgs, pair_tokens};
