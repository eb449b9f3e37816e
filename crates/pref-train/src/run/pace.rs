//! The speed of a run. In: how long each step took. Out: the lines of `times.jsonl`.
//!
//! Times are not in `metrics.jsonl`, because a run that is repeated has the same metrics, to the byte, and other times.

use std::time::Duration;

use serde_json::json;

use crate::metrics::StepRecord;

/// The time of the steps since the last line.
#[derive(Debug, Default)]
pub(super) struct Pace {
    seconds: f64,
    /// The number of tokens when the first of these steps began.
    tokens: u64,
}

impl Pace {
    /// The pace of a run that has seen this number of tokens.
    pub(super) fn from(tokens: u64) -> Self {
        Self {
            seconds: 0.0,
            tokens,
        }
    }

    /// Adds a step.
    pub(super) fn add(&mut self, duration: Duration) {
        self.seconds += duration.as_secs_f64();
    }

    /// The line of the steps since the last line: the number of steps so far, the seconds that these steps took, and
    /// their tokens.
    pub(super) fn line(&mut self, record: &StepRecord) -> String {
        let tokens = record.num_tokens.saturating_sub(self.tokens);
        let seconds = (self.seconds * 1e6).round() / 1e6;
        *self = Self::from(record.num_tokens);
        let line = json!({"step": record.step, "seconds": seconds, "tokens": tokens});
        format!("{line}\n")
    }
}
