//! A preference pair, or a single answer, as token ids. In: the ids of the prompt and the answers.
//! Out: [`TokenPair`] and [`TokenExample`], from which batches are made.

use serde::{Deserialize, Serialize};

use super::features::TokenFeatures;
use crate::text::{Place, Placed};

/// A pair as token ids. The prompt and both answers have at least one token each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenPair {
    /// Ids of the prompt, `[prompt tokens]`.
    pub prompt: Vec<u32>,
    /// Ids of the preferred answer, `[chosen tokens]`, including the end-of-sequence token.
    pub chosen: Vec<u32>,
    /// Ids of the other answer, `[rejected tokens]`, including the end-of-sequence token.
    pub rejected: Vec<u32>,
    /// The position of the row.
    #[serde(skip)]
    pub place: Place,
    /// Features of the tokens of the chosen and of the rejected answer, in this order.
    pub features: [Option<Box<TokenFeatures>>; 2],
}

impl TokenPair {
    /// The ids of the prompt, the chosen and the rejected answer.
    pub fn ids(&self) -> [&[u32]; 3] {
        [&self.prompt, &self.chosen, &self.rejected]
    }

    /// Number of tokens of both sequences. The prompt is in both, so it counts twice.
    pub fn n_tokens(&self) -> usize {
        2 * self.prompt.len() + self.chosen.len() + self.rejected.len()
    }
}

/// A single answer as token ids. The prompt and the answer have at least one token each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenExample {
    /// Ids of the prompt, `[prompt tokens]`.
    pub prompt: Vec<u32>,
    /// Ids of the answer, `[answer tokens]`, including the end-of-sequence token. If the answer has several
    /// turns of a conversation, all ids from the first of them.
    pub completion: Vec<u32>,
    /// Whether the answer is wanted. Absent from an answer without a label.
    pub label: Option<bool>,
    /// For each token of `completion`, whether it is the answer's. If the answer has several turns, the
    /// tokens between them are not. All tokens are the answer's if absent.
    pub counted: Option<Vec<bool>>,
    /// The position of the row.
    #[serde(skip)]
    pub place: Place,
    /// Features of the tokens of the answer, if the row annotates it.
    pub features: Option<Box<TokenFeatures>>,
}

/// The length by which rows are sorted and divided into batches.
pub trait PaddedLength {
    /// Number of tokens of the prompt and the longer answer together.
    fn n_tokens_of_longest(&self) -> usize;

    /// Number of tokens of the prompt and both answers together.
    fn n_tokens_of_both(&self) -> usize;
    /// Number of answers, each of which takes a row of a batch. Default: 2.
    fn n_answers(&self) -> usize {
        2
    }
}

impl PaddedLength for TokenPair {
    fn n_tokens_of_longest(&self) -> usize {
        self.prompt.len() + self.chosen.len().max(self.rejected.len())
    }

    fn n_tokens_of_both(&self) -> usize {
        self.prompt.len() + self.chosen.len() + self.rejected.len()
    }
}

impl Placed for TokenPair {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Placed for TokenExample {
    fn place(&self) -> &Place {
        &self.place
    }
}
