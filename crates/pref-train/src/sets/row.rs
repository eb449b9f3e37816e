//! Rows in memory: pairs, or single answers with or without mismatched ones. In: stored rows. Out: their
//! token ids and features.

use pref_data::{TokenDiff, TokenExample, TokenPair};
use serde::{Deserialize, Serialize};

/// A pair as token ids, and its varied tokens if the objective needs them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PairRow {
    pub(crate) pair: TokenPair,
    pub(crate) varied: Option<TokenDiff>,
}

/// A single answer, desirable or not.
#[derive(Debug)]
pub(crate) struct AnswerRow {
    pub(crate) answer: TokenExample,
    /// The answer to another prompt. Combined with this row's prompt, it is used to estimate the KL to
    /// the reference.
    pub(crate) mismatched: Vec<u32>,
}

/// Some rows of a data set.
#[derive(Debug)]
pub(crate) enum RowBatch {
    Pairs(Vec<PairRow>),
    /// Single answers of kto.
    Single(Vec<AnswerRow>),
    /// Single answers of sft.
    Wanted(Vec<TokenExample>),
}

impl RowBatch {
    /// The ids of each row: the prompt and two answers. Without a second answer, its ids are empty.
    pub(crate) fn ids(&self) -> Vec<[&[u32]; 3]> {
        match self {
            RowBatch::Pairs(rows) => rows.iter().map(|row| row.pair.ids()).collect(),
            RowBatch::Single(rows) => {
                let ids = |row| {
                    let AnswerRow { answer, mismatched }: &AnswerRow = row;
                    [&answer.prompt[..], &answer.completion, mismatched]
                };
                rows.iter().map(ids).collect()
            }
            RowBatch::Wanted(rows) => {
                let ids = |row| {
                    let TokenExample {
                        prompt, completion, ..
                    }: &TokenExample = row;
                    [&prompt[..], completion, &[]]
                };
                rows.iter().map(ids).collect()
            }
        }
    }
}
