//! Batches: plain arrays, padded on the right. In: pairs of ids. Out: rows of ids.

use std::ops::Range;

use crate::tokenize::TokenPair;

/// Rows of token ids, `[rows, width]`, padded on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Ids, row by row.
    pub tokens: Vec<u32>,
    /// Answers.
    pub rows: usize,
    /// Tokens a row, padding included.
    pub width: usize,
    /// Where the answer is in each row.
    pub responses: Vec<Range<usize>>,
}

impl Batch {
    /// Pads pairs to the longest of them: the chosen answers first, then the rejected ones.
    ///
    /// ```
    /// use pref_data::{Batch, TokenPair};
    /// let pair = TokenPair { prompt: vec![5, 6], chosen: vec![7, 2], rejected: vec![2], ..TokenPair::default() };
    /// let batch = Batch::from_pairs(&[&pair], 0);
    /// assert_eq!(batch.tokens, [5, 6, 7, 2, 5, 6, 2, 0]);
    /// assert_eq!(batch.responses, [2..4, 2..3]);
    /// ```
    pub fn from_pairs(pairs: &[&TokenPair], pad_id: u32) -> Self {
        let chosen = pairs.iter().map(|pair| (&*pair.prompt, &*pair.chosen));
        let rejected = pairs.iter().map(|pair| (&*pair.prompt, &*pair.rejected));
        let rows: Vec<_> = chosen.chain(rejected).collect();
        Self::from_rows(&rows, pad_id)
    }

    /// Pads prompts with an answer each to the longest of them.
    pub fn from_rows(rows: &[(&[u32], &[u32])], pad_id: u32) -> Self {
        let length = |(prompt, response): &(&[u32], &[u32])| prompt.len() + response.len();
        let width = rows.iter().map(length).max().unwrap_or(0);
        let mut tokens = Vec::with_capacity(rows.len() * width);
        let mut responses = Vec::with_capacity(rows.len());
        for row in rows {
            let (prompt, response) = row;
            let end = length(row);
            tokens.extend_from_slice(prompt);
            tokens.extend_from_slice(response);
            tokens.extend(std::iter::repeat_n(pad_id, width - end));
            responses.push(prompt.len()..end);
        }
        Self {
            tokens,
            rows: rows.len(),
            width,
            responses,
        }
    }
}

/// Batches of pairs of like length, longest first: the least padding, and a lack of memory shows
/// at once. Indices into `pairs`; every pair is in one batch.
pub fn length_sorted_batches(pairs: &[TokenPair], pairs_per_batch: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(pairs[i].longest()));
    order
        .chunks(pairs_per_batch.max(1))
        .map(<[usize]>::to_vec)
        .collect()
}
