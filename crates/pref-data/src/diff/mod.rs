//! The tokens in which two answers differ. In: two lists of ids. Out: a mask for each. The
//! alignment is Levenshtein's, or that of Python's difflib.

mod difflib;
mod levenshtein;
mod token_diff;

pub use token_diff::{DiffAlgorithm, DiffOptions, TokenDiff, token_diffs};
