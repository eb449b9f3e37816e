//! What a run tells. In: events of a run. Out: progress while it runs, and a report at its end.

use std::time::Duration;

use serde::Serialize;

/// Hears how a run goes on.
pub trait Observer {
    /// Something has changed.
    fn progress(&mut self, progress: &RunProgress);
}

/// Hears nothing.
impl Observer for () {
    fn progress(&mut self, _: &RunProgress) {}
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunProgress {
    /// Units that were open at the start, and repairs that came up since.
    pub n_units: u64,
    /// Units with a reply.
    pub n_answered: u64,
    /// Units that failed.
    pub n_failed: u64,
    /// Requests that were sent.
    pub n_requests: u64,
    /// Requests on their way.
    pub in_flight: usize,
    /// The limit of requests in flight.
    pub limit: usize,
    /// Tokens of questions.
    pub prompt: u64,
    /// Tokens of questions that the server had in its cache.
    pub cached: u64,
    /// Tokens of replies.
    pub completion: u64,
    /// Money, in billionths.
    pub money: u64,
    /// Time since the start.
    pub elapsed: Duration,
}

impl RunProgress {
    /// The time that is left at the present speed; none before the first unit.
    pub fn time_left(&self) -> Option<Duration> {
        let done = self.n_answered + self.n_failed;
        let left = self.n_units.saturating_sub(done) as f64;
        let seconds = self.elapsed.as_secs_f64() * left / done as f64;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "end", rename_all = "kebab-case")]
pub enum End {
    /// No unit is open.
    Complete,
    /// The caller asked to stop.
    Stopped,
    /// The next request could pass the budget.
    Budget {
        /// Which budget, and what is spent.
        message: String,
    },
    /// The server refuses all questions, or cannot be reached. The units stay open.
    Refused {
        /// What the server says.
        message: String,
    },
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// The last progress.
    pub progress: RunProgress,
    /// Why it ended.
    pub end: End,
}
