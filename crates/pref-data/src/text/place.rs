//! The place of a row. In: a file and a line. Out: the name of the row in messages.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The position of a row: `FILE:LINE`, or `line LINE` if the file is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The row's file.
    pub file: Option<Arc<Path>>,
    /// The line of the file, from 1. In JSON lists, Parquet and Arrow it is the number of the row,
    /// from 1.
    pub line: usize,
}

impl Place {
    /// The name of this place in a message that already names `other`: `line LINE` if both are in
    /// the same file, `FILE:LINE` otherwise.
    ///
    /// ```
    /// use pref_data::Place;
    /// let place = |file: &str, line| Place { file: Some(std::path::Path::new(file).into()), line };
    /// assert_eq!(place("a.jsonl", 3).seen_from(&place("a.jsonl", 9)), "line 3");
    /// assert_eq!(place("a.jsonl", 3).seen_from(&place("b.jsonl", 9)), "a.jsonl:3");
    /// ```
    pub fn seen_from(&self, other: &Place) -> String {
        match self.file == other.file {
            true => format!("line {}", self.line),
            false => self.to_string(),
        }
    }
}

impl From<usize> for Place {
    /// A line of an unknown file.
    fn from(line: usize) -> Self {
        Self { file: None, line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", file.display(), self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// A value that was made from one row of a file.
pub trait Placed {
    /// The position of that row.
    fn place(&self) -> &Place;
}
