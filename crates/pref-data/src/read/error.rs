//! What can be wrong with a file of rows, by file and line.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

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
        /// `CSV`, `Parquet`, or `JSON` for a list.
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
            | ReadError::NoHub(_)
            | ReadError::NoPairs { .. }
            | ReadError::LongLine { .. }
            | ReadError::Format { .. }
            | ReadError::Unpaired { .. }
            | ReadError::Column { .. } => return None,
            ReadError::Utf8 { path, line, .. }
            | ReadError::Json { path, line, .. }
            | ReadError::NotAnObject { path, line, .. }
            | ReadError::MissingField { path, line, .. }
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
