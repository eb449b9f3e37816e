//! Functions that read all rows of a file. In: a path. Out: all pairs or answers at once, or in chunks.

use std::path::Path;

use super::error::ReadError;
use super::options::{ReadOptions, Reading, Summary};
use super::reader::Reader;
use crate::text::{Example, Pair};

/// Reads all pairs of a file with the default options.
///
/// # Errors
/// [`ReadError`] at the first row that is not a pair.
pub fn read_pairs(path: &Path) -> Result<Vec<Pair>, ReadError> {
    Ok(read_with(path, &ReadOptions::default())?.rows)
}

/// Reads all pairs of a file, of a folder's files, or of the files that a pattern matches.
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
/// [`ReadError`] if nothing can be read, or at the first row that is not a pair, unless
/// [`ReadOptions::skip_bad_rows`] is set.
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Reading, ReadError> {
    collect_rows(|sink| each_pair(path, options, sink))
}

/// Reads pairs like [`read_with`], and passes them to `sink` in chunks of up to about a thousand, so
/// that memory does not grow with the file.
///
/// # Errors
/// As [`read_with`], and the errors of `sink`.
pub fn each_pair<E: From<ReadError>>(
    path: &Path,
    options: &ReadOptions,
    sink: impl FnMut(Vec<Pair>) -> Result<(), E>,
) -> Result<Summary, E> {
    Reader::open(&[path], options)?.each_pair(sink)
}

/// Reads single answers with a label: rows of `prompt`, `completion` and `label`, or pairs of any
/// shape. The chosen answer of a pair is wanted, the rejected one is not.
///
/// ```
/// use pref_data::{ReadOptions, read_examples};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("unpaired.jsonl");
/// std::fs::write(&file, r#"{"prompt": "2+2?", "completion": "5", "label": false}"#)?;
/// let read = read_examples(&file, &ReadOptions::default())?;
/// assert_eq!(read.rows[0].label, Some(false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`read_with`].
pub fn read_examples(path: &Path, options: &ReadOptions) -> Result<Reading<Example>, ReadError> {
    collect_rows(|sink| each_example(path, options, sink))
}

/// Reads single answers like [`read_examples`], and passes them to `sink` in chunks.
///
/// # Errors
/// As [`read_with`], and the errors of `sink`.
pub fn each_example<E: From<ReadError>>(
    path: &Path,
    options: &ReadOptions,
    sink: impl FnMut(Vec<Example>) -> Result<(), E>,
) -> Result<Summary, E> {
    Reader::open(&[path], options)?.each_example(sink)
}

/// Reads the wanted answers of a file, and passes them to `sink` in chunks: the chosen answer of a pair,
/// and single answers unless their label is false.
///
/// # Errors
/// As [`read_with`], and the errors of `sink`.
pub fn each_wanted<E: From<ReadError>>(
    path: &Path,
    options: &ReadOptions,
    sink: impl FnMut(Vec<Example>) -> Result<(), E>,
) -> Result<Summary, E> {
    Reader::open(&[path], options)?.each_wanted(sink)
}

/// Collects the rows that a reader passes to its sink.
fn collect_rows<T>(
    read: impl FnOnce(&mut dyn FnMut(Vec<T>) -> Result<(), ReadError>) -> Result<Summary, ReadError>,
) -> Result<Reading<T>, ReadError> {
    let mut rows = Vec::new();
    let summary = read(&mut |chunk| {
        rows.extend(chunk);
        Ok(())
    })?;
    Ok(Reading {
        rows,
        shape: summary.shape,
        rejects: summary.rejects,
    })
}
