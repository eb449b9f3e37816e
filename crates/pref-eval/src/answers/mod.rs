//! Final answers. In: the text of a response, an expected answer. Out: the final answer, and whether both are equal.
//!
//! A response is searched for its final answer ([`Extraction`]), which is read as a structure of numbers, lists,
//! intervals, equations or words, and compared with the structure of the expected answer ([`compare_answers`]).

mod answer;
mod compare;
mod equality;
mod evaluate;
mod expression;
mod extract;
mod limits;
mod numeric;
mod option;
mod read;
mod verdict;

pub use equality::compare_answers;
pub use extract::{Extraction, ExtractionError, expected_answer};
pub use verdict::Verdict;
