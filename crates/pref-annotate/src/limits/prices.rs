//! Prices. In: tokens. Out: money, in billionths.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::judge::Usage;
use crate::store::Cost;

/// Prices of a million tokens, in any unit of money. Pref has no list of prices, because prices change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Prices {
    /// A million tokens of questions.
    pub input: Option<f64>,
    /// A million tokens of questions that the server has in its cache; by default the price of `input`.
    pub cached: Option<f64>,
    /// A million tokens of replies.
    pub output: Option<f64>,
}

/// A price is missing or no price.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum PriceError {
    /// A price is negative or not finite.
    #[error("price.{name} is {value}; expected a price of a million tokens, at least 0")]
    NoPrice {
        /// The price.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// There is a budget of money, and no price.
    #[error(
        "budget.money needs prices: give price.input and price.output, the prices of a million tokens; without them nothing says what a request costs"
    )]
    Unknown,
}

impl Prices {
    /// Checks the prices. `has_budget` says whether there is a budget of money.
    ///
    /// # Errors
    /// [`PriceError`].
    pub fn check(&self, has_budget: bool) -> Result<(), PriceError> {
        for (name, value) in [
            ("input", self.input),
            ("cached", self.cached),
            ("output", self.output),
        ] {
            if let Some(value) = value
                && !(value.is_finite() && (0.0..1e9).contains(&value))
            {
                return Err(PriceError::NoPrice { name, value });
            }
        }
        match has_budget && !self.are_known() {
            true => Err(PriceError::Unknown),
            false => Ok(()),
        }
    }

    /// Whether the cost of a request is known.
    pub fn are_known(&self) -> bool {
        self.input.is_some() && self.output.is_some()
    }

    /// The cost of a request. Money is rounded up to a billionth, and is 0 if a price is missing.
    pub fn cost(&self, usage: Usage) -> Cost {
        let money = match (self.input, self.output) {
            (Some(input), Some(output)) => {
                let cached = usage.cached.min(usage.prompt);
                let fresh = usage.prompt - cached;
                let sum = fresh as f64 * input
                    + cached as f64 * self.cached.unwrap_or(input)
                    + usage.completion as f64 * output;
                // a price of a million tokens is a thousand billionths a token
                (sum * 1000.0).ceil() as u64
            }
            _ => 0,
        };
        Cost {
            tokens: usage.prompt + usage.completion,
            money,
            usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_tokens_times_price() {
        let prices = Prices {
            input: Some(2.5),
            cached: Some(1.25),
            output: Some(10.0),
        };
        let usage = Usage {
            prompt: 1000,
            cached: 400,
            completion: 100,
        };
        // 600 · 2.5e-6 + 400 · 1.25e-6 + 100 · 1e-5 = 0.003
        assert_eq!(prices.cost(usage).money, 3_000_000);
        assert_eq!(prices.cost(usage).tokens, 1100);
        assert_eq!(Prices::default().cost(usage).money, 0);
        assert_eq!(Prices::default().check(true), Err(PriceError::Unknown));
    }
}
