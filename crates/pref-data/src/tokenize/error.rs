//! What keeps a row from becoming ids, by its place.

use thiserror::Error;

use crate::annotation::AnnotationError;
use crate::pair::Place;
use crate::tokenizer::TokenizerError;

/// A pair that cannot be made ids.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The tokenizer or its template failed.
    #[error("{place}: {source}")]
    Tokenizer {
        /// The row.
        place: Place,
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
        "{place}: the prompt has no token, and a model predicts nothing from nothing; give a prompt, or a tokenizer that begins with a token of its own"
    )]
    EmptyPrompt {
        /// The row.
        place: Place,
    },
    /// A prompt whose first token is already another once an answer follows.
    #[error(
        "{place}: the prompt has no token that stays as it is once an answer follows, so there is nothing to predict the answer from; end the prompt after a whole word, use a template that begins alike, or set data.boundary to \"separate\""
    )]
    MergedPrompt {
        /// The row.
        place: Place,
    },
    /// Segments or parts of an answer, and a template that writes other words.
    #[error(
        "{place}: the chat template writes the {side} response in other words, so its `{side}_segments` or `{side}_parts` have no place in the tokens; give them for the text as the template writes it, or use a template that leaves answers as they are"
    )]
    RewrittenAnswer {
        /// The row.
        place: Place,
        /// `chosen` or `rejected`.
        side: &'static str,
    },
    /// An answer without a token of its own.
    #[error("{place}: the {side} response has no token of its own after the prompt")]
    EmptyResponse {
        /// The row.
        place: Place,
        /// `chosen` or `rejected`, or `completion` for a single answer.
        side: &'static str,
    },
    /// Tokens of prompt and answer were to be apart, and the template mixes their texts.
    #[error(
        "{place}: the chat template renders the prompt otherwise before an answer, so the answer cannot be tokenized by itself; set data.boundary to \"joint\""
    )]
    ChangedPrompt {
        /// The row.
        place: Place,
    },
    /// Both answers are the same ids.
    #[error(
        "{place}: chosen and rejected are the same tokens{reason}, so the pair expresses no preference"
    )]
    NoPreference {
        /// The row.
        place: Place,
        /// Whether truncation made them so.
        reason: &'static str,
    },
    /// What the row says of an answer does not fit it.
    #[error("{place}: {source}")]
    Annotation {
        /// The row.
        place: Place,
        /// Why not.
        #[source]
        source: AnnotationError,
    },
    /// A prompt fills the limit by itself.
    #[error(
        "{place}: the prompt has {tokens} tokens and max-length is {max_length}, so no response fits; raise data.max-length, shorten the prompt, or set data.long-prompts to \"drop\" or \"cut\""
    )]
    LongPrompt {
        /// The row.
        place: Place,
        /// Tokens of the prompt.
        tokens: usize,
        /// The limit.
        max_length: usize,
    },
    /// A token that the model has no embedding for.
    #[error(
        "{place}: the token `{token}` has the id {id}, and the model's embedding has {rows} rows; take the text out, or use the tokenizer that belongs to the model"
    )]
    NoEmbedding {
        /// The row.
        place: Place,
        /// The id.
        id: u32,
        /// Its token.
        token: String,
        /// Rows of the embedding.
        rows: usize,
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

impl TokenizeError {
    /// The row that is to blame, if it is one row, so that the rest can be tokenized without it.
    pub fn row(&self) -> Option<&Place> {
        match self {
            TokenizeError::NoEos | TokenizeError::Limit { .. } => None,
            TokenizeError::Tokenizer { place, .. }
            | TokenizeError::EmptyPrompt { place }
            | TokenizeError::MergedPrompt { place }
            | TokenizeError::RewrittenAnswer { place, .. }
            | TokenizeError::EmptyResponse { place, .. }
            | TokenizeError::ChangedPrompt { place }
            | TokenizeError::NoPreference { place, .. }
            | TokenizeError::Annotation { place, .. }
            | TokenizeError::NoEmbedding { place, .. }
            | TokenizeError::LongPrompt { place, .. } => Some(place),
        }
    }
}
