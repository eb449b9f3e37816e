//! Errors of tokenizing a row. In: the cause. Out: a message with the row's place and the way out.

use thiserror::Error;

use crate::text::Place;
use crate::tokenizer::TokenizerError;
use crate::tokens::AnnotationError;

/// A row cannot be tokenized.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The tokenizer or the chat template failed.
    #[error("{place}: {source}")]
    Tokenizer {
        /// The row.
        place: Place,
        /// The cause.
        #[source]
        source: TokenizerError,
    },
    /// There is no end-of-sequence token, which every answer ends with.
    #[error(
        "the tokenizer has no end-of-sequence token, so a model could not learn to stop; set `eos_token` in tokenizer_config.json"
    )]
    NoEos,
    /// The prompt has no tokens.
    #[error(
        "{place}: the prompt has no tokens, and a model needs at least one token to predict the answer from; give a prompt, or use a tokenizer that adds a beginning-of-sequence token"
    )]
    EmptyPrompt {
        /// The row.
        place: Place,
    },
    /// The first token of the prompt already changes when an answer follows.
    #[error(
        "{place}: every token of the prompt changes when an answer follows, so no token is left to predict the answer from; end the prompt after a whole word, use a template that renders the prompt the same with and without an answer, or set data.boundary to \"separate\""
    )]
    MergedPrompt {
        /// The row.
        place: Place,
    },
    /// The answer has segments or parts, and the template writes other words in its place.
    #[error(
        "{place}: the chat template changes the words of the {side} response, so `{side}_segments` or `{side}_parts` cannot be found in its tokens; give them for the text that the template writes, or use a template that does not change answers"
    )]
    RewrittenAnswer {
        /// The row.
        place: Place,
        /// `chosen` or `rejected`.
        side: &'static str,
    },
    /// The answer has no tokens of its own.
    #[error(
        "{place}: the {side} response has no tokens of its own after the prompt; fill it or remove the row"
    )]
    EmptyResponse {
        /// The row.
        place: Place,
        /// `chosen` or `rejected`; `completion` or `text` for a single answer.
        side: &'static str,
    },
    /// Prompt and answer should be tokenized separately, but the template changes the prompt when an
    /// answer follows.
    #[error(
        "{place}: the chat template changes the prompt when an answer follows, so the answer cannot be tokenized by itself; set data.boundary to \"joint\""
    )]
    ChangedPrompt {
        /// The row.
        place: Place,
    },
    /// The chat template writes an earlier turn of the assistant differently when other turns follow.
    #[error(
        "{place}: the chat template writes turn {turn} differently when other turns follow, so its tokens cannot be found; set data.all-turns to false, or give each turn a row of its own"
    )]
    ChangedTurn {
        /// The row.
        place: Place,
        /// Number of the turn in the conversation, from 1.
        turn: usize,
    },
    /// Both answers have the same ids.
    #[error(
        "{place}: chosen and rejected have the same tokens{reason}, so the pair expresses no preference; remove the row"
    )]
    NoPreference {
        /// The row.
        place: Place,
        /// ` once cut to max-length`, or nothing.
        reason: &'static str,
    },
    /// The annotation of an answer does not fit the answer.
    #[error("{place}: {source}")]
    Annotation {
        /// The row.
        place: Place,
        /// The cause.
        #[source]
        source: AnnotationError,
    },
    /// The prompt alone is at least as long as the limit.
    #[error(
        "{place}: the prompt has {tokens} tokens and max-length is {max_length}, so no response fits; raise data.max-length, shorten the prompt, or set data.long-prompts to \"drop\" or \"cut\""
    )]
    LongPrompt {
        /// The row.
        place: Place,
        /// Number of tokens of the prompt.
        tokens: usize,
        /// The limit.
        max_length: usize,
    },
    /// The model has no embedding for a token.
    #[error(
        "{place}: the token `{token}` has the id {id}, and the model's embedding has {rows} rows; remove the text, or use the tokenizer that belongs to the model"
    )]
    NoEmbedding {
        /// The row.
        place: Place,
        /// The id of the token.
        id: u32,
        /// The token.
        token: String,
        /// Number of rows of the embedding.
        rows: usize,
    },
    /// The limit is less than 2.
    #[error(
        "max-length {max_length} leaves no room for a prompt and a response; set it to at least 2"
    )]
    Limit {
        /// The limit.
        max_length: usize,
    },
}

impl TokenizeError {
    /// The row that causes the error. The other rows can be tokenized without it. None if the error
    /// concerns all rows.
    pub fn row(&self) -> Option<&Place> {
        match self {
            TokenizeError::NoEos | TokenizeError::Limit { .. } => None,
            TokenizeError::Tokenizer { place, .. }
            | TokenizeError::EmptyPrompt { place }
            | TokenizeError::MergedPrompt { place }
            | TokenizeError::RewrittenAnswer { place, .. }
            | TokenizeError::EmptyResponse { place, .. }
            | TokenizeError::ChangedPrompt { place }
            | TokenizeError::ChangedTurn { place, .. }
            | TokenizeError::NoPreference { place, .. }
            | TokenizeError::Annotation { place, .. }
            | TokenizeError::NoEmbedding { place, .. }
            | TokenizeError::LongPrompt { place, .. } => Some(place),
        }
    }
}
