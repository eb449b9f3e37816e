//! Preference data: reads files, and makes tokens and batches of them.
//!
//! A row of a file becomes a [`Pair`] of texts, then a [`TokenPair`] of ids, then part of a [`Batch`]
//! of plain arrays. Each stage is a function. The crate uses no tensor library, and only the feature
//! `hub` uses the network.
//!
//! | stage | in | out |
//! |---|---|---|
//! | [`read_with`], [`Reader`] | files of any common format and shape | [`Pair`], [`Example`] |
//! | [`Tokenizer`], [`tokenize`] | texts, a model's folder | [`TokenPair`], [`TokenExample`] |
//! | [`Segmenter`], [`TokenDiff`] | an answer, two answers | ranges, masks |
//! | [`Sampler`], [`BatchLayout`] | token pairs | [`Batch`] |
//! | [`Linter`], [`TokenLint`] | rows | [`Finding`] |
//! | [`RowWriter`], [`RowMap`] | rows | files, other rows |
//!
//! ```
//! use pref_data::{BatchLayout, ReadOptions, TokenizeOptions, Tokenizer, read_with, tokenize};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("pairs.jsonl");
//! std::fs::write(&file, r#"{"prompt": "Question: 2 + 2?\nAnswer:", "chosen": " 4", "rejected": " 5"}"#)?;
//! let pairs = read_with(&file, &ReadOptions::default())?.rows;
//!
//! # let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models/llama");
//! let tokenizer = Tokenizer::from_folder(&model)?;
//! let tokenized = tokenize(&pairs, &tokenizer, &TokenizeOptions::default())?;
//! let ids: Vec<_> = tokenized.rows.iter().map(|pair| pair.ids()).collect();
//! let batch = BatchLayout::default().of_both_answers(&ids);
//! assert_eq!(batch.rows, 2); // the chosen answer, then the rejected one
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod diff;
mod hub;
mod lint;
mod map;
mod panics;
mod read;
mod sampler;
mod segment;
mod splits;
mod template;
mod text;
mod tokenize;
mod tokenizer;
mod tokens;
mod write;

pub use batch::{AnswerPlace, Batch, BatchLayout};
pub use diff::{DiffAlgorithm, DiffOptions, TokenDiff, token_diffs};
#[cfg(feature = "hub")]
pub use hub::{HubError, HubOptions, hub_commit, hub_files, hub_model};
pub use lint::{Fault, Finding, Linter, Severity, TokenLint, lint_report};
pub use map::{MapError, RowMap};
pub use panics::is_caught_panic;
pub use read::{
    PromptRow, Prompts, ReadError, ReadOptions, Reader, Reading, Record, Shape, SourceRow, Summary,
    each_example, each_pair, each_wanted, is_input, is_pin_of, pinned, read_examples, read_pairs,
    read_prompts, read_rows, read_with,
};
pub use sampler::{Order, Sampler, hold_out};
pub use segment::{
    ItemSentences, Lines, Part, PartMarker, PartRules, PartRulesError, Segmenter, Sentences,
    segment_of_tokens,
};
pub use template::{ChatTemplate, TemplateError};
pub use text::{
    ASPECTS, Annotation, ContentHash, Example, InvalidContentHash, Message, Pair, Place, Placed,
    ReservedName, TemplateKwargs, Text,
};
pub use tokenize::{
    Boundary, LongPrompts, TokenizeError, TokenizeOptions, TokenizeReport, Tokenized, Truncation,
    tokenize, tokenize_examples,
};
pub use tokenizer::{FixedTokens, Tokenizer, TokenizerError};
pub use tokens::{AnnotationError, PaddedLength, TokenExample, TokenFeatures, TokenPair};
pub use write::{RowWriter, WriteError};
