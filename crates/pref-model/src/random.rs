//! Random weights. They are drawn on the host, so that a seed gives the same values on every backend.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal, Uniform};
use twox_hash::XxHash3_128;

/// `n` draws from a normal distribution with mean 0 and this standard deviation, which is finite.
pub(crate) fn normal(rng: &mut ChaCha8Rng, deviation: f64, n: usize) -> Vec<f32> {
    let normal = Normal::new(0.0, deviation).expect("the deviation is finite");
    normal
        .sample_iter(rng)
        .take(n)
        .map(|value| value as f32)
        .collect()
}

/// `n` draws from a uniform distribution between `−limit` and `limit`, which is finite and above 0.
pub(crate) fn uniform(rng: &mut ChaCha8Rng, limit: f64, n: usize) -> Vec<f32> {
    let uniform = Uniform::new(-limit, limit).expect("the limit is finite and above 0");
    uniform
        .sample_iter(rng)
        .take(n)
        .map(|value| value as f32)
        .collect()
}

/// A seed for the random numbers that belong to a name and a place. Other names and places have seeds that have
/// nothing to do with it.
pub(crate) fn stream(seed: u64, place: [u64; 2], name: &str) -> [u8; 32] {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(place.iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(name.as_bytes());
    let mut stream = [0; 32];
    stream[..16].copy_from_slice(&XxHash3_128::oneshot(&bytes).to_le_bytes());
    stream
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

    #[test]
    fn uniform_draws_fill_the_range() {
        const N: usize = 100_000;
        let values = uniform(&mut ChaCha8Rng::seed_from_u64(1), 0.25, N);
        assert!(values.iter().all(|v| v.abs() <= 0.25));
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / N as f64;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / N as f64;
        // The variance is limit² / 3; both within five standard errors.
        assert!(
            mean.abs() < 5.0 * (0.0625 / 3.0 / N as f64).sqrt(),
            "{mean}"
        );
        let error = variance / (0.0625 / 3.0) - 1.0;
        assert!(error.abs() < 5.0 * (0.8 / N as f64).sqrt(), "{variance}");
    }
}
