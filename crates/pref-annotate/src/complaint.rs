//! What is wrong with a reply. In: a text. Out: an error that a judge gets to read.

use thiserror::Error;

/// What is wrong with a reply, in words that a judge understands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Complaint(pub String);
