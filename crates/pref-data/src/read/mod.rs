//! Reads preference data from files. In: files of any format and shape. Out: pairs or single
//! answers with their places, or errors that name file, line and field.

mod bytes;
mod detect_shape;
mod error;
mod files;
mod format;
mod formats;
mod grouping;
mod open;
mod options;
mod pin;
mod prompts;
mod reader;
mod record;
mod rows;
mod shape;
mod whole_files;

pub use error::ReadError;
pub use files::is_input;
pub use open::read_rows;
pub use options::{ReadOptions, Reading, Summary};
pub use pin::{is_pin_of, pinned};
pub use prompts::{Prompts, read_prompts};
pub use reader::Reader;
pub use record::Record;
pub use rows::{PromptRow, SourceRow};
pub use shape::Shape;
pub use whole_files::{each_example, each_pair, each_wanted, read_examples, read_pairs, read_with};
