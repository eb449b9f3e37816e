//! Pairs from samples. In: checked or scored samples of a question. Out: which sample is preferred to which.

mod choose;
mod sample;

pub use choose::{Choice, PairOptions, choose_pairs};
pub use sample::{ChosenPair, NoPairs, Sample};
