//! Finds values in the text that a model wrote. In: text. Out: JSON objects, lists of items, numbers.

mod items;
mod lines;
mod number;
mod objects;

pub(crate) use items::Items;
pub(crate) use lines::labelled_lines;
pub(crate) use number::{Amount, amount_of, ascii_digits, number_of};
pub(crate) use objects::objects;
