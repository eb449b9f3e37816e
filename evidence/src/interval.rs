//! Means over seeds. In: a value for each seed. Out: the mean with its 95 % interval.

use serde::Serialize;

/// A mean over seeds with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Interval {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The 0.975 quantiles of Student's t distribution with 1, 2, … degrees of freedom.
const QUANTILES: [f64; 14] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145,
];
/// The same for more degrees of freedom: a little too wide.
const LAST: f64 = 2.131;

impl Interval {
    /// The mean of values that are independent, one for each seed, with the interval of Student's t. None of fewer than
    /// two values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n < 2 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / (n - 1) as f64 / n as f64).sqrt();
        let half = QUANTILES.get(n - 2).copied().unwrap_or(LAST) * error;
        Some(Self {
            mean,
            low: mean - half,
            high: mean + half,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_scipy() {
        // scipy.stats.t.interval(0.95, 4, loc=mean, scale=sem)
        let found = Interval::of(&[0.1, 0.2, 0.4, 0.3, 0.6]).expect("an interval");
        assert!((found.mean - 0.32).abs() < 1e-12);
        assert!((found.low - 0.081_161).abs() < 1e-4, "{}", found.low);
        assert!((found.high - 0.558_839).abs() < 1e-4, "{}", found.high);
        assert_eq!(Interval::of(&[1.0]), None);
    }
}
