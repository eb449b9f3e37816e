//! When a checkpoint is due by time. In: how long the last one took. Out: whether the next is due.

use std::time::{Duration, Instant};

/// Checkpoints take at most this share of a run's time.
const SHARE: u32 = 20;

/// Measures the time since the last checkpoint.
#[derive(Clone, Debug)]
pub(super) struct SaveTimer {
    /// None where checkpoints are not written by time.
    every: Option<Duration>,
    last: Instant,
    /// How long the last checkpoint took to write.
    cost: Duration,
}

impl SaveTimer {
    /// A timer that starts now; 0 minutes never.
    pub(super) fn new(minutes: f64) -> Self {
        let every = Duration::try_from_secs_f64(minutes * 60.0).ok();
        Self {
            every: every.filter(|every| !every.is_zero()),
            last: Instant::now(),
            cost: Duration::ZERO,
        }
    }

    /// Whether the time is over. A model whose checkpoints take long is saved less often.
    pub(super) fn is_due(&self) -> bool {
        let due = |every: Duration| self.last.elapsed() >= every.max(self.cost * SHARE);
        self.every.is_some_and(due)
    }

    /// Writes a checkpoint and starts anew.
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
    fn a_checkpoint_is_due_once_the_time_is_over_and_not_while_they_take_it_all() {
        let never = SaveTimer::new(0.0);
        assert!(!never.is_due());
        assert!(!SaveTimer::new(60.0).is_due());
        let mut timer = SaveTimer::new(1e-9);
        std::thread::sleep(Duration::from_millis(1));
        assert!(timer.is_due());
        timer.time(|| std::thread::sleep(Duration::from_millis(50)));
        assert!(
            !timer.is_due(),
            "the last one took 50 ms, the next waits a second"
        );
    }
}
