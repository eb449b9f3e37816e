//! Preference data in: files of any format and shape to pairs with their places, or to errors that
//! name file, line and field.

mod error;
mod list;
mod row;
mod shape;
mod source;

pub use error::ReadError;
pub use shape::Shape;
pub use source::{SourceRow, read_rows};

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::pair::{Example, Pair};

/// How a file is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The rows' shape; found out from the first row if absent.
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

/// Rows handed on at a time: enough to share among threads.
const CHUNK: usize = 1024;

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
    let take = |row: &SourceRow, shape, pairs: &mut Vec<Pair>| {
        pairs.push(row.pair(shape)?);
        Ok(())
    };
    scan(path, options, take, sink)
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
    let take = |row: &SourceRow, shape, examples: &mut Vec<Example>| {
        if shape == Shape::Unpaired {
            examples.push(row.example()?);
            return Ok(());
        }
        let Pair {
            prompt,
            chosen,
            rejected,
            tools,
            template_kwargs,
            place,
            ..
        } = row.pair(shape)?;
        for (completion, desirable) in [(chosen, true), (rejected, false)] {
            examples.push(Example {
                prompt: prompt.clone(),
                completion,
                desirable,
                tools: tools.clone(),
                template_kwargs: template_kwargs.clone(),
                place: place.clone(),
            });
        }
        Ok(())
    };
    scan(path, options, take, sink)
}

/// The shape of a file's rows, as its first row with one has it; none if no row has.
///
/// # Errors
/// [`ReadError`] if there is no such file, or it cannot be read.
pub fn shape_of(path: &Path, options: &ReadOptions) -> Result<Option<Shape>, ReadError> {
    if options.shape.is_some() {
        return Ok(options.shape);
    }
    for row in renamed_rows(path, options)? {
        match row {
            Ok(row) => match Shape::of(&row) {
                None => {}
                shape => return Ok(shape),
            },
            Err(error) if error.row().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The rows of a file with their columns under the names that are known here.
fn renamed_rows(
    path: &Path,
    options: &ReadOptions,
) -> Result<impl Iterator<Item = Result<SourceRow, ReadError>>, ReadError> {
    for (field, from) in &options.columns {
        if !row::FIELDS.contains(&field.as_str()) {
            let (from, to) = (from.clone(), field.clone());
            let known = row::FIELDS.join(", ");
            return Err(ReadError::Column { from, to, known });
        }
    }
    Ok(read_rows(path)?.map(|row| {
        let mut row = row?;
        row.object = row::renamed(row.object, &options.columns);
        if row.is_table {
            row.parse_cells();
        }
        Ok(row)
    }))
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

/// Reads rows, turns each with `take` into what is collected, and hands it on by the chunk.
fn scan<T, E: From<ReadError>>(
    path: &Path,
    options: &ReadOptions,
    take: impl Fn(&SourceRow, Shape, &mut Vec<T>) -> Result<(), ReadError>,
    mut sink: impl FnMut(Vec<T>) -> Result<(), E>,
) -> Result<Summary, E> {
    let rows = renamed_rows(path, options)?;
    let mut shape = options.shape;
    let mut found = Vec::new();
    let mut n_rows = 0;
    let mut rejects = Vec::new();
    let mut accept = |result: Result<(), ReadError>| match result {
        Err(error) if options.skip_bad_rows && error.row().is_some() => {
            rejects.push(error);
            Ok(())
        }
        result => result,
    };
    // rated rows of one prompt, put together
    let mut group: Option<SourceRow> = None;
    for row in rows {
        if found.len() >= CHUNK {
            n_rows += found.len();
            sink(std::mem::take(&mut found))?;
        }
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                accept(Err(error))?;
                continue;
            }
        };
        let Some(known) = shape.or_else(|| Shape::of(&row)) else {
            accept(Err(row.missing(nearest_need(&row))))?;
            continue;
        };
        shape = Some(known);
        if !known.is_grouped() {
            accept(take(&row, known, &mut found))?;
            continue;
        }
        match &mut group {
            Some(group) if group.object.get("prompt") == row.object.get("prompt") => {
                collect(group, row);
            }
            _ => {
                let done = group.replace(begin(row));
                if let Some(done) = done {
                    accept(take(&done, known, &mut found))?;
                }
            }
        }
    }
    if let (Some(done), Some(shape)) = (group, shape) {
        accept(take(&done, shape, &mut found))?;
    }
    n_rows += found.len();
    if !found.is_empty() {
        sink(found)?;
    }
    match shape.filter(|_| n_rows > 0) {
        Some(shape) => Ok(Summary { shape, rejects }),
        // nothing is left: what was wrong with the first row says more
        None if !rejects.is_empty() => Err(rejects.swap_remove(0).into()),
        None => {
            let path = path.to_owned();
            Err(ReadError::NoPairs { path }.into())
        }
    }
}

/// The field whose absence keeps a row from being a pair.
fn nearest_need(row: &SourceRow) -> &'static str {
    let absent = |field: &&str| !row.object.contains_key(*field);
    ["prompt", "chosen", "rejected"]
        .into_iter()
        .find(absent)
        .unwrap_or("chosen")
}

/// A row of one rated response as one of a list.
fn begin(mut row: SourceRow) -> SourceRow {
    let [response, rating] = rated(&mut row);
    for (list, value) in [("responses", response), ("ratings", rating)] {
        row.object
            .insert(list.to_owned(), Value::Array(vec![value]));
    }
    row
}

fn collect(group: &mut SourceRow, mut row: SourceRow) {
    let [response, rating] = rated(&mut row);
    for (list, value) in [("responses", response), ("ratings", rating)] {
        if let Some(Value::Array(values)) = group.object.get_mut(list) {
            values.push(value);
        }
    }
}

/// A row's response and what it is rated by.
fn rated(row: &mut SourceRow) -> [Value; 2] {
    let mut take = |field: &str| row.object.remove(field);
    let response = take("response").unwrap_or_default();
    let rating = take("rating").or_else(|| take("helpfulness"));
    [response, rating.unwrap_or_default()]
}
