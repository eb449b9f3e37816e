//! Writes rows to files. In: JSON objects, one at a time. Out: a file in the format of its name,
//! compressed or not. The file gets its name when it is complete.

mod columns;
mod error;
mod format;
mod output_file;
mod writer;

pub use error::WriteError;
pub use writer::RowWriter;
