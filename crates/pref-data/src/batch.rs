//! Batches as plain arrays. In: prompts and answers as ids. Out: rows of ids, padded on the right, and
//! the positions of the answers in them.

use std::ops::Range;

use crate::tokens::PaddedLength;

/// Rows of token ids, `[rows, width]`, padded on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The ids, row by row, `[rows * width]`.
    pub tokens: Vec<u32>,
    /// Number of rows.
    pub rows: usize,
    /// Number of tokens in each row, including padding.
    pub width: usize,
    /// The positions of the answers. With one answer per prompt: `[prompts]`. With two answers per
    /// prompt: the first answer of each prompt, then the second answer of each, `[2 * prompts]`.
    pub answers: Vec<AnswerPlace>,
    /// If a row holds two answers: the tokens of the first answer, one range for each row. The tokens of
    /// the second answer do not attend to them, and their positions continue from the end of the prompt.
    /// Empty if each row holds one answer.
    pub branches: Vec<Range<usize>>,
}

/// The position of an answer in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerPlace {
    /// The row of the answer.
    pub row: usize,
    /// The tokens of the answer within the row.
    pub tokens: Range<usize>,
    /// The last token of the prompt. It predicts the first token of the answer.
    pub predictor: usize,
}

/// How pairs are laid out in batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchLayout {
    /// The id of the padding.
    pub pad_id: u32,
    /// The width is rounded up to a multiple of this, so that a device gets fewer different shapes.
    /// 0 and 1 change nothing.
    pub pad_to_multiple_of: usize,
    /// Maximum number of pairs in a batch. 0 counts as 1.
    pub pairs: usize,
    /// Maximum number of tokens in a batch, including padding. A pair with more tokens is a batch
    /// by itself. 0 means no limit.
    pub tokens: usize,
    /// Whether the prompt and both answers of a pair are in one row. The prompt is then computed once.
    pub shares_prompts: bool,
}

impl BatchLayout {
    /// The batch of prompts with two answers each. Each row is `[prompt, first answer, second answer]`.
    ///
    /// ```
    /// use pref_data::{BatchLayout, TokenPair};
    /// let pair = TokenPair { prompt: vec![5, 6], chosen: vec![7, 2], rejected: vec![2], ..TokenPair::default() };
    /// let layout = BatchLayout { shares_prompts: true, ..BatchLayout::default() };
    /// let batch = layout.of_both_answers(&[pair.ids()]);
    /// assert_eq!(batch.tokens, [5, 6, 7, 2, 2]);
    /// assert_eq!(batch.answers[1].predictor, 1); // the rejected answer follows the prompt too
    /// assert_eq!(batch.branches, [2..4]); // and does not attend to the chosen answer
    /// ```
    pub fn of_both_answers(&self, rows: &[[&[u32]; 3]]) -> Batch {
        if self.shares_prompts {
            return self.shared(rows);
        }
        let side = |k: usize| rows.iter().map(move |row| [row[0], row[k]]);
        let rows: Vec<[&[u32]; 2]> = side(1).chain(side(2)).collect();
        self.of_one_answer(&rows)
    }

    /// The batch of prompts with one answer each. Each row is `[prompt, answer]`.
    ///
    /// ```
    /// let batch = pref_data::BatchLayout::default().of_one_answer(&[[&[5, 6], &[7, 2]], [&[5], &[2]]]);
    /// assert_eq!(batch.tokens, [5, 6, 7, 2, 5, 2, 0, 0]);
    /// assert_eq!(batch.answers[1].tokens, 1..2);
    /// ```
    pub fn of_one_answer(&self, rows: &[[&[u32]; 2]]) -> Batch {
        let places = rows.iter().enumerate().map(|(row, [prompt, answer])| {
            let start = prompt.len();
            place(row, start..start + answer.len(), start)
        });
        self.padded(rows, places.collect(), Vec::new())
    }

    fn shared(&self, rows: &[[&[u32]; 3]]) -> Batch {
        let ends = |[prompt, first, second]: &[&[u32]; 3]| {
            let first = prompt.len() + first.len();
            [prompt.len(), first, first + second.len()]
        };
        let all = || rows.iter().map(ends).enumerate();
        let first = all().map(|(row, [p, f, _])| place(row, p..f, p));
        let second = all().map(|(row, [p, f, s])| place(row, f..s, p));
        let branches = all().map(|(_, [p, f, _])| p..f).collect();
        self.padded(rows, first.chain(second).collect(), branches)
    }

    fn padded<const N: usize>(
        &self,
        rows: &[[&[u32]; N]],
        answers: Vec<AnswerPlace>,
        branches: Vec<Range<usize>>,
    ) -> Batch {
        let length = |row: &[&[u32]; N]| row.iter().map(|part| part.len()).sum::<usize>();
        let longest = rows.iter().map(length).max().unwrap_or(0);
        let width = longest.next_multiple_of(self.pad_to_multiple_of.max(1));
        let mut tokens = Vec::with_capacity(rows.len() * width);
        for row in rows {
            tokens.extend(row.iter().copied().flatten());
            tokens.extend(std::iter::repeat_n(self.pad_id, width - length(row)));
        }
        Batch {
            tokens,
            rows: rows.len(),
            width,
            answers,
            branches,
        }
    }

    /// Number of tokens that a pair takes in a batch of pairs of its length: those of one row if both answers
    /// share it, else those of a row of the longer answer for each answer.
    pub fn n_tokens(&self, pair: &impl PaddedLength) -> usize {
        match self.shares_prompts {
            true => pair.n_tokens_of_both(),
            false => pair.n_answers().max(1) * pair.n_tokens_of_longest(),
        }
    }

    /// Sorts indices into `pairs` by [length](Self::n_tokens), the longest first. Pairs of similar length need
    /// little padding, and too little memory is noticed at once.
    pub fn sort_by_length(&self, pairs: &[impl PaddedLength], indices: &mut [usize]) {
        indices.sort_by_key(|&i| std::cmp::Reverse(self.n_tokens(&pairs[i])));
    }

    /// Divides pairs into batches within the limits. `indices` are indices into `pairs` and must be
    /// [sorted by length](Self::sort_by_length), the longest first.
    ///
    /// ```
    /// use pref_data::{BatchLayout, TokenPair};
    /// let pair = |n| TokenPair { prompt: vec![1; n], chosen: vec![2], rejected: vec![3], ..TokenPair::default() };
    /// let pairs = [pair(9), pair(4), pair(4), pair(1)];
    /// let layout = BatchLayout { pairs: 3, tokens: 20, ..BatchLayout::default() };
    /// assert_eq!(layout.divide(&pairs, &[0, 1, 2, 3]), [&[0][..], &[1, 2], &[3]]);
    /// ```
    pub fn divide<'a>(
        &self,
        pairs: &[impl PaddedLength],
        indices: &'a [usize],
    ) -> Vec<&'a [usize]> {
        let mut batches = Vec::new();
        let mut rest = indices;
        while let Some(&first) = rest.first() {
            let padded = self.n_tokens(&pairs[first]).max(1);
            let fitting = match self.tokens {
                0 => usize::MAX,
                tokens => (tokens / padded).max(1),
            };
            let n = fitting.min(self.pairs.max(1)).min(rest.len());
            let (batch, remaining) = rest.split_at(n);
            batches.push(batch);
            rest = remaining;
        }
        batches
    }

    /// Batches of pairs of similar length, the longest pairs first, as indices into `pairs`. Each
    /// pair is in exactly one batch.
    pub fn length_sorted(&self, pairs: &[impl PaddedLength]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        self.sort_by_length(pairs, &mut order);
        let batches = self.divide(pairs, &order);
        batches.into_iter().map(<[usize]>::to_vec).collect()
    }
}

fn place(row: usize, tokens: Range<usize>, prompt: usize) -> AnswerPlace {
    AnswerPlace {
        row,
        tokens,
        predictor: prompt.saturating_sub(1),
    }
}
