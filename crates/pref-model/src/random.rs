//! Random numbers that are the same on every backend: drawn on the host.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// `n` draws from a normal distribution of mean 0 (Box and Muller 1958).
pub(crate) fn normal(rng: &mut ChaCha8Rng, deviation: f64, n: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let angle = 2.0 * std::f64::consts::PI * rng.random::<f64>();
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(n);
    values
}
