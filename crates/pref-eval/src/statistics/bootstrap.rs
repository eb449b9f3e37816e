//! Intervals by resampling questions. In: a value for each question, of one system or of two. Out: the mean, or the
//! difference of the means, with its interval.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 10_000;

/// A difference of two means with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Mean of the second system minus mean of the first.
    pub difference: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The mean of one value for each question, with its 95 % percentile interval of a bootstrap over questions.
///
/// The value of a question is that of all its samples together, such as the share that is right, because samples of
/// one question are not independent. There are 10,000 resamples; the same values in the same order with the same seed
/// give the same interval on every machine. The ends are the 0.025 and 0.975 quantiles with linear interpolation.
///
/// None without values.
pub fn bootstrap_mean(values: &[f64], seed: u64) -> Option<Mean> {
    if values.is_empty() {
        return None;
    }
    let n = values.len();
    let mean = |sum: f64| sum / n as f64;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            mean(
                (0..n)
                    .map(|_| values[random.random_range(0..n as u64) as usize])
                    .sum(),
            )
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some(Mean {
        mean: mean(values.iter().sum()),
        low: quantile(&means, 0.025),
        high: quantile(&means, 0.975),
    })
}

/// The mean over questions of the value of the second system minus that of the first, such as their shares of right
/// samples, with its 95 % interval. Each question is `(first, second)`; see [`bootstrap_mean`].
///
/// None without questions.
pub fn paired_difference(questions: &[(f64, f64)], seed: u64) -> Option<Difference> {
    let differences: Vec<f64> = questions
        .iter()
        .map(|(first, second)| second - first)
        .collect();
    bootstrap_mean(&differences, seed).map(|mean| Difference {
        difference: mean.mean,
        low: mean.low,
        high: mean.high,
    })
}

/// The quantile of sorted values, with linear interpolation between neighbours.
pub(super) fn quantile(sorted: &[f64], at: f64) -> f64 {
    let position = at * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}
