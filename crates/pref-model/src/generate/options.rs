//! Options for continuing a text, and their checks. In: options and a prompt. Out: nothing, or an error.

use thiserror::Error;

/// How the tokens of a continuation are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerateOptions {
    /// Largest number of tokens to add. Default: 128.
    pub max_new_tokens: usize,
    /// Divisor of the logits before sampling. 0 takes the most likely token. Default: 0.
    pub temperature: f64,
    /// Sample among the fewest most likely tokens whose probabilities sum to at least this value, `0 < p ≤ 1`.
    /// Default: 1.
    pub top_p: f64,
    /// Sample among this number of most likely tokens. 0 means all tokens. Default: 0.
    pub top_k: usize,
    /// Seed of the sampling. Default: 0.
    pub seed: u64,
    /// Ids that end the continuation. The id that ends it is part of the output. Default: none.
    pub stop_ids: Vec<u32>,
}

impl Default for GenerateOptions {
    /// At most 128 tokens, always the most likely one, without stop ids.
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

/// A prompt cannot be continued.
#[derive(Clone, Debug, Error, PartialEq)]
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
}

/// Checks that a model of these sizes can continue a prompt with these options.
pub(super) fn check(
    prompt: &[u32],
    options: &GenerateOptions,
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
