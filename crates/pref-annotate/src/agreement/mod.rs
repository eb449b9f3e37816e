//! Agreement of a judge with people. In: judged rows and labelled rows. Out: Cohen's κ, accuracies and distributions, as a
//! table and as an HTML page.

mod compare;
mod counts;
mod distribution;
mod page;
mod table;

pub use compare::{Agreement, AspectAgreement, agreement};
pub use counts::Estimate;
pub use distribution::Distribution;
