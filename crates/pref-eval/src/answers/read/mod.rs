//! Reading of answers. In: the text of an answer. Out: its structure.

mod clean;
mod date;
mod expression;
mod forms;
mod number;
mod pieces;
mod quantity;
mod region;
mod structure;
mod token;
mod unit_words;
mod words;

pub(crate) use clean::clean;
pub(crate) use number::Commas;
pub(crate) use quantity::letter_unit;
pub(crate) use structure::{read, region};
pub(crate) use words::plain_words;
