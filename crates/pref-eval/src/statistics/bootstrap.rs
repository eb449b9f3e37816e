//! The difference of two systems on the same questions. In: right and wrong samples by question. Out: the difference
//! of the shares with its interval.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 10_000;

/// A difference of two shares with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Share of the second system minus share of the first, -1 to 1.
    pub difference: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The mean over questions of the share of right samples of the second system minus that of the first, with its 95 %
/// percentile interval of a bootstrap over questions.
///
/// Each question is `(first, second)`: the shares of its samples that are right, 0 to 1, of the two systems. All
/// samples of a question are resampled together, because they are not independent. There are 10,000 resamples; the
/// same questions in the same order with the same seed give the same interval on every machine. The ends are the
/// 0.025 and 0.975 quantiles with linear interpolation.
///
/// None without questions.
pub fn paired_difference(questions: &[(f64, f64)], seed: u64) -> Option<Difference> {
    if questions.is_empty() {
        return None;
    }
    let differences: Vec<f64> = questions
        .iter()
        .map(|(first, second)| second - first)
        .collect();
    let n = differences.len();
    let mean = |sum: f64| sum / n as f64;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            mean(
                (0..n)
                    .map(|_| differences[random.random_range(0..n as u64) as usize])
                    .sum(),
            )
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some(Difference {
        difference: mean(differences.iter().sum()),
        low: quantile(&means, 0.025),
        high: quantile(&means, 0.975),
    })
}

/// The quantile of sorted values, with linear interpolation between neighbours.
fn quantile(sorted: &[f64], at: f64) -> f64 {
    let position = at * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}
