//! What training needs from the processes that train together. In: numbers and bytes of each process. Out: their
//! sum, or the bytes of all.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};

use super::error::RanksError;

/// The processes that train together. Each has a number, its rank.
///
/// All ranks call [`sum`](Self::sum) and [`gather`](Self::gather) in the same order. A call waits for the other
/// ranks. If a rank calls [`fail`](Self::fail) instead, the calls of the others return
/// [`RanksError::Failed`], so no rank waits for one that has ended.
pub trait Ranks: Debug {
    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// Number of processes.
    fn size(&self) -> usize;

    /// Replaces the values by their sum over all ranks. The sum is taken in the order of the ranks,
    /// `((v₀ + v₁) + v₂) + …`, so it has the same bits on every rank and in every run.
    ///
    /// # Errors
    /// [`RanksError::Failed`] if another rank failed, [`RanksError::OutOfStep`] if another rank does something else
    /// or has another number of values.
    fn sum(&self, values: &mut [f32]) -> Result<(), RanksError>;

    /// The bytes of all ranks, in the order of the ranks. Each rank may give another number of bytes.
    ///
    /// # Errors
    /// As [`sum`](Self::sum).
    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError>;

    /// Tells the other ranks that this one cannot continue, and why. After the first call, and after an error of
    /// another method, it does nothing.
    fn fail(&self, message: &str);
}

impl dyn Ranks + '_ {
    /// Whether this is rank 0, which writes the files of the run.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether the forward pass with this number is computed by this rank.
    pub fn owns(&self, number: usize) -> bool {
        number % self.size() == self.rank()
    }

    /// The values of all ranks, in the order of the ranks.
    ///
    /// # Errors
    /// As [`Ranks::gather`], and [`RanksError::Message`] if a value cannot be read.
    pub fn share<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<Vec<T>, RanksError> {
        if self.size() == 1 {
            return Ok(vec![own]);
        }
        let bytes = postcard::to_stdvec(&own).map_err(|error| RanksError::Message {
            rank: self.rank(),
            message: error.to_string(),
        })?;
        let all = self.gather(&bytes)?.into_iter().enumerate();
        all.map(|(rank, bytes)| {
            postcard::from_bytes(&bytes).map_err(|error| RanksError::Message {
                rank,
                message: error.to_string(),
            })
        })
        .collect()
    }

    /// The value of rank 0. `own` is called on rank 0 only.
    ///
    /// # Errors
    /// The error of `own` on rank 0; else that of `share`.
    pub fn of_first<T, E>(&self, own: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<RanksError>,
    {
        let own = match self.is_first() {
            true => Some(own()?),
            false => None,
        };
        let first = self.share(own)?.into_iter().next().flatten();
        first.ok_or_else(|| {
            E::from(RanksError::Message {
                rank: 0,
                message: "it holds no value".to_owned(),
            })
        })
    }

    /// Whether the value is true on any rank.
    ///
    /// # Errors
    /// As [`Ranks::gather`].
    pub fn any(&self, own: bool) -> Result<bool, RanksError> {
        Ok(self.share(own)?.contains(&true))
    }

    /// Waits until all ranks are here.
    ///
    /// # Errors
    /// As [`Ranks::gather`].
    pub fn meet(&self) -> Result<(), RanksError> {
        self.any(false).map(drop)
    }
}

/// A run of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f32]) -> Result<(), RanksError> {
        Ok(())
    }

    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
        Ok(vec![bytes.to_vec()])
    }

    fn fail(&self, _: &str) {}
}
