//! When a checkpoint is due by time. In: the interval of the plan, and the time that writing the last
//! checkpoint took. Out: whether the next checkpoint is due.

use std::time::{Duration, Instant};

/// Least ratio between the time from one checkpoint to the next and the time that writing one takes. With 20,
/// checkpoints take at most about a twentieth of a run.
const INTERVAL_PER_WRITE: u32 = 20;

/// Measures the time since the last checkpoint.
#[derive(Clone, Debug)]
pub(super) struct SaveTimer {
    /// `None` if checkpoints are not written by time.
    every: Option<Duration>,
    last: Instant,
    /// Time that writing the last checkpoint took.
    write_time: Duration,
}

impl SaveTimer {
    /// A timer that starts now. With 0 minutes no checkpoint is ever due.
    pub(super) fn new(minutes: f64) -> Self {
        let every = Duration::try_from_secs_f64(minutes * 60.0).ok();
        Self {
            every: every.filter(|every| !every.is_zero()),
            last: Instant::now(),
            write_time: Duration::ZERO,
        }
    }

    /// Whether a checkpoint is due. A model whose checkpoints take long is saved less often.
    pub(super) fn is_due(&self) -> bool {
        let due = |every: Duration| {
            self.last.elapsed() >= every.max(self.write_time * INTERVAL_PER_WRITE)
        };
        self.every.is_some_and(due)
    }

    /// Measures the time that `save` takes to write a checkpoint, and starts the next interval.
    pub(super) fn time<T>(&mut self, save: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let saved = save();
        self.write_time = started.elapsed();
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
