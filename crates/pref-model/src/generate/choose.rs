//! Sampling. In: the logits of the next token, and options. Out: its id.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::options::GenerateOptions;

/// Chooses the next token from its logits, `[vocab]`.
pub(super) fn choose(logits: Vec<f32>, options: &GenerateOptions, rng: &mut ChaCha8Rng) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Among equal logits the smallest id comes first, as with argmax.
    let descending = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if options.temperature == 0.0 {
        return order.into_iter().min_by(descending).unwrap_or(0) as u32;
    }
    order.sort_by(descending);
    if options.top_k > 0 {
        order.truncate(options.top_k);
    }
    let top = f64::from(logits[order[0]]);
    let weight = |&i: &usize| ((f64::from(logits[i]) - top) / options.temperature).exp();
    let weights: Vec<f64> = order.iter().map(weight).collect();
    let total: f64 = weights.iter().sum();
    let mut kept = 0.0;
    let mut n_kept = 0;
    while n_kept < weights.len() && (n_kept == 0 || kept < options.top_p * total) {
        kept += weights[n_kept];
        n_kept += 1;
    }
    let mut draw = rng.random::<f64>() * kept;
    for (index, weight) in order[..n_kept].iter().zip(&weights) {
        draw -= weight;
        if draw < 0.0 {
            return *index as u32;
        }
    }
    order[n_kept - 1] as u32
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Draws many times from four tokens with probabilities 0.4, 0.3, 0.2 and 0.1, and compares the
    /// counts with their expectations, within five standard deviations.
    #[track_caller]
    fn check(options: GenerateOptions, expected: [f64; 4]) {
        const N: usize = 40_000;
        // The probabilities of the ids 0 to 3, not sorted.
        let of_token = [0.2, 0.4, 0.1, 0.3_f64];
        let expected = [expected[2], expected[0], expected[3], expected[1]];
        let logits = of_token.map(|p| (p.ln() + 3.0) as f32).to_vec();
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut counts = [0_usize; 4];
        for _ in 0..N {
            counts[choose(logits.clone(), &options, &mut rng) as usize] += 1;
        }
        for (count, p) in counts.into_iter().zip(expected) {
            let deviation = (N as f64 * p * (1.0 - p)).sqrt();
            let difference = (count as f64 - N as f64 * p).abs();
            assert!(difference <= 5.0 * deviation, "{counts:?}: {p} {count}");
        }
    }

    #[test]
    fn tokens_are_drawn_with_their_probabilities() {
        let options = |temperature, top_k, top_p| GenerateOptions {
            temperature,
            top_k,
            top_p,
            ..GenerateOptions::default()
        };
        check(options(1.0, 0, 1.0), [0.4, 0.3, 0.2, 0.1]);
        // at half the temperature probabilities are squared
        check(
            options(0.5, 0, 1.0),
            [16.0, 9.0, 4.0, 1.0].map(|w| w / 30.0),
        );
        check(options(1.0, 2, 1.0), [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        // the smallest number of tokens that reach the sum
        check(options(1.0, 0, 0.6), [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        check(options(1.0, 0, 0.8), [4.0 / 9.0, 3.0 / 9.0, 2.0 / 9.0, 0.0]);
        // `top_p` applies to the tokens that `temperature` and `top_k` leave
        check(options(0.5, 3, 0.5), [1.0, 0.0, 0.0, 0.0]);
        check(options(0.0, 0, 1.0), [1.0, 0.0, 0.0, 0.0]);
    }
}
