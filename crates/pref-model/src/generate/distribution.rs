//! The distribution of the next token. In: logits, the tokens of the text so far, and options. Out: weights of the
//! tokens, and a draw from them.
//!
//! The steps and their order are those of the `LogitsProcessor`s of `transformers`: repetition penalty, temperature,
//! top-k, top-p, min-p.

use std::cmp::Ordering;

use super::options::GenerateOptions;
use crate::vector::{exp, max, sum, with_vectors};

/// Number of weights that are added in float32 before they are added in float64.
const WEIGHTS_OF_A_SUM: usize = 1024;

/// Number of most likely tokens that top-p sorts first. If their probabilities do not reach `p`, it sorts four times as many.
const FIRST_SORTED: usize = 64;

/// The probability of each token after the steps of the options, `[vocab]`, as the sampler draws from it. `text` are the
/// ids of prompt and continuation so far. With a temperature of 0, the most likely token has probability 1. `None` if the
/// logits have no finite largest value.
pub fn token_probabilities(
    mut logits: Vec<f32>,
    text: &[u32],
    options: &GenerateOptions,
) -> Option<Vec<f64>> {
    penalise(&mut logits, text, options.repetition_penalty);
    if options.temperature == 0.0 {
        let likeliest = likeliest(&logits)?;
        let one = |id| f64::from(u8::from(id == likeliest as usize));
        return Some((0..logits.len()).map(one).collect());
    }
    let weights = weights(logits, options)?;
    let total = total(&weights);
    Some(weights.iter().map(|&w| f64::from(w) / total).collect())
}

/// The next token of a text. `draw` is uniform between 0 and 1; a temperature of 0 does not need it.
pub(super) fn choose(
    mut logits: Vec<f32>,
    text: &[u32],
    options: &GenerateOptions,
    draw: impl FnOnce() -> f64,
) -> Option<u32> {
    penalise(&mut logits, text, options.repetition_penalty);
    if options.temperature == 0.0 {
        return likeliest(&logits);
    }
    let weights = weights(logits, options)?;
    let mut left = draw() * total(&weights);
    let mut last = None;
    for (part, weights) in weights.chunks(WEIGHTS_OF_A_SUM).enumerate() {
        let of_part = sum_of(weights);
        if left >= of_part {
            left -= of_part;
            if let Some(i) = weights.iter().rposition(|&w| w > 0.0) {
                last = Some(part * WEIGHTS_OF_A_SUM + i);
            }
            continue;
        }
        for (i, &weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0.0) {
            last = Some(part * WEIGHTS_OF_A_SUM + i);
            left -= f64::from(weight);
            if left < 0.0 {
                break;
            }
        }
        break;
    }
    last.map(|id| id as u32)
}

/// The repetition penalty, once for each id of the text.
fn penalise(logits: &mut [f32], text: &[u32], penalty: f64) {
    if penalty == 1.0 {
        return;
    }
    let mut ids = text.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let penalty = penalty as f32;
    for id in ids {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = match *logit < 0.0 {
                true => *logit * penalty,
                false => *logit / penalty,
            };
        }
    }
}

/// The most likely token; among equal ones the smallest id, as with argmax.
fn likeliest(logits: &[f32]) -> Option<u32> {
    let most = largest(logits)?;
    let place = logits.iter().position(|&logit| logit == most)?;
    Some(place as u32)
}

/// The largest logit, if it is finite and no logit is NaN.
fn largest(logits: &[f32]) -> Option<f32> {
    let (most, n_nan) = with_vectors(
        #[inline(always)]
        || {
            let n_nan = sum(
                logits,
                #[inline(always)]
                |x| if x.is_nan() { 1.0 } else { 0.0 },
            );
            (max(logits), n_nan)
        },
    );
    (most.is_finite() && n_nan == 0.0).then_some(most)
}

/// Weights in proportion to the probabilities; 0 for tokens that are left out, and 1 for the most likely one.
fn weights(mut logits: Vec<f32>, options: &GenerateOptions) -> Option<Vec<f32>> {
    let temperature = options.temperature as f32;
    if options.top_k > 0 && options.top_k < logits.len() {
        let mut copy = logits.clone();
        let place = options.top_k - 1;
        let (_, &mut smallest, _) = copy.select_nth_unstable_by(place, |a, b| b.total_cmp(a));
        let leave_out = |logit: &mut f32| {
            if *logit < smallest {
                *logit = f32::NEG_INFINITY;
            }
        };
        logits.iter_mut().for_each(leave_out);
    }
    let most = largest(&logits)?;
    with_vectors(
        #[inline(always)]
        || {
            for logit in &mut logits {
                *logit = exp((*logit - most) / temperature);
            }
        },
    );
    let mut weights = logits;
    if options.top_p < 1.0 {
        keep_top_p(&mut weights, options.top_p);
    }
    if options.min_p > 0.0 {
        // The weight of the most likely token is 1.
        let least = options.min_p as f32;
        weights
            .iter_mut()
            .filter(|w| **w < least)
            .for_each(|w| *w = 0.0);
    }
    Some(weights)
}

/// Leaves out every token whose more likely tokens reach the probability `p` without it.
fn keep_top_p(weights: &mut [f32], p: f64) {
    let enough = p * total(weights);
    // Among equal weights the smaller id comes first.
    let before = |a: &u32, b: &u32| -> Ordering {
        let (x, y) = (weights[*a as usize], weights[*b as usize]);
        y.total_cmp(&x).then(a.cmp(b))
    };
    let mut ids: Vec<u32> = (0..weights.len() as u32)
        .filter(|&id| weights[id as usize] > 0.0)
        .collect();
    let (mut n_sorted, mut step, mut kept, mut n_kept) = (0, FIRST_SORTED, 0.0, 0);
    while n_kept < ids.len() && (n_kept == 0 || kept < enough) {
        if n_kept == n_sorted {
            let rest = &mut ids[n_sorted..];
            let n = step.min(rest.len());
            if n < rest.len() {
                rest.select_nth_unstable_by(n, before);
            }
            rest[..n].sort_unstable_by(before);
            n_sorted += n;
            step *= 4;
        }
        kept += f64::from(weights[ids[n_kept] as usize]);
        n_kept += 1;
    }
    for &id in &ids[n_kept..] {
        weights[id as usize] = 0.0;
    }
}

/// The sum of weights, in parts of a fixed size.
fn total(weights: &[f32]) -> f64 {
    weights.chunks(WEIGHTS_OF_A_SUM).map(sum_of).sum()
}

fn sum_of(weights: &[f32]) -> f64 {
    let sum = with_vectors(
        #[inline(always)]
        || {
            sum(
                weights,
                #[inline(always)]
                |w| w,
            )
        },
    );
    f64::from(sum)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

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
            let id = choose(logits.clone(), &[], &options, || rng.random());
            counts[id.expect("the logits are finite") as usize] += 1;
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

    #[test]
    fn logits_that_are_not_finite_give_no_token() {
        for bad in [f32::NAN, f32::INFINITY] {
            for temperature in [0.0, 1.0] {
                let options = GenerateOptions {
                    temperature,
                    ..GenerateOptions::default()
                };
                let logits = vec![0.5, bad, 1.0];
                assert_eq!(choose(logits, &[], &options, || 0.5), None);
            }
        }
        // A token can have no probability.
        let options = GenerateOptions::default();
        let logits = vec![f32::NEG_INFINITY, 0.0];
        assert_eq!(choose(logits, &[], &options, || 0.5), Some(1));
    }
}
