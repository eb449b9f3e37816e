//! Types of the input and the output of every check. In: a text file of the workspace. Out: a complaint.

use std::fmt;

/// One text file of the workspace.
pub(super) struct Text {
    /// Path relative to the workspace's root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// One thing that a check found wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Path relative to the workspace's root, with `/`.
    pub(super) path: String,
    /// Line number, counted from 1; `None` if the complaint is about the whole file.
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}
