//! Why processes cannot continue together. In: what one process found. Out: an error that every process gets.

use thiserror::Error;

/// The processes of a run cannot continue together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RanksError {
    /// A process failed, and the others stop too.
    #[error("rank {rank} of {size} failed: {message}")]
    Failed {
        /// The number of the process, from 0.
        rank: usize,
        /// Number of processes.
        size: usize,
        /// Its error.
        message: String,
    },
    /// The processes do different things at the same time.
    #[error(
        "the {size} ranks of the run do different things at the same time ({found}); start the same program with the same arguments on every rank"
    )]
    OutOfStep {
        /// Number of processes.
        size: usize,
        /// What each of them does.
        found: String,
    },
    /// A message of another process cannot be read.
    #[error(
        "a message of rank {rank} cannot be read: {message}; start the same version of the program on every rank"
    )]
    Message {
        /// The sender.
        rank: usize,
        /// The cause.
        message: String,
    },
    /// The library MPI does not see the processes that the launcher started.
    #[error(
        "{launcher} started {launched} processes, but MPI sees {found}; start the program with the `mpirun` of the MPI library that it was built with, or with `srun --mpi=pmix`"
    )]
    OtherLauncher {
        /// The variable of the environment that gives the number of processes.
        launcher: &'static str,
        /// Number of processes that the launcher started.
        launched: usize,
        /// Number of processes that MPI sees.
        found: usize,
    },
    /// MPI cannot be initialised.
    #[error("MPI cannot start in this process, because it was started before; start it once")]
    Started,
}
