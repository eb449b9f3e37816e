//! When a checkpoint is due by time. In: the time that the last one took. Out: whether the next is due.

use std::time::{Duration, Instant};

/// Checkpoints take at most one part in this number of the time of a run.
const INVERSE_SHARE: u32 = 20;

/// Measures the time since the last checkpoint.
#[derive(Clone, Debug)]
pub(super) struct SaveTimer {
    /// `None` if checkpoints are not written by time.
    every: Option<Duration>,
    last: Instant,
    /// Time that writing the last checkpoint took.
    cost: Duration,
}

impl SaveTimer {
    /// A timer that starts now. With 0 minutes no checkpoint is ever due.
    pub(super) fn new(minutes: f64) -> Self {
        let every = Duration::try_from_secs_f64(minutes * 60.0).ok();
        Self {
            every: every.filter(|every| !every.is_zero()),
            last: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Whether a checkpoint is due. A model whose checkpoints take long is saved less often.
    pub(super) fn is_due(&self) -> bool {
        let due = |every: Duration| self.last.elapsed() >= every.max(self.cost * INVERSE_SHARE);
        self.every.is_some_and(due)
    }

    /// Writes a checkpoint, and starts to measure again.
    pub(super) fn time<T>(&mut self, save: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let saved = save();
        self.cost = started.elapsed();
        self.last = Instant::now();
        saved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_due_after_the_interval_unless_the_last_one_took_too_long() {
        let never = SaveTimer::new(0.0);
        assert!(!never.is_due());
        assert!(!SaveTimer::new(60.0).is_due());
        let mut timer = SaveTimer::new(1e-9);
        std::thread::sleep(Duration::from_millis(1));
        assert!(timer.is_due());
        timer.time(|| std::thread::sleep(Duration::from_millis(50)));
        assert!(
            !timer.is_due(),
            "the last one took 50 ms, so the next waits one second"
        );
    }
}
