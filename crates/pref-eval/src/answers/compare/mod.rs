//! Comparison of answers. In: two structures. Out: a verdict.

mod answers;
mod expressions;
mod quantities;
mod regions;

pub(crate) use answers::same;
