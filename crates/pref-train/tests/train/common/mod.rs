//! Helpers of the tests of whole runs: paths, plans, and a tracker that records.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod event_file;
mod pairs;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use pref_train::{
    EvalRecord, MetricsLine, Outcome, Plan, Settings, StepRecord, Tracker, TrainBackend, TrainError,
};

pub(crate) use pairs::write_pairs;

/// A folder of the workspace.
pub(crate) fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// One of the tiny models.
pub(crate) fn model(name: &str) -> String {
    workspace("fixtures/models")
        .join(name)
        .display()
        .to_string()
}

/// Settings from `key=value` lines.
pub(crate) fn plan(settings: &[String]) -> Plan {
    let mut all = Settings::default();
    for pair in settings {
        all.set(pair).unwrap();
    }
    Plan::from_settings(all).unwrap()
}

/// A tracker that records everything.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) notes: Vec<String>,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) evals: Vec<EvalRecord>,
}

impl Tracker for Memory {
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn step(&mut self, record: &StepRecord) {
        self.steps.push(record.clone());
    }

    fn evaluation(&mut self, record: &EvalRecord) {
        self.evals.push(record.clone());
    }
}

/// Runs a plan to its end.
pub(crate) fn run<B: TrainBackend>(
    plan: &Plan,
    resume: bool,
) -> Result<(Outcome, Memory), TrainError> {
    let mut memory = Memory::default();
    let never = AtomicBool::new(false);
    let device = B::Device::default();
    let outcome = pref_train::train::<B>(plan, resume, &device, &mut memory, &never)?;
    Ok((outcome, memory))
}

/// The lines of the metrics of a run.
pub(crate) fn metrics(folder: &Path) -> Vec<MetricsLine> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

/// Sets `stop` after a number of steps. With 0 steps, sets it when the reference has scored the first rows.
pub(crate) struct StopAfter<'a> {
    pub(crate) step: usize,
    pub(crate) stop: &'a AtomicBool,
}

impl Tracker for StopAfter<'_> {
    fn advance(&mut self, n_pairs: usize) {
        if self.step == 0 && n_pairs > 0 {
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    fn step(&mut self, record: &StepRecord) {
        if record.step == self.step {
            self.stop.store(true, Ordering::SeqCst);
        }
    }
}
