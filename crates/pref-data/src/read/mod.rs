//! Preference data in: files of any format and shape to pairs with their places, or to errors that
//! name file, line and field.

mod arrow;
mod bytes;
mod cells;
mod error;
mod files;
mod list;
mod literal;
mod parquet;
mod pin;
mod reader;
mod row;
mod shape;
mod source;
mod split;
mod turns;

pub use error::ReadError;
pub use files::is_input;
pub use pin::{is_pin_of, pinned};
pub use reader::{Reader, Record};
pub use shape::Shape;
pub use source::{SourceRow, read_rows};
#[cfg(feature = "hub")]
pub(crate) use split::chosen_split;

use std::collections::BTreeMap;
use std::path::Path;

use crate::pair::{Example, Pair};

/// How a file is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The rows' shape; found out from the first thousand rows if absent.
    pub shape: Option<Shape>,
    /// Fields by the names that the file has for them: `prompt` to `question`, for instance.
    pub columns: BTreeMap<String, String>,
    /// Pass over rows that are no pairs, instead of stopping at the first.
    pub skip_bad_rows: bool,
}

/// Pairs or single answers of a file, and what was found on the way.
#[derive(Debug)]
pub struct Reading<T = Pair> {
    /// In file order.
    pub rows: Vec<T>,
    /// What the rows' shape was.
    pub shape: Shape,
    /// What was wrong with the rows that were passed over.
    pub rejects: Vec<ReadError>,
}

/// What was found on the way through a file.
#[derive(Debug)]
pub struct Summary {
    /// What the rows' shape was.
    pub shape: Shape,
    /// What was wrong with the rows that were passed over.
    pub rejects: Vec<ReadError>,
}

/// Reads every pair of a JSON Lines file, of any shape. Blank lines and a byte order mark are
/// passed over, fields that nobody knows ignored.
///
/// # Errors
/// [`ReadError`] at the first row that is no pair.
pub fn read_pairs(path: &Path) -> Result<Vec<Pair>, ReadError> {
    Ok(read_with(path, &ReadOptions::default())?.rows)
}

/// Reads every pair of a file, a folder's files, or the files that a pattern matches.
///
/// ```
/// use pref_data::{ReadOptions, Shape, read_with};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("rated.jsonl");
/// std::fs::write(&file, r#"{"question": "2+2?", "responses": ["5", "4"], "ratings": [1, 5]}"#)?;
/// let mut options = ReadOptions::default();
/// options.columns.insert("prompt".to_owned(), "question".to_owned());
/// let read = read_with(&file, &options)?;
/// assert_eq!(read.shape, Shape::Rated);
/// assert_eq!(read.rows[0].chosen.to_string(), "4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ReadError`] if nothing can be read; at the first row that is no pair unless bad rows are
/// passed over.
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Reading, ReadError> {
    gather(|sink| each_pair(path, options, sink))
}

/// Reads pairs as [`read_with`] does, and hands them on some hundreds at a time, so that memory
/// does not grow with the file.
///
/// # Errors
/// As [`read_with`], and what `sink` returns.
pub fn each_pair<E: From<ReadError>>(
    path: &Path,
    options: &ReadOptions,
    sink: impl FnMut(Vec<Pair>) -> Result<(), E>,
) -> Result<Summary, E> {
    Reader::open(&[path], options)?.each_pair(sink)
}

/// Reads single answers, wanted or not: rows of `prompt`, `completion` and `label`, or pairs of any
/// shape, whose chosen answers are wanted and whose rejected ones are not.
///
/// ```
/// use pref_data::{ReadOptions, read_examples};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("unpaired.jsonl");
/// std::fs::write(&file, r#"{"prompt": "2+2?", "completion": "5", "label": false}"#)?;
/// let read = read_examples(&file, &ReadOptions::default())?;
/// assert!(!read.rows[0].desirable);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read_with`].
pub fn read_examples(path: &Path, options: &ReadOptions) -> Result<Reading<Example>, ReadError> {
    gather(|sink| each_example(path, options, sink))
}

/// Reads single answers as [`read_examples`] does, and hands them on some hundreds at a time.
///
/// # Errors
/// As [`read_with`], and what `sink` returns.
pub fn each_example<E: From<ReadError>>(
    path: &Path,
    options: &ReadOptions,
    sink: impl FnMut(Vec<Example>) -> Result<(), E>,
) -> Result<Summary, E> {
    Reader::open(&[path], options)?.each_example(sink)
}

/// Everything that a reader hands on.
fn gather<T>(
    read: impl FnOnce(&mut dyn FnMut(Vec<T>) -> Result<(), ReadError>) -> Result<Summary, ReadError>,
) -> Result<Reading<T>, ReadError> {
    let mut rows = Vec::new();
    let summary = read(&mut |some| {
        rows.extend(some);
        Ok(())
    })?;
    Ok(Reading {
        rows,
        shape: summary.shape,
        rejects: summary.rejects,
    })
}
