//! Options for reading files, and the results of reading. In: a user's choices. Out: plain types
//! without logic.

use std::collections::BTreeMap;

use super::error::ReadError;
use super::shape::Shape;
use crate::text::Pair;

/// How a file is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The shape of the rows. If absent, the first thousand rows determine it.
    pub shape: Option<Shape>,
    /// For each field, the name of the column that holds it, such as `prompt` to `question`.
    pub columns: BTreeMap<String, String>,
    /// Whether rows that are not pairs or answers are skipped. Otherwise the first one is an error.
    pub skip_bad_rows: bool,
}

/// All rows of a file, and how they were read.
#[derive(Debug)]
pub struct Reading<T = Pair> {
    /// The rows, in the order of the file.
    pub rows: Vec<T>,
    /// The shape of the rows.
    pub shape: Shape,
    /// The errors of the rows that were skipped.
    pub rejects: Vec<ReadError>,
}

/// How the rows of a file were read, without the rows.
#[derive(Debug)]
pub struct Summary {
    /// The shape of the rows.
    pub shape: Shape,
    /// The errors of the rows that were skipped.
    pub rejects: Vec<ReadError>,
}
