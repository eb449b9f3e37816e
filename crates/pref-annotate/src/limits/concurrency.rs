//! How many requests are in flight. In: requests that ended well, and requests that the server turned away. Out: a
//! limit.
//!
//! As in TCP, the limit doubles per round until the server first turns a request away. After that it grows by one
//! per round (additive increase) and halves when requests are turned away (multiplicative decrease).

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How many requests are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ConcurrencyOptions {
    /// At the start, at least 1.
    pub start: u32,
    /// At most.
    pub most: u32,
}

impl Default for ConcurrencyOptions {
    fn default() -> Self {
        Self {
            start: 16,
            most: 256,
        }
    }
}

/// Requests that were sent before the last decrease do not decrease the limit again.
const COOL_DOWN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Concurrency {
    limit: f64,
    most: f64,
    is_doubling: bool,
    last_decrease: Option<Instant>,
}

impl Concurrency {
    pub(crate) fn new(options: &ConcurrencyOptions) -> Self {
        let most = f64::from(options.most.max(1));
        Self {
            limit: f64::from(options.start.max(1)).min(most),
            most,
            is_doubling: true,
            last_decrease: None,
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// A request ended well while `in_flight` others were on their way. The limit grows only if it is used.
    pub(crate) fn went_well(&mut self, in_flight: usize) {
        if in_flight + 1 < self.limit() {
            return;
        }
        self.limit += match self.is_doubling {
            true => 1.0,
            false => 1.0 / self.limit,
        };
        self.limit = self.limit.min(self.most);
    }

    /// The server turned a request away that was sent at `sent`.
    pub(crate) fn was_turned_away(&mut self, sent: Instant, now: Instant) {
        let is_old = self
            .last_decrease
            .is_some_and(|last| sent <= last || now.duration_since(last) < COOL_DOWN);
        if is_old {
            return;
        }
        self.is_doubling = false;
        self.limit = (self.limit / 2.0).max(1.0);
        self.last_decrease = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_doubles_then_halves_then_grows_by_one_per_round() {
        let mut limit = Concurrency::new(&ConcurrencyOptions::default());
        for _ in 0..16 {
            limit.went_well(limit.limit() - 1);
        }
        assert_eq!(limit.limit(), 32);
        let now = Instant::now();
        limit.was_turned_away(now, now);
        limit.was_turned_away(now, now); // sent before the decrease
        assert_eq!(limit.limit(), 16);
        for _ in 0..17 {
            limit.went_well(limit.limit() - 1);
        }
        assert_eq!(limit.limit(), 17);
        limit.went_well(3); // not used
        assert_eq!(limit.limit(), 17);
    }

    #[test]
    fn the_limit_stays_between_one_and_the_highest() {
        let options = ConcurrencyOptions { start: 2, most: 3 };
        let mut limit = Concurrency::new(&options);
        (0..9).for_each(|_| limit.went_well(limit.limit()));
        assert_eq!(limit.limit(), 3);
        let start = Instant::now();
        for second in 1..9 {
            let now = start + Duration::from_secs(second);
            limit.was_turned_away(now, now);
        }
        assert_eq!(limit.limit(), 1);
    }
}
