//! How a run ended. In: the last step or the stop of a run. Out: what the caller can report.

use std::path::PathBuf;

use crate::metrics::Means;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one per run")]
pub enum Outcome {
    /// The run took all its steps, or ended early because it no longer improved.
    Finished {
        /// Folder of the final weights.
        model: PathBuf,
        /// Number of optimiser steps that the run took.
        steps: usize,
        /// The evaluation before the first step, if there are evaluation rows.
        before: Option<Means>,
        /// The evaluation of the final weights, if there are evaluation rows.
        after: Option<Means>,
    },
    /// The run was asked to stop, and can be resumed.
    Interrupted {
        /// Number of optimiser steps so far.
        step: usize,
        /// The checkpoint to resume from.
        checkpoint: PathBuf,
    },
    /// The run was asked to stop while the reference scored the rows, before the first step. The scores are
    /// in the run's folder, and the same call continues with them.
    Unstarted {
        /// Number of scored rows.
        scored: usize,
        /// Number of all rows.
        of: usize,
    },
}
