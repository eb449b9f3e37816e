//! Continuing a text, with a key-value cache. In: a prompt's ids. Out: the ids that follow.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::decoder::{Cache, Decoder};

/// How a text is continued.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens to add.
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token; above, the distribution is sharpened or flattened by it.
    pub temperature: f64,
    /// Sample among the likeliest tokens that hold this much probability, `0 < p ≤ 1`.
    pub top_p: f64,
    /// Sample among this many likeliest tokens; 0 is all.
    pub top_k: usize,
    /// Seed of the sampling.
    pub seed: u64,
    /// Tokens after which to stop; the one found is part of the output.
    pub stop_ids: Vec<u32>,
}

impl Default for GenerateOptions {
    /// 128 likeliest tokens, without a stop.
    fn default() -> Self {
        Self {
            max_new_tokens: 128,
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            seed: 0,
            stop_ids: Vec::new(),
        }
    }
}

/// A text that cannot be continued.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum GenerateError {
    /// Nothing to continue.
    #[error("the prompt has no token; a model continues at least one")]
    EmptyPrompt,
    /// A token the model does not have.
    #[error("token id {id} is outside the model's vocabulary of {vocab_size}")]
    UnknownToken {
        /// The id found.
        id: u32,
        /// Rows of the embedding.
        vocab_size: usize,
    },
    /// No room is left.
    #[error(
        "the prompt has {tokens} tokens and the model {positions} positions, so nothing can be added"
    )]
    NoRoom {
        /// Tokens of the prompt.
        tokens: usize,
        /// Positions of the model.
        positions: usize,
    },
    /// A number outside its range.
    #[error("{name} must be {expected}, found {found}")]
    Option {
        /// The option.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
        /// What was there.
        found: f64,
    },
}

/// The tokens that follow a prompt: at most `max_new_tokens`, up to a stop token or the model's
/// last position.
///
/// # Errors
/// [`GenerateError`] for a prompt that cannot be continued, or an option outside its range.
pub fn generate<B: Backend>(
    model: &Decoder<B>,
    prompt: &[u32],
    options: &GenerateOptions,
) -> Result<Vec<u32>, GenerateError> {
    check(model, prompt, options)?;
    let device = model.devices().remove(0);
    let room = model.config().max_position_embeddings() - prompt.len();
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut cache = Cache::new(model.config());
    let mut output = Vec::new();
    let mut input: Vec<i32> = prompt.iter().map(|&id| id as i32).collect();
    while output.len() < options.max_new_tokens.min(room) {
        let n = input.len();
        let tokens: Tensor<B, 2, Int> = Tensor::from_data(TensorData::new(input, [1, n]), &device);
        let hidden = model.forward(tokens, &[], Some(&mut cache));
        let last = hidden.narrow(1, n - 1, 1).reshape([1, -1]);
        let logits = model.logits(last).into_data().iter::<f32>().collect();
        let next = choose(logits, options, &mut rng);
        output.push(next);
        if options.stop_ids.contains(&next) {
            break;
        }
        input = vec![next as i32];
    }
    Ok(output)
}

fn check<B: Backend>(
    model: &Decoder<B>,
    prompt: &[u32],
    options: &GenerateOptions,
) -> Result<(), GenerateError> {
    let positions = model.config().max_position_embeddings();
    let vocab_size = model.config().vocab_size();
    if prompt.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    if prompt.len() >= positions {
        let tokens = prompt.len();
        return Err(GenerateError::NoRoom { tokens, positions });
    }
    if let Some(&id) = prompt.iter().find(|&&id| id as usize >= vocab_size) {
        return Err(GenerateError::UnknownToken { id, vocab_size });
    }
    let option = |name, holds, found, expected| match holds {
        true => Ok(()),
        false => Err(GenerateError::Option {
            name,
            expected,
            found,
        }),
    };
    let (t, p) = (options.temperature, options.top_p);
    option("temperature", t >= 0.0 && t.is_finite(), t, "at least 0")?;
    option("top_p", p > 0.0 && p <= 1.0, p, "above 0, at most 1")
}

/// The next token from its logits.
fn choose(logits: Vec<f32>, options: &GenerateOptions, rng: &mut ChaCha8Rng) -> u32 {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // the first of equals, as argmax
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
    use super::*;

    /// Draws many tokens from four whose probabilities are 0.4, 0.3, 0.2 and 0.1, and expects each as
    /// often as it should come, within five standard deviations.
    #[track_caller]
    fn check(options: GenerateOptions, expected: [f64; 4]) {
        const N: usize = 40_000;
        // not in the order of their size
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
    fn tokens_come_as_often_as_their_probabilities_say() {
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
        // the fewest tokens that together reach the share
        check(options(1.0, 0, 0.6), [4.0 / 7.0, 3.0 / 7.0, 0.0, 0.0]);
        check(options(1.0, 0, 0.8), [4.0 / 9.0, 3.0 / 9.0, 2.0 / 9.0, 0.0]);
        // the share is one of what the first two conditions leave
        check(options(0.5, 3, 0.5), [1.0, 0.0, 0.0, 0.0]);
        check(options(0.0, 0, 1.0), [1.0, 0.0, 0.0, 0.0]);
    }
}
