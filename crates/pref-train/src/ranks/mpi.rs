//! Processes that MPI connects. In: numbers and bytes of each process. Out: their sum, or the bytes of all.

use std::cell::Cell;
use std::fmt;

use mpi::Threading;
use mpi::collective::CommunicatorCollectives;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::topology::{Communicator, SimpleCommunicator};

use super::error::RanksError;
use super::interface::Ranks;
use super::launch::Launch;

/// Largest number of values that are summed at a time. The sum needs a second buffer of this size, 64 MiB.
const VALUES_AT_A_TIME: usize = 1 << 24;

/// Number of bytes of all ranks that are gathered at a time. MPI counts bytes with 31 bits.
const BYTES_AT_A_TIME: usize = 1 << 30;

/// What a rank does. Every call begins with it, so that a rank that failed is noticed by all others.
#[derive(Clone, Copy, PartialEq)]
enum Call {
    Failed = 0,
    Sum = 1,
    Gather = 2,
}

/// The processes that `mpirun` or `srun` started.
///
/// If a thread panics while it holds this, MPI ends all ranks.
pub struct MpiRanks {
    world: SimpleCommunicator,
    /// Whether this rank or another failed, after which no rank waits for another.
    has_ended: Cell<bool>,
    /// Ends MPI when it is dropped, so it is dropped last.
    _universe: Universe,
}

impl fmt::Debug for MpiRanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl MpiRanks {
    /// Starts MPI in a process that `launch` describes.
    ///
    /// # Errors
    /// [`RanksError::OtherLauncher`] if MPI does not see the processes of the launcher, and
    /// [`RanksError::Started`] if this process has started MPI before.
    pub fn start(launch: Launch) -> Result<Self, RanksError> {
        // Only the thread that calls this uses MPI.
        let (universe, _) =
            mpi::initialize_with_threading(Threading::Funneled).ok_or(RanksError::Started)?;
        let ranks = Self {
            world: universe.world(),
            has_ended: Cell::new(false),
            _universe: universe,
        };
        if ranks.size() != launch.size {
            return Err(RanksError::OtherLauncher {
                launcher: launch.variable,
                launched: launch.size,
                found: ranks.size(),
            });
        }
        Ok(ranks)
    }

    /// Tells all ranks what this one does, with how many values. The result is the number of values of each
    /// rank.
    fn begin(&self, call: Call, n: usize, message: &str) -> Result<Vec<usize>, RanksError> {
        let own = [call as u64, n as u64];
        let mut all = vec![0; own.len() * self.size()];
        self.world.all_gather_into(&own[..], &mut all[..]);
        let (calls, _) = all.as_chunks::<2>();
        let lengths = |call: Call| {
            let length = move |&[kind, n]: &[u64; 2]| match kind == call as u64 {
                true => n as usize,
                false => 0,
            };
            calls.iter().map(length).collect::<Vec<usize>>()
        };
        if let Some(rank) = calls
            .iter()
            .position(|&[kind, _]| kind == Call::Failed as u64)
        {
            self.has_ended.set(true);
            let messages = self.exchange(message.as_bytes(), &lengths(Call::Failed));
            return Err(RanksError::Failed {
                rank,
                size: self.size(),
                message: String::from_utf8_lossy(&messages[rank]).into_owned(),
            });
        }
        // Every rank sees the same calls, so all come to the same result.
        let [first, first_n] = calls[0];
        let is_same =
            |&[kind, n]: &[u64; 2]| kind == first && (kind == Call::Gather as u64 || n == first_n);
        if calls.iter().all(is_same) {
            return Ok(lengths(call));
        }
        self.has_ended.set(true);
        let found: Vec<String> = calls
            .iter()
            .map(|[kind, n]| format!("{kind}:{n}"))
            .collect();
        Err(RanksError::OutOfStep {
            size: self.size(),
            found: found.join(", "),
        })
    }

    /// The bytes of all ranks, whose numbers are known.
    fn exchange(&self, own: &[u8], lengths: &[usize]) -> Vec<Vec<u8>> {
        let own = &own[..lengths[self.rank()]];
        let at_a_time = BYTES_AT_A_TIME / self.size();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let mut all = vec![Vec::new(); self.size()];
        for start in (0..longest).step_by(at_a_time) {
            let part = |length: usize| start.min(length)..(start + at_a_time).min(length);
            let counts: Vec<i32> = lengths.iter().map(|&n| part(n).len() as i32).collect();
            let places = places(&counts);
            let mut received = vec![0_u8; counts.iter().sum::<i32>() as usize];
            let mut into = PartitionMut::new(&mut received[..], &counts[..], &places[..]);
            self.world
                .all_gather_varcount_into(&own[part(own.len())], &mut into);
            for ((bytes, &place), &count) in all.iter_mut().zip(&places).zip(&counts) {
                bytes.extend_from_slice(&received[place as usize..][..count as usize]);
            }
        }
        all
    }

    /// Sums at most [`VALUES_AT_A_TIME`] values. Each rank sums a part of them and sends the sums to all others.
    fn sum_part(&self, values: &mut [f32], buffer: &mut Vec<f32>) {
        let (rank, size) = (self.rank(), self.size());
        let longest = values.len().div_ceil(size);
        let part = |rank: usize| {
            let start = (rank * longest).min(values.len());
            start..(start + longest).min(values.len())
        };
        let counts: Vec<i32> = (0..size).map(|r| part(r).len() as i32).collect();
        let starts = places(&counts);
        let own = part(rank).len();
        let own_counts = vec![own as i32; size];
        let own_starts = places(&own_counts);
        buffer.clear();
        buffer.resize(own * size, 0.0);
        let from = Partition::new(&*values, &counts[..], &starts[..]);
        let mut into = PartitionMut::new(&mut buffer[..], &own_counts[..], &own_starts[..]);
        self.world.all_to_all_varcount_into(&from, &mut into);
        let (sum, rest) = buffer.split_at_mut(own);
        for other in rest.chunks_exact(own.max(1)) {
            for (sum, value) in sum.iter_mut().zip(other) {
                *sum += value;
            }
        }
        let mut into = PartitionMut::new(values, &counts[..], &starts[..]);
        self.world.all_gather_varcount_into(&*sum, &mut into);
    }
}

/// Where each part begins, if they follow each other.
fn places(counts: &[i32]) -> Vec<i32> {
    let mut end = 0;
    let place = |&count: &i32| {
        let start = end;
        end += count;
        start
    };
    counts.iter().map(place).collect()
}

impl Ranks for MpiRanks {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), RanksError> {
        self.begin(Call::Sum, values.len(), "")?;
        let mut buffer = Vec::new();
        for part in values.chunks_mut(VALUES_AT_A_TIME) {
            self.sum_part(part, &mut buffer);
        }
        Ok(())
    }

    fn gather(&self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, RanksError> {
        let lengths = self.begin(Call::Gather, bytes.len(), "")?;
        Ok(self.exchange(bytes, &lengths))
    }

    fn fail(&self, message: &str) {
        if !self.has_ended.get() {
            // The error is the one that this rank reports.
            let _ = self.begin(Call::Failed, message.len(), message);
        }
    }
}

impl Drop for MpiRanks {
    /// The other ranks may wait for a rank that panics, so it ends them.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.world.abort(1);
        }
    }
}
