//! The two kinds of rows, pairs and single answers. In: rows as text. Out: rows as token ids or as JSON, and
//! their hashes and prompts.

use anyhow::Result;
use pref_data::{
    ContentHash, Example, Pair, Place, Record, Shape, Text, TokenExample, TokenPair, TokenizeError,
    TokenizeOptions, Tokenized, Tokenizer, tokenize, tokenize_examples,
};
use serde_json::Value;

/// Rows of a file as text.
pub(crate) enum Rows {
    Pairs(Vec<Pair>),
    /// Single answers, with labels or without.
    Examples(Vec<Example>),
}

/// Rows of a file as token ids.
pub(crate) enum TokenRows {
    Pairs(Tokenized<TokenPair>),
    Examples(Tokenized<TokenExample>),
}

impl TokenRows {
    /// The errors of the rows that were skipped.
    pub(crate) fn rejects(&self) -> &[TokenizeError] {
        match self {
            TokenRows::Pairs(all) => &all.rejects,
            TokenRows::Examples(all) => &all.rejects,
        }
    }
}

impl From<Record> for Rows {
    fn from(record: Record) -> Self {
        match record {
            Record::Pair(pair) => Rows::Pairs(vec![pair]),
            Record::Example(example) => Rows::Examples(vec![example]),
        }
    }
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Rows::Pairs(rows) => rows.len(),
            Rows::Examples(rows) => rows.len(),
        }
    }

    /// The word for such rows in messages.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Rows::Pairs(_) => PAIRS,
            Rows::Examples(_) => ANSWERS,
        }
    }

    /// The content hash of each row.
    pub(crate) fn content_hashes(&self) -> Vec<ContentHash> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(Pair::content_hash).collect(),
            Rows::Examples(rows) => rows.iter().map(Example::content_hash).collect(),
        }
    }

    /// The prompt of each row, or the text of a row without a prompt, and the row's place in its file.
    pub(crate) fn prompts(&self) -> Vec<(&Text, &Place)> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(|row| (&row.prompt, &row.place)).collect(),
            Rows::Examples(rows) => rows
                .iter()
                .map(|row| (row.prompt_or_text(), &row.place))
                .collect(),
        }
    }

    /// The rows as JSON objects, which `pref` reads as the same rows.
    pub(crate) fn values(&self) -> Vec<Value> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(Pair::to_value).collect(),
            Rows::Examples(rows) => rows.iter().map(Example::to_value).collect(),
        }
    }

    pub(crate) fn tokens(
        &self,
        tokenizer: &Tokenizer,
        options: &TokenizeOptions,
    ) -> Result<TokenRows, TokenizeError> {
        Ok(match self {
            Rows::Pairs(rows) => TokenRows::Pairs(tokenize(rows, tokenizer, options)?),
            Rows::Examples(rows) => {
                TokenRows::Examples(tokenize_examples(rows, tokenizer, options)?)
            }
        })
    }
}

const PAIRS: &str = "pairs";
const ANSWERS: &str = "answers";

/// The word for rows of a shape in messages. The shape is unknown until a file's first row is read.
pub(crate) fn noun(shape: Option<Shape>) -> &'static str {
    match shape.is_some_and(Shape::is_single) {
        true => ANSWERS,
        false => PAIRS,
    }
}
