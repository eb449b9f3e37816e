//! What keeps a row from becoming ids, by line.

use thiserror::Error;

use crate::annotation::AnnotationError;
use crate::tokenizer::TokenizerError;

/// A pair that cannot be made ids.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The tokenizer or its template failed.
    #[error("line {line}: {source}")]
    Tokenizer {
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        source: TokenizerError,
    },
    /// There is no token to end an answer with.
    #[error(
        "the tokenizer names no end-of-sequence token, so a model could not learn to stop; set `eos_token` in tokenizer_config.json"
    )]
    NoEos,
    /// A prompt without a token.
    #[error(
        "line {line}: the prompt has no token, and a model predicts nothing from nothing; give a prompt, or a tokenizer that begins with a token of its own"
    )]
    EmptyPrompt {
        /// From 1.
        line: usize,
    },
    /// An answer without a token of its own.
    #[error("line {line}: the {side} response has no token of its own after the prompt")]
    EmptyResponse {
        /// From 1.
        line: usize,
        /// `chosen` or `rejected`, or `completion` for a single answer.
        side: &'static str,
    },
    /// Tokens of prompt and answer were to be apart, and the template mixes their texts.
    #[error(
        "line {line}: the chat template renders the prompt otherwise before an answer, so the answer cannot be tokenized by itself; set data.boundary to \"joint\""
    )]
    ChangedPrompt {
        /// From 1.
        line: usize,
    },
    /// Both answers are the same ids.
    #[error(
        "line {line}: chosen and rejected are the same tokens{reason}, so the pair expresses no preference"
    )]
    NoPreference {
        /// From 1.
        line: usize,
        /// Whether truncation made them so.
        reason: &'static str,
    },
    /// What the row says of an answer does not fit it.
    #[error("line {line}: {source}")]
    Annotation {
        /// From 1.
        line: usize,
        /// Why not.
        #[source]
        source: AnnotationError,
    },
    /// A prompt fills the limit by itself.
    #[error(
        "line {line}: the prompt has {tokens} tokens and max-length is {max_length}, so no response fits; raise data.max-length, shorten the prompt, or set data.long-prompts to \"cut\""
    )]
    LongPrompt {
        /// From 1.
        line: usize,
        /// Tokens of the prompt.
        tokens: usize,
        /// The limit.
        max_length: usize,
    },
    /// The limit leaves no room.
    #[error(
        "max-length {max_length} leaves no room for a prompt and a response; set it to at least 2"
    )]
    Limit {
        /// The limit.
        max_length: usize,
    },
}
