//! How long to wait before the next attempt. In: the number of attempts. Out: a random time below a limit that doubles
//! ("full jitter").

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::random::fraction;

/// How often a question is asked again, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RetryOptions {
    /// Most attempts of a question in one run, at least 1.
    pub attempts: u32,
    /// The limit of the first wait, in seconds. It doubles with every attempt.
    pub first_wait: f64,
    /// The limit of every wait, in seconds. A server that asks for a longer wait gets it.
    pub longest_wait: f64,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: 0.5,
            longest_wait: 60.0,
        }
    }
}

/// The wait after attempt `n`, from 1. `asked` is what the server asks for; the wait is never shorter.
pub(crate) fn pause(options: &RetryOptions, n: u32, asked: Option<Duration>) -> Duration {
    let limit = options.first_wait * 2f64.powi(n.saturating_sub(1).min(30) as i32);
    let limit = limit.min(options.longest_wait);
    let random = fraction() * limit;
    let random = Duration::try_from_secs_f64(random).unwrap_or_default();
    match asked {
        // Many requests wait for the same moment, so they are spread after it.
        Some(asked) => asked + random.min(asked / 4 + Duration::from_millis(250)),
        None => random,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_below_its_limit_and_never_shorter_than_the_server_asks() {
        let options = RetryOptions::default();
        for n in 1..=40 {
            let limit = (0.5 * 2f64.powi(n as i32 - 1)).min(60.0);
            assert!(pause(&options, n, None).as_secs_f64() <= limit);
            let asked = Duration::from_secs(7);
            assert!(pause(&options, n, Some(asked)) >= asked);
        }
    }
}
