//! Who is told of a run as it goes: a progress bar, a log, a person's own code.

use crate::metrics::{EvalRecord, StepRecord};

/// What a run says while it goes. Every method has an empty default.
pub trait Tracker {
    /// A remark worth reading: counts of truncated pairs, a cache found, a checkpoint skipped.
    fn note(&mut self, _text: &str) {}

    /// A stretch of work of known size begins: its name and the pairs in it.
    fn begin(&mut self, _what: &str, _n_pairs: usize) {}

    /// So many pairs more of it are done.
    fn advance(&mut self, _n_pairs: usize) {}

    /// It is over.
    fn end(&mut self) {}

    /// Training begins, or goes on, after `step` of `total` steps.
    fn training(&mut self, _step: usize, _total: usize) {}

    /// An optimiser step was taken.
    fn step(&mut self, _record: &StepRecord) {}

    /// An evaluation was made.
    fn evaluation(&mut self, _record: &EvalRecord) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silent;

impl Tracker for Silent {}
