//! Options for continuing a text, and their checks. In: options and a prompt. Out: nothing, or an error.

use std::error::Error;
use std::sync::Arc;

use thiserror::Error;

/// How the tokens of a continuation are chosen, and where it ends.
///
/// The names, meanings and order of the settings are those of `transformers`: repetition penalty, temperature, top-k,
/// top-p, min-p.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// Largest number of tokens to add. Default: 128.
    pub max_new_tokens: usize,
    /// Divisor of the logits before sampling. 0 takes the most likely token. Default: 0.
    pub temperature: f64,
    /// Sample among the fewest most likely tokens whose probabilities sum to at least this value, `0 < p ≤ 1`
    /// (Holtzman et al. 2020, section 3.1). Default: 1.
    pub top_p: f64,
    /// Sample among this number of most likely tokens, and those that are as likely as the last of them. 0 means all
    /// tokens. Default: 0.
    pub top_k: usize,
    /// Sample among the tokens with at least this share of the probability of the most likely one, `0 ≤ p ≤ 1` (Nguyen et
    /// al. 2024, section 3). Default: 0, which leaves out no token.
    pub min_p: f64,
    /// Logits of tokens in the text are divided by this value if they are positive, and multiplied if they are negative
    /// (Keskar et al. 2019, section 4.1). The prompt counts as well. Default: 1, which changes nothing.
    pub repetition_penalty: f64,
    /// Seed of the sampling. Default: 0.
    pub seed: u64,
    /// Ids that end the continuation. The id that ends it is part of the output. Default: none.
    pub stop_ids: Vec<u32>,
    /// Texts that end the continuation, also when they begin or end within a token. They need a
    /// [text function](crate::Sampler::with_text). Default: none.
    pub stop_strings: Vec<String>,
}

impl Default for GenerateOptions {
    /// At most 128 tokens, always the most likely one, without an end.
    fn default() -> Self {
        Self {
            max_new_tokens: 128,
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            stop_ids: Vec::new(),
            stop_strings: Vec::new(),
        }
    }
}

/// A prompt cannot be continued.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The prompt is empty.
    #[error("the prompt has no token; a model needs at least one")]
    EmptyPrompt,
    /// The prompt has a token id that the model does not have.
    #[error("token id {id} is outside the model's vocabulary of {vocab_size}")]
    UnknownToken {
        /// The id found.
        id: u32,
        /// Number of rows of the embedding table.
        vocab_size: usize,
    },
    /// The prompt fills all positions of the model.
    #[error(
        "the prompt has {tokens} tokens, and the model has {positions} positions, so no token can be added"
    )]
    NoRoom {
        /// Number of tokens of the prompt.
        tokens: usize,
        /// Number of positions of the model.
        positions: usize,
    },
    /// An option is outside its range.
    #[error("{name} must be {expected}, found {found}")]
    Option {
        /// The option.
        name: &'static str,
        /// The range.
        expected: &'static str,
        /// The value found.
        found: f64,
    },
    /// There are stop strings and no way to make text of ids.
    #[error(
        "stop strings are compared with the text of the tokens; give the sampler a function that makes text of ids (`Sampler::with_text`)"
    )]
    NoText,
    /// A stop string is empty.
    #[error("a stop string is empty, and would end every continuation; give a text, or none")]
    EmptyStop,
    /// The text function failed.
    #[error("the text of the tokens could not be made")]
    Text(#[source] Arc<dyn Error + Send + Sync>),
    /// A [`Guide`](crate::Guide) failed.
    #[error("the form of a continuation: {message}")]
    Guide {
        /// What it says.
        message: String,
    },
    /// The logits have no largest value.
    #[error(
        "after {tokens} tokens the model gives logits that are not finite; check its weights with `pref logprobs`"
    )]
    NotFinite {
        /// Number of tokens of prompt and continuation so far.
        tokens: usize,
    },
}

impl GenerateOptions {
    /// Checks the ranges of the options.
    pub(super) fn check(&self) -> Result<(), GenerateError> {
        let option = |name, holds, found, expected| match holds {
            true => Ok(()),
            false => Err(GenerateError::Option {
                name,
                expected,
                found,
            }),
        };
        let n = self.max_new_tokens;
        option("max_new_tokens", n > 0, n as f64, "at least 1")?;
        let (t, p) = (self.temperature, self.top_p);
        option("temperature", t >= 0.0 && t.is_finite(), t, "at least 0")?;
        option("top_p", p > 0.0 && p <= 1.0, p, "above 0, at most 1")?;
        let p = self.min_p;
        option("min_p", (0.0..=1.0).contains(&p), p, "between 0 and 1")?;
        let r = self.repetition_penalty;
        option("repetition_penalty", r > 0.0 && r.is_finite(), r, "above 0")?;
        match self.stop_strings.iter().any(String::is_empty) {
            true => Err(GenerateError::EmptyStop),
            false => Ok(()),
        }
    }
}

/// Checks that a model of these sizes can continue a prompt.
pub(super) fn check_prompt(
    prompt: &[u32],
    vocab_size: usize,
    positions: usize,
) -> Result<(), GenerateError> {
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
    Ok(())
}
