//! Errors of reading a file or a row. In: the cause. Out: a message with the file, the line and the
//! way out.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::shape::Shape;
use crate::text::Place;

/// A file cannot be read, or a row is not a pair or an answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system reports an error.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A pattern matches nothing, or a folder has no data files.
    #[error("{}: no data file; {why}", path.display())]
    NoFile {
        /// The path that the user gave.
        path: PathBuf,
        /// The files that were looked for, in words.
        why: String,
    },
    /// A folder holds files of several splits of a data set.
    #[error(
        "{}: the files belong to several splits: {}; choose one by its path or its pattern", path.display(), paths(found)
    )]
    Splits {
        /// The folder.
        path: PathBuf,
        /// A path or a pattern for each split.
        found: Vec<PathBuf>,
    },
    /// No program writes into a pipe.
    #[error("{}: no program has opened this pipe for writing within {seconds} seconds; start that program first", path.display())]
    NoWriter {
        /// The pipe.
        path: PathBuf,
        /// How many seconds the reader waited.
        seconds: u64,
    },
    /// The hub reports an error.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),
    /// The path is a data set of the hub, but this build cannot reach the hub.
    #[error(
        "hub:{0}: this build of pref cannot read data sets of the hub; build it with the feature `hub`, or download the files and give their path"
    )]
    NoHub(String),
    /// A line is not valid UTF-8.
    #[error("{}:{line}: not valid UTF-8 at byte {byte} of the line; save the file as UTF-8", path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The first invalid byte of the line, from 0.
        byte: usize,
    },
    /// A line is too long to be a row.
    #[error("{}:{line}: the line is longer than {limit} bytes; is the file JSON Lines, with one object per line?", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The limit in bytes.
        limit: u64,
    },
    /// A line is not valid JSON.
    #[error("{}:{line}:{column}: not valid JSON: {message}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// The parser's message.
        message: String,
    },
    /// A file of another format is damaged.
    #[error("{}:{line}: not valid {format}: {message}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// `CSV`, `Parquet`, `Arrow`, or `JSON` for a list.
        format: &'static str,
        /// The parser's message.
        message: String,
    },
    /// A line is JSON, but not an object.
    #[error("{}:{line}: expected an object with `prompt`, `chosen`, `rejected`, found {found}", path.display())]
    NotAnObject {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The kind of value that was found.
        found: &'static str,
    },
    /// A field is missing.
    #[error("{}:{line}: field `{field}` is missing; found {found}{suggestion}", path.display())]
    MissingField {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// The fields of the row.
        found: String,
        /// The way out, after `; `.
        suggestion: String,
    },
    /// The value of a field is null.
    #[error("{}:{line}: field `{field}` is null; fill it or remove the row", path.display())]
    Null {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// The rows have several shapes.
    #[error(
        "the rows have more than one shape: {}; choose one with `shape` (--shape, data.shape), and rows of other shapes become errors",
        firsts(found)
    )]
    Shapes {
        /// Each shape, and the first row of that shape.
        found: Vec<(Shape, Place)>,
    },
    /// A row has another shape than the rows before it.
    #[error("{}:{line}: the shape of this row is `{}`, but the shape of the rows before it is `{}`; remove the row, or choose a shape with `shape` (--shape, data.shape)", path.display(), found.name(), expected.name())]
    OtherShape {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The shape of the row.
        found: Shape,
        /// The shape of the rows before it.
        expected: Shape,
    },
    /// A cell of a table begins like a conversation, but cannot be read as one.
    #[error("{}:{line}: the cell of `{field}` begins like a conversation, but it is neither JSON nor a list as Python prints it: {message}; write it as JSON", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// The parser's message.
        message: String,
    },
    /// The value of a field has the wrong type.
    #[error("{}:{line}: field `{field}` must be {expected}, found {found}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The field, and the index within it.
        field: String,
        /// The values that the field accepts.
        expected: &'static str,
        /// The kind of value that was found.
        found: &'static str,
    },
    /// The value of a field is empty.
    #[error("{}:{line}: `{field}` is empty; fill it or remove the row", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// Both answers are the same.
    #[error("{}:{line}: chosen and rejected are identical, so the pair expresses no preference; remove the row", path.display())]
    NoPreference {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
    },
    /// All answers to a prompt have the same rating.
    #[error("{}:{line}: all ratings of this prompt are {rating}, so no answer is preferred; remove the row", path.display())]
    Tied {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
        /// The rating.
        rating: f64,
    },
    /// A row is a single answer, and pairs are read.
    #[error("{}:{line}: the row is a single answer, and pairs are needed here; give rows of `prompt`, `chosen`, `rejected`, or train on single answers with objective.method = \"sft\", or \"kto\" if they have a `label`", path.display())]
    Unpaired {
        /// The file.
        path: PathBuf,
        /// The line or the row, from 1.
        line: usize,
    },
    /// There are no rows.
    #[error("{}: no rows; expected one JSON object per line", path.display())]
    NoPairs {
        /// The file.
        path: PathBuf,
    },
    /// A column is mapped to a field that does not exist.
    #[error("column `{from}` is mapped to `{to}`, which is not a field; the fields are {known}")]
    Column {
        /// The name of the column in the file.
        from: String,
        /// The field.
        to: String,
        /// All fields.
        known: String,
    },
}

impl ReadError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        ReadError::File {
            path: path.to_owned(),
            source,
        }
    }

    /// The row that causes the error. The other rows can be read without it. None if the error concerns
    /// the whole file.
    pub fn row(&self) -> Option<Place> {
        let (path, line) = match self {
            #[cfg(feature = "hub")]
            ReadError::Hub(_) => return None,
            ReadError::File { .. }
            | ReadError::NoFile { .. }
            | ReadError::Splits { .. }
            | ReadError::NoWriter { .. }
            | ReadError::NoHub(_)
            | ReadError::NoPairs { .. }
            | ReadError::LongLine { .. }
            | ReadError::Format { .. }
            | ReadError::Unpaired { .. }
            | ReadError::Shapes { .. }
            | ReadError::Column { .. } => return None,
            ReadError::Utf8 { path, line, .. }
            | ReadError::Cell { path, line, .. }
            | ReadError::Json { path, line, .. }
            | ReadError::NotAnObject { path, line, .. }
            | ReadError::MissingField { path, line, .. }
            | ReadError::Null { path, line, .. }
            | ReadError::OtherShape { path, line, .. }
            | ReadError::WrongType { path, line, .. }
            | ReadError::Empty { path, line, .. }
            | ReadError::NoPreference { path, line, .. }
            | ReadError::Tied { path, line, .. } => (path, *line),
        };
        Some(Place {
            file: Some(path.as_path().into()),
            line,
        })
    }
}

/// A list of shapes with the first row of each: `pairs` at FILE:LINE, ….
fn firsts(found: &[(Shape, Place)]) -> String {
    let first = |(shape, place): &(Shape, Place)| format!("`{}` at {place}", shape.name());
    found.iter().map(first).collect::<Vec<_>>().join(", ")
}

fn paths(found: &[PathBuf]) -> String {
    let shown = |path: &PathBuf| path.display().to_string();
    found.iter().map(shown).collect::<Vec<_>>().join(", ")
}
