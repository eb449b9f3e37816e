//! Requests and tokens per minute. In: requests with their worst case, and what they used. Out: when the next one may
//! be sent.
//!
//! The last minute is counted exactly, so no minute has more than the limit, wherever it begins.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Limits per minute. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RateOptions {
    /// Requests that are sent in a minute, at least 1.
    pub requests_per_minute: Option<u64>,
    /// Tokens of questions and replies in a minute.
    pub tokens_per_minute: Option<u64>,
}

const MINUTE: Duration = Duration::from_secs(60);

/// Whether a request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Now,
    /// Not before this time.
    At(Instant),
    /// Never: it needs more tokens than a minute has.
    Never,
}

#[derive(Debug)]
pub(crate) struct Rate {
    options: RateOptions,
    /// Time and tokens of the requests of the last minute. The first has the number `first`.
    sent: VecDeque<(Instant, u64)>,
    first: u64,
    tokens: u64,
}

impl Rate {
    pub(crate) fn new(options: &RateOptions) -> Self {
        Self {
            options: *options,
            sent: VecDeque::new(),
            first: 0,
            tokens: 0,
        }
    }

    /// Whether a request that may need `tokens` may be sent.
    pub(crate) fn admission(&mut self, tokens: u64, now: Instant) -> Admission {
        while let Some((at, tokens)) = self.sent.front().copied() {
            if now.duration_since(at) < MINUTE {
                break;
            }
            self.sent.pop_front();
            self.first += 1;
            self.tokens -= tokens;
        }
        let oldest = self.sent.front().map(|(at, _)| *at + MINUTE);
        let RateOptions {
            requests_per_minute,
            tokens_per_minute,
        } = self.options;
        if requests_per_minute.is_some_and(|most| self.sent.len() as u64 >= most.max(1))
            && let Some(at) = oldest
        {
            return Admission::At(at);
        }
        match (tokens_per_minute, oldest) {
            (Some(most), _) if tokens > most => Admission::Never,
            (Some(most), Some(at)) if self.tokens + tokens > most => Admission::At(at),
            _ => Admission::Now,
        }
    }

    /// Counts a request that is sent now, and returns its number.
    pub(crate) fn send(&mut self, tokens: u64, now: Instant) -> u64 {
        if self.options == RateOptions::default() {
            return 0;
        }
        self.sent.push_back((now, tokens));
        self.tokens += tokens;
        self.first + self.sent.len() as u64 - 1
    }

    /// Counts what request `number` used, in place of its worst case.
    pub(crate) fn settle(&mut self, number: u64, used: u64) {
        let place = number.checked_sub(self.first);
        if let Some((_, tokens)) = place.and_then(|i| self.sent.get_mut(i as usize)) {
            self.tokens = self.tokens - *tokens + used;
            *tokens = used;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_has_more_than_the_limit() {
        let mut rate = Rate::new(&RateOptions {
            requests_per_minute: Some(2),
            tokens_per_minute: Some(100),
        });
        let start = Instant::now();
        assert_eq!(rate.admission(101, start), Admission::Never);
        assert_eq!(rate.admission(60, start), Admission::Now);
        let first = rate.send(60, start);
        assert_eq!(rate.admission(50, start), Admission::At(start + MINUTE));
        rate.settle(first, 10);
        assert_eq!(rate.admission(50, start), Admission::Now);
        rate.send(50, start + Duration::from_secs(30));
        let later = start + Duration::from_secs(40);
        assert_eq!(rate.admission(1, later), Admission::At(start + MINUTE));
        assert_eq!(rate.admission(50, start + MINUTE), Admission::Now);
        assert_eq!(
            rate.admission(51, start + MINUTE),
            Admission::At(start + Duration::from_secs(90))
        );
    }
}
