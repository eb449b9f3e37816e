//! Options of a run. In: settings. Out: types with defaults.

use crate::limits::{ConcurrencyOptions, Prices, RateOptions, RetryOptions};
use crate::store::Limits;

/// How questions are asked. None of it changes what is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunOptions {
    /// The most that may be spent in the store.
    pub budget: Limits,
    /// Prices of tokens.
    pub prices: Prices,
    /// Requests in flight.
    pub concurrency: ConcurrencyOptions,
    /// Limits per minute.
    pub rate: RateOptions,
    /// Attempts and waits.
    pub retry: RetryOptions,
    /// The first limit of a reply's tokens; by default what the task usually needs.
    pub max_tokens: Option<u32>,
    /// The limit to which it grows if a reply is cut.
    pub most_tokens: u32,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            budget: Limits::default(),
            prices: Prices::default(),
            concurrency: ConcurrencyOptions::default(),
            rate: RateOptions::default(),
            retry: RetryOptions::default(),
            max_tokens: None,
            most_tokens: 16_384,
        }
    }
}
