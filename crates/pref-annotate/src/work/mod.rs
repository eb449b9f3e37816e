//! What is annotated. In: rows. Out: the questions that they need, and later the rows with what the judge says.

mod bridge;
mod compare;
mod distance;
mod division;
mod error;
mod export;
mod flips;
mod interval;
mod kind;
mod parts;
mod prepare;
mod produced;
mod questions;
mod rank;
mod rows;
mod samples;
mod scores;
mod weights;

pub use bridge::{Bridge, Variant};
pub use compare::Compare;
pub use distance::{Distance, Distances};
pub use division::Division;
pub use error::WorkError;
pub use export::{Export, ExportReport};
pub use flips::{Flip, Flips};
pub use interval::Interval;
pub use kind::Work;
pub use parts::Parts;
pub use prepare::{Maker, review};
pub use produced::Produced;
pub use rank::{Rank, RankBy};
pub use rows::Prepared;
pub use samples::Samples;
pub(crate) use samples::VERSION as ANSWERS_VERSION;
pub use scores::{ASPECT_NAMES, Orders, Scores};
pub use weights::Weights;
