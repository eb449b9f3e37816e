//! Objectives: combinations of the choices. In: a batch. Out: its loss, and the values from which
//! metrics are computed.

mod bvpo;
mod interface;
mod kto;
mod pairwise;
mod scores;
mod sft;
mod sum;

pub use bvpo::{Bvpo, BvpoOutput};
pub use interface::{LossOutput, Objective};
pub use kto::{Kto, KtoOutput, UnpairedBatch, mismatched_indices};
pub use pairwise::PairwiseObjective;
pub use scores::{BradleyTerry, SegmentScores};
pub use sft::{Sft, SftOutput};
pub use sum::{Term, WeightedSum};
