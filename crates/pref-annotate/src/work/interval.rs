//! Intervals of rates. In: counts. Out: Wilson's 95 % interval.

use serde::Serialize;

/// A rate with its 95 % interval (Wilson 1927), which is never outside of 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The number of cases.
    pub n: u64,
    /// How many of them count.
    pub k: u64,
    /// `k / n`.
    pub rate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

impl Interval {
    /// The rate of `k` cases in `n`; none if there are no cases.
    pub fn of(k: u64, n: u64) -> Option<Self> {
        if n == 0 {
            return None;
        }
        let (kf, nf) = (k as f64, n as f64);
        let rate = kf / nf;
        let middle = (rate + Z * Z / (2.0 * nf)) / (1.0 + Z * Z / nf);
        let half =
            Z / (1.0 + Z * Z / nf) * (rate * (1.0 - rate) / nf + Z * Z / (4.0 * nf * nf)).sqrt();
        Some(Self {
            n,
            k,
            rate,
            low: (middle - half).max(0.0),
            high: (middle + half).min(1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_has_its_published_values() {
        // Newcombe 1998, table I, method 3 (score without continuity correction)
        for (k, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = Interval::of(k, n).expect("cases");
            assert!((interval.low - low).abs() < 5e-5, "{interval:?}");
            assert!((interval.high - high).abs() < 5e-5, "{interval:?}");
        }
        assert_eq!(Interval::of(0, 0), None);
    }
}
