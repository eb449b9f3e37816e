//! The processes of a run that train together. In: numbers and bytes of each process. Out: their sum, or the bytes
//! of all.

mod error;
mod interface;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;

pub use error::RanksError;
pub use interface::{Alone, Ranks};
pub use launch::Launch;
#[cfg(feature = "mpi")]
pub use mpi::MpiRanks;
