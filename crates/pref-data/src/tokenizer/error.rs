//! Errors of a tokenizer. In: the cause. Out: a message with the file and the way out.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Maximum size of a text that is tokenized, in bytes: about two million tokens. The tokenizer
/// needs more than a hundred times the size of the text as working memory.
const MAX_BYTES: usize = 8 << 20;

/// A tokenizer cannot be read or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// The folder has a tokenizer only in the format of SentencePiece.
    #[error(
        "{0} has the SentencePiece file tokenizer.model, but no tokenizer.json, which is the format that is read; convert it with transformers: AutoTokenizer.from_pretrained(\"{0}\").save_pretrained(\"{0}\")",
        folder.display()
    )]
    SentencePiece {
        /// The model's folder.
        folder: PathBuf,
    },
    /// The chat template is not valid.
    #[error("{}: the chat template cannot be compiled: {message}", path.display())]
    Template {
        /// The file that holds the template.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// A conversation must be rendered, and there is no template.
    #[error(
        "the model has no chat template, and the data is conversations; add chat_template.jinja to its folder, or give plain texts"
    )]
    NoTemplate,
    /// The template refused the messages.
    #[error("the chat template fails on these messages: {0}")]
    Render(String),
    /// A text is not a time.
    #[error("`{0}` is not a time; expected RFC 3339, such as 2026-11-21T14:30:00+01:00")]
    Time(String),
    /// A text is so long that tokenizing it would take too much memory.
    #[error(
        "the text has {bytes} bytes, and at most {limit} can be tokenized at once; divide the text or remove the row",
        limit = MAX_BYTES
    )]
    Long {
        /// The size of the text in bytes.
        bytes: usize,
    },
    /// The tokenizer failed on a text.
    #[error("the tokenizer fails: {0}")]
    Tokenize(String),
}

impl TokenizerError {
    pub(super) fn file(path: &Path, message: &dyn Display) -> Self {
        TokenizerError::File {
            path: path.to_owned(),
            message: message.to_string(),
        }
    }

    /// [`TokenizerError::Long`] if a text is too long.
    pub(super) fn check_size(text: &str) -> Result<(), Self> {
        match text.len() > MAX_BYTES {
            true => Err(TokenizerError::Long { bytes: text.len() }),
            false => Ok(()),
        }
    }
}
