//! Batches: plain arrays, padded on the right. In: pairs of ids. Out: rows of ids, the chosen
//! answers' first, then the rejected ones'.

use std::ops::Range;

use crate::tokenize::TokenPair;

/// Rows of token ids, `[rows, width]`, padded on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Ids, row by row.
    pub tokens: Vec<u32>,
    /// Twice the pairs: chosen rows, then rejected rows.
    pub rows: usize,
    /// Tokens a row, padding included.
    pub width: usize,
    /// Where the answer is in each row.
    pub responses: Vec<Range<usize>>,
    /// Line of each pair in its file.
    pub lines: Vec<usize>,
}

impl Batch {
    /// Pads pairs to the longest of them.
    ///
    /// ```
    /// use pref_data::{Batch, TokenPair};
    /// let pair = TokenPair { prompt: vec![5, 6], chosen: vec![7, 2], rejected: vec![2], ..TokenPair::default() };
    /// let batch = Batch::from_pairs(&[&pair], 0);
    /// assert_eq!(batch.tokens, [5, 6, 7, 2, 5, 6, 2, 0]);
    /// assert_eq!(batch.responses, [2..4, 2..3]);
    /// ```
    pub fn from_pairs(pairs: &[&TokenPair], pad_id: u32) -> Self {
        let width = pairs.iter().map(|pair| pair.longest()).max().unwrap_or(0);
        let rows = pairs
            .iter()
            .map(|pair| (&pair.prompt, &pair.chosen))
            .chain(pairs.iter().map(|pair| (&pair.prompt, &pair.rejected)));
        let mut tokens = Vec::with_capacity(2 * pairs.len() * width);
        let mut responses = Vec::with_capacity(2 * pairs.len());
        for (prompt, response) in rows {
            let end = prompt.len() + response.len();
            tokens.extend_from_slice(prompt);
            tokens.extend_from_slice(response);
            tokens.extend(std::iter::repeat_n(pad_id, width - end));
            responses.push(prompt.len()..end);
        }
        Self {
            tokens,
            rows: 2 * pairs.len(),
            width,
            responses,
            lines: pairs.iter().map(|pair| pair.line).collect(),
        }
    }

    /// Pairs in the batch.
    pub fn n_pairs(&self) -> usize {
        self.rows / 2
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
