//! What can be wrong with a file of rows, by file and line.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::shape::Shape;
use crate::caught::caught;
use crate::pair::Place;

/// A file of rows that cannot be read, or a row that is not what it should be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A pattern that matches nothing, or a folder without data.
    #[error("{}: no data file; {why}", path.display())]
    NoFile {
        /// What was asked for.
        path: PathBuf,
        /// What was looked for.
        why: String,
    },
    /// Files of several splits of a data set.
    #[error(
        "{}: files of several splits: {}; choose one by its path or its pattern", path.display(), paths(found)
    )]
    Splits {
        /// The folder.
        path: PathBuf,
        /// A path or a pattern for each.
        found: Vec<PathBuf>,
    },
    /// A pipe that nobody writes into.
    #[error("{}: a pipe that no program has opened to write into it for {seconds} seconds; start that program before", path.display())]
    NoWriter {
        /// The pipe.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The hub.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Hub(#[from] crate::hub::HubError),
    /// A data set of the hub, and this build cannot reach it.
    #[error(
        "hub:{0}: this build of pref reads no data sets of the hub; build it with the feature `hub`, or download the files and give their path"
    )]
    NoHub(String),
    /// A line is not text.
    #[error("{}:{line}: not valid UTF-8 at byte {byte} of the line; save the file as UTF-8", path.display())]
    Utf8 {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 0, within the line.
        byte: usize,
    },
    /// A line too long to be a row.
    #[error("{}:{line}: the line is longer than {limit} bytes; is this JSON Lines, one object a line?", path.display())]
    LongLine {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The limit.
        limit: u64,
    },
    /// A line is not JSON.
    #[error("{}:{line}:{column}: not valid JSON: {message}", path.display())]
    Json {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// A file of another format is damaged.
    #[error("{}:{line}: not valid {format}: {message}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// `CSV`, `Parquet`, `Arrow`, or `JSON` for a list.
        format: &'static str,
        /// What the parser says.
        message: String,
    },
    /// A line is JSON but no object.
    #[error("{}:{line}: expected an object with `prompt`, `chosen`, `rejected`, found {found}", path.display())]
    NotAnObject {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What kind of value it is.
        found: &'static str,
    },
    /// A field is absent.
    #[error("{}:{line}: field `{field}` is missing; found {found}{suggestion}", path.display())]
    MissingField {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// The fields that are there.
        found: String,
        /// `; did you mean …?` or nothing.
        suggestion: String,
    },
    /// A field is there and holds null.
    #[error("{}:{line}: field `{field}` is null; fill it or remove the row", path.display())]
    Null {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// Rows of several shapes.
    #[error(
        "rows of more than one shape: {}; say which one is meant with `shape` (--shape, data.shape), rows of another shape are errors then",
        firsts(found)
    )]
    Shapes {
        /// Each shape with the first row that has it.
        found: Vec<(Shape, Place)>,
    },
    /// A row of another shape than the rows before it.
    #[error("{}:{line}: a row of {}, and the rows before it are {}; remove the row, or say which shape is meant with `shape` (--shape, data.shape)", path.display(), found.name(), expected.name())]
    OtherShape {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The row's shape.
        found: Shape,
        /// The file's shape.
        expected: Shape,
    },
    /// A cell of a table begins as a conversation and cannot be read as one.
    #[error("{}:{line}: the cell of `{field}` begins as a conversation, and is neither JSON nor a list as Python prints it: {message}; write it as JSON", path.display())]
    Cell {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A field is of the wrong type.
    #[error("{}:{line}: field `{field}` must be {expected}, found {found}", path.display())]
    WrongType {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field, with the index within it.
        field: String,
        /// What it takes.
        expected: &'static str,
        /// What kind of value it is.
        found: &'static str,
    },
    /// A field holds nothing.
    #[error("{}:{line}: `{field}` is empty; fill it or remove the row", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The field.
        field: &'static str,
    },
    /// Both answers are the same.
    #[error("{}:{line}: chosen and rejected are identical, so the pair expresses no preference; remove the row", path.display())]
    NoPreference {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Rated answers that are all rated alike.
    #[error("{}:{line}: all ratings of this prompt are {rating}, so no answer is preferred; remove the row", path.display())]
    Tied {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The rating.
        rating: f64,
    },
    /// A row of one answer where pairs are read.
    #[error("{}:{line}: the row is one answer (`completion`, `label`), and pairs are read here; train on it with objective.method = \"kto\", or give rows of `prompt`, `chosen`, `rejected`", path.display())]
    Unpaired {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// There is no row.
    #[error("{}: no rows; expected one JSON object a line", path.display())]
    NoPairs {
        /// Which file.
        path: PathBuf,
    },
    /// A column is mapped onto a field nobody knows, or from one that no row has.
    #[error("column `{from}` cannot stand for `{to}`; the fields are {known}")]
    Column {
        /// The file's name for it.
        from: String,
        /// The field.
        to: String,
        /// Every field.
        known: String,
    },
}

impl ReadError {
    /// The row that is to blame, if it is one row, so that the rest can be read without it.
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

/// `pairs` as at `FILE:LINE`, and so on.
fn firsts(found: &[(Shape, Place)]) -> String {
    let first = |(shape, place): &(Shape, Place)| format!("`{}` as at {place}", shape.name());
    found.iter().map(first).collect::<Vec<_>>().join(", ")
}

fn paths(found: &[PathBuf]) -> String {
    let shown = |path: &PathBuf| path.display().to_string();
    found.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Runs a reader of a binary format, which may panic on files that are damaged.
pub(super) fn damage_caught<T, E: Display>(
    format: &'static str,
    path: &Path,
    line: usize,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, ReadError> {
    let failed = |message| ReadError::Format {
        path: path.to_owned(),
        line,
        format,
        message,
    };
    // nothing is read from the reader once it has failed
    match caught(read) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(panic) => Err(failed(format!("the file is damaged ({panic})"))),
    }
}
