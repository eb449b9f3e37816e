//! Checks a set of rows for faults before training. In: pairs or single answers, as text and as
//! ids. Out: findings, each with its place.

mod finding;
mod texts;
mod tokens;

pub use finding::{Fault, Finding, Severity};
pub use texts::Linter;
pub use tokens::{TokenLint, lint_report};
