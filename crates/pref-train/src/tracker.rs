//! Reports of a run in progress. In: messages, progress and metrics. Out: calls of a [`Tracker`], such as a
//! progress bar, a log, or code of your own.

use crate::metrics::{EvalRecord, StepRecord};

/// Receives the reports of a run. Every method does nothing by default.
pub trait Tracker {
    /// A message, such as the number of truncated pairs, or a skipped checkpoint.
    fn note(&mut self, _text: &str) {}

    /// A stage begins: its name (`reference` or `evaluation`) and its number of pairs or single answers.
    fn begin(&mut self, _what: &str, _n_pairs: usize) {}

    /// `_n_pairs` more pairs or single answers of the stage are done.
    fn advance(&mut self, _n_pairs: usize) {}

    /// The stage is over.
    fn end(&mut self) {}

    /// Training begins or continues after `step` of `total` steps.
    fn training(&mut self, _step: usize, _total: usize) {}

    /// A line of the metrics is complete.
    fn step(&mut self, _record: &StepRecord) {}

    /// An evaluation is complete.
    fn evaluation(&mut self, _record: &EvalRecord) {}
}

/// Ignores all reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silent;

impl Tracker for Silent {}
