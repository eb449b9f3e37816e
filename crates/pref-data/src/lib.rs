//! Preference data: pairs in, exact tokens and batches out.
//!
//! A row of a file becomes a [`Pair`] of text, then a [`TokenPair`] of ids, then a row of a
//! [`Batch`] of plain arrays. Each stage is a function; nothing here knows a tensor library, and
//! nothing but the feature `hub` the network.
//!
//! ```
//! use pref_data::{BatchLayout, TokenizeOptions, Tokenizer, arithmetic_pairs, tokenize, write_fresh_tokenizer};
//!
//! let folder = tempfile::tempdir()?;
//! let pairs = arithmetic_pairs(20, 0);
//! let texts: Vec<String> = pairs.iter().map(|pair| format!("{pair:?}")).collect();
//! write_fresh_tokenizer(folder.path(), &texts, 300)?;
//!
//! let tokenizer = Tokenizer::from_folder(folder.path())?;
//! let tokenized = tokenize(&pairs, &tokenizer, &TokenizeOptions::default())?;
//! let first: Vec<_> = tokenized.rows.iter().take(4).map(|pair| pair.ids()).collect();
//! let batch = BatchLayout::default().of_two(&first);
//! assert_eq!(batch.rows, 8); // four chosen answers, then four rejected ones
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotation;
mod arithmetic;
mod batch;
mod caught;
mod diff;
mod fresh_tokenizer;
#[cfg(feature = "hub")]
mod hub;
mod lint;
mod linter;
mod map;
mod pair;
mod qwen;
mod read;
mod sampler;
mod segment;
mod template;
mod tokenize;
mod tokenizer;
mod word_cut;
mod write;

pub use annotation::{ASPECTS, Annotation, AnnotationError, TokenFeatures};
pub use arithmetic::arithmetic_pairs;
pub use batch::{AnswerPlace, Batch, BatchLayout, Longest};
pub use caught::is_caught_panic;
pub use diff::{DiffAlgorithm, DiffOptions, TokenDiff, token_diffs};
pub use fresh_tokenizer::{FRESH_EOS_ID, FRESH_PAD_ID, write_fresh_tokenizer};
#[cfg(feature = "hub")]
pub use hub::{HubError, HubOptions, hub_commit, hub_files, hub_model};
pub use lint::{Fault, Finding, Severity, TokenLint, lint_report};
pub use linter::Linter;
pub use map::{MapError, RowMap};
pub use pair::{Example, Message, Pair, Place, Placed, Text};
pub use read::{
    ReadError, ReadOptions, Reader, Reading, Record, Shape, SourceRow, Summary, each_example,
    each_pair, is_input, is_pin_of, pinned, read_examples, read_pairs, read_rows, read_with,
};
pub use sampler::{Order, Sampler, hold_out};
pub use segment::{
    FixedTokens, ItemSentences, Lines, Part, PartMarker, PartRules, PartRulesError, Segmenter,
    Sentences, segment_of_tokens,
};
pub use template::{ChatTemplate, ReservedName, TemplateError, TemplateKwargs};
pub use tokenize::{
    Boundary, LongPrompts, TokenExample, TokenPair, TokenizeError, TokenizeOptions, TokenizeReport,
    Tokenized, Truncation, tokenize, tokenize_examples,
};
pub use tokenizer::{Tokenizer, TokenizerError};
pub use write::{RowWriter, WriteError};
