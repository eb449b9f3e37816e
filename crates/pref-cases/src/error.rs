//! Errors of a case. In: a place in the case and what was found there. Out: a message.

use pref_core::{BatchError, SegmentError};
use thiserror::Error;

/// A case that cannot be evaluated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaseError {
    /// The text is not JSON, or does not have the form of a case.
    #[error("{path}: {message}")]
    Schema {
        /// The place in the case, such as `data.pairs[1].chosen.policy`.
        path: String,
        /// What is wrong there.
        message: String,
    },
    /// The data that the objective is computed on is missing.
    #[error("{method} needs `data.{needed}`, and the case has none")]
    NoData {
        /// The objective's method.
        method: &'static str,
        /// The list that the method needs.
        needed: &'static str,
    },
    /// The objective is a loss on scores, and a case holds log-probs.
    #[error(
        "{method} is computed from the scores of a reward model, and cases hold log-probs; name a method on log-probs"
    )]
    RewardModel {
        /// The objective's method.
        method: &'static str,
    },
    /// A list has no entry.
    #[error("{path} is empty; it needs at least one entry")]
    Empty {
        /// The list.
        path: String,
    },
    /// A column does not have one value for each token.
    #[error("{path} has {found} values and `policy` has {tokens}; give one value for each token")]
    Length {
        /// The column.
        path: String,
        /// Values found.
        found: usize,
        /// Tokens of the answer.
        tokens: usize,
    },
    /// A value is outside its range.
    #[error("{path}[{token}] must be {expected}, found {value}")]
    Value {
        /// The column.
        path: String,
        /// Index of the token, from 0.
        token: usize,
        /// The values that the column accepts.
        expected: &'static str,
        /// The value found.
        value: f64,
    },
    /// Some answers have a column and others do not.
    #[error(
        "{path} is missing, but other answers of the batch have this column; give it for all of them or for none"
    )]
    NoColumn {
        /// The missing column.
        path: String,
    },
    /// An example of kto is neither desirable nor undesirable.
    #[error("{path} is missing; kto needs `desirable` (true or false) for every example")]
    NoLabel {
        /// The missing value.
        path: String,
    },
    /// Segments that do not describe their answer.
    #[error("{path}: {source}")]
    Segments {
        /// The answer.
        path: String,
        /// What is wrong with its segments.
        #[source]
        source: SegmentError,
    },
    /// The data lacks an input that the objective needs.
    #[error(transparent)]
    Batch(#[from] BatchError),
}
