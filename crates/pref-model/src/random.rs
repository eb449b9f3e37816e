//! Random weights. They are drawn on the host, so that a seed gives the same values on every backend.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// `n` draws from a normal distribution with mean 0 and this standard deviation, which is finite.
pub(crate) fn normal(rng: &mut ChaCha8Rng, deviation: f64, n: usize) -> Vec<f32> {
    let normal = Normal::new(0.0, deviation).expect("the deviation is finite");
    normal
        .sample_iter(rng)
        .take(n)
        .map(|value| value as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn draws_have_mean_zero_and_the_deviation() {
        const N: usize = 100_000;
        let values = normal(&mut ChaCha8Rng::seed_from_u64(1), 0.02, N);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / N as f64;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / N as f64;
        // five standard errors
        assert!(mean.abs() < 5.0 * 0.02 / (N as f64).sqrt(), "{mean}");
        assert!(
            (variance.sqrt() / 0.02 - 1.0).abs() < 5.0 / (2.0 * N as f64).sqrt(),
            "{variance}"
        );
    }
}
