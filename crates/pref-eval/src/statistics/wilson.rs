//! Intervals for shares. In: how many of how many. Out: the share with its 95 % interval.

use serde::Serialize;

/// A share with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The share, 0 to 1; NaN of nothing.
    pub share: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The 0.975 quantile of the standard normal distribution.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// The share `n_right / n` with its 95 % Wilson score interval (Wilson 1927), without a correction for continuity.
///
/// Of nothing (`n = 0`), the share is NaN and the interval is all of 0 to 1.
pub fn wilson(n_right: usize, n: usize) -> Share {
    if n == 0 {
        return Share {
            share: f64::NAN,
            low: 0.0,
            high: 1.0,
        };
    }
    let n = n as f64;
    let share = (n_right as f64 / n).min(1.0);
    let z2 = QUANTILE * QUANTILE;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = QUANTILE / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    // At 0 and 1 rounding leaves a tiny rest.
    Share {
        share,
        low: if n_right == 0 {
            0.0
        } else {
            (centre - half).max(0.0)
        },
        high: if share >= 1.0 {
            1.0
        } else {
            (centre + half).min(1.0)
        },
    }
}
