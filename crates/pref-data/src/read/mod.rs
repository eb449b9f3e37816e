//! Preference data in: files of any format and shape to pairs with their places, or to errors that
//! name file, line and field.

mod error;
mod row;
mod shape;
mod source;

pub use error::ReadError;
pub use shape::Shape;
pub use source::{SourceRow, read_rows};

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::pair::Pair;

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

/// Pairs of a file, and what was found on the way.
#[derive(Debug)]
pub struct Reading {
    /// In file order.
    pub pairs: Vec<Pair>,
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
    Ok(read_with(path, &ReadOptions::default())?.pairs)
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
/// assert_eq!(read.pairs[0].chosen.to_string(), "4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ReadError`] if nothing can be read; at the first row that is no pair unless bad rows are
/// passed over.
pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Reading, ReadError> {
    for (field, from) in &options.columns {
        if !row::FIELDS.contains(&field.as_str()) {
            return Err(ReadError::Column {
                from: from.clone(),
                to: field.clone(),
                known: row::FIELDS.join(", "),
            });
        }
    }
    let rows = read_rows(path)?.map(|row| {
        let mut row = row?;
        row.object = row::renamed(row.object, &options.columns);
        Ok(row)
    });
    let mut shape = options.shape;
    let mut pairs = Vec::new();
    let mut rejects = Vec::new();
    let mut reject = |error: ReadError| {
        if options.skip_bad_rows && error.is_of_a_row() {
            rejects.push(error);
            Ok(())
        } else {
            Err(error)
        }
    };
    // rated rows of one prompt, put together
    let mut group: Option<SourceRow> = None;
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                reject(error)?;
                continue;
            }
        };
        let Some(known) = shape.or_else(|| Shape::of(&row)) else {
            reject(row.missing(nearest_need(&row)))?;
            continue;
        };
        shape = Some(known);
        if known != Shape::RatedRows {
            match row.pair(known) {
                Ok(pair) => pairs.push(pair),
                Err(error) => reject(error)?,
            }
            continue;
        }
        match &mut group {
            Some(group) if group.object.get("prompt") == row.object.get("prompt") => {
                collect(group, row);
            }
            _ => {
                if let Some(done) = group.take() {
                    match done.pair(known) {
                        Ok(pair) => pairs.push(pair),
                        Err(error) => reject(error)?,
                    }
                }
                group = Some(begin(row));
            }
        }
    }
    if let Some(done) = group {
        match done.pair(Shape::RatedRows) {
            Ok(pair) => pairs.push(pair),
            Err(error) => reject(error)?,
        }
    }
    match shape.filter(|_| !pairs.is_empty()) {
        Some(shape) => Ok(Reading {
            pairs,
            shape,
            rejects,
        }),
        None => Err(ReadError::NoPairs {
            path: path.to_owned(),
        }),
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
    for (list, one) in [("responses", "response"), ("ratings", "rating")] {
        let value = row.object.remove(one).unwrap_or_default();
        row.object
            .insert(list.to_owned(), Value::Array(vec![value]));
    }
    row
}

fn collect(group: &mut SourceRow, mut row: SourceRow) {
    for (list, one) in [("responses", "response"), ("ratings", "rating")] {
        let value = row.object.remove(one).unwrap_or_default();
        if let Some(Value::Array(values)) = group.object.get_mut(list) {
            values.push(value);
        }
    }
}
