//! Batches: plain arrays, padded on the right. In: prompts and their answers as ids. Out: rows of
//! ids, and where the answers are in them.

use std::ops::Range;

use crate::tokenize::TokenPair;

/// Rows of token ids, `[rows, width]`, padded on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Ids, row by row.
    pub tokens: Vec<u32>,
    /// Rows.
    pub rows: usize,
    /// Tokens a row, padding included.
    pub width: usize,
    /// Where the answers are: one a prompt, or the first answer to each prompt and then the second
    /// one to each.
    pub answers: Vec<AnswerPlace>,
    /// Of rows that hold two answers, the first one's tokens: those behind it do not see them, and
    /// stand where they stand, right behind the prompt. Empty if each row holds one answer.
    pub branches: Vec<Range<usize>>,
}

/// Where an answer is in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerPlace {
    /// Its row.
    pub row: usize,
    /// Its tokens in the row.
    pub tokens: Range<usize>,
    /// The last token of its prompt, which predicts its first one.
    pub after: usize,
}

/// What batches are planned by.
pub trait Longest {
    /// Tokens of the prompt and the longer answer.
    fn longest(&self) -> usize;
}

impl Longest for TokenPair {
    fn longest(&self) -> usize {
        self.prompt.len() + self.chosen.len().max(self.rejected.len())
    }
}

/// How pairs are laid out in batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchLayout {
    /// The id that rows are padded with.
    pub pad_id: u32,
    /// Widths are rounded up to a multiple of this, so that a device sees few shapes; 0 and 1
    /// leave them.
    pub pad_to_multiple_of: usize,
    /// Pairs in a batch at most.
    pub pairs: usize,
    /// Tokens in a batch at most, padding included; a pair that has more is a batch by itself. 0
    /// is no limit.
    pub tokens: usize,
    /// Both answers of a pair are in one row behind their prompt, which is there once.
    pub shares_prompts: bool,
}

impl BatchLayout {
    /// The batch of some prompts with two answers each, such as pairs are: the first answers, then
    /// the second ones.
    ///
    /// ```
    /// use pref_data::{BatchLayout, TokenPair};
    /// let pair = TokenPair { prompt: vec![5, 6], chosen: vec![7, 2], rejected: vec![2], ..TokenPair::default() };
    /// let layout = BatchLayout { shares_prompts: true, ..BatchLayout::default() };
    /// let batch = layout.of_two(&[pair.ids()]);
    /// assert_eq!(batch.tokens, [5, 6, 7, 2, 2]);
    /// assert_eq!(batch.answers[1].after, 1); // the rejected answer follows the prompt as well
    /// assert_eq!(batch.branches, [2..4]); // and does not see the chosen one
    /// ```
    pub fn of_two(&self, rows: &[[&[u32]; 3]]) -> Batch {
        if self.shares_prompts {
            return self.shared(rows);
        }
        let side = |k: usize| rows.iter().map(move |row| [row[0], row[k]]);
        let rows: Vec<[&[u32]; 2]> = side(1).chain(side(2)).collect();
        self.of_one(&rows)
    }

    /// The batch of some prompts with one answer each.
    ///
    /// ```
    /// let batch = pref_data::BatchLayout::default().of_one(&[[&[5, 6], &[7, 2]], [&[5], &[2]]]);
    /// assert_eq!(batch.tokens, [5, 6, 7, 2, 5, 2, 0, 0]);
    /// assert_eq!(batch.answers[1].tokens, 1..2);
    /// ```
    pub fn of_one(&self, rows: &[[&[u32]; 2]]) -> Batch {
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

    /// Divides pairs, longest first, into batches within the limits.
    ///
    /// ```
    /// use pref_data::{BatchLayout, TokenPair};
    /// let pair = |n| TokenPair { prompt: vec![1; n], chosen: vec![2], rejected: vec![3], ..TokenPair::default() };
    /// let pairs = [pair(9), pair(4), pair(4), pair(1)];
    /// let layout = BatchLayout { pairs: 3, tokens: 20, ..BatchLayout::default() };
    /// assert_eq!(layout.divide(&pairs, &[0, 1, 2, 3]), [&[0][..], &[1, 2], &[3]]);
    /// ```
    pub fn divide<'a>(&self, pairs: &[impl Longest], indices: &'a [usize]) -> Vec<&'a [usize]> {
        let mut batches = Vec::new();
        let mut rest = indices;
        while let Some(&first) = rest.first() {
            // of a row with two answers at most as much
            let padded = 2 * pairs[first].longest().max(1);
            let fitting = match self.tokens {
                0 => usize::MAX,
                tokens => (tokens / padded).max(1),
            };
            let n = fitting.min(self.pairs.max(1)).min(rest.len());
            let (batch, others) = rest.split_at(n);
            batches.push(batch);
            rest = others;
        }
        batches
    }

    /// Batches of pairs of like length, longest first: the least padding, and a lack of memory
    /// shows at once. Indices into `pairs`; every pair is in one batch.
    pub fn length_sorted(&self, pairs: &[impl Longest]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(pairs[i].longest()));
        let batches = self.divide(pairs, &order);
        batches.into_iter().map(<[usize]>::to_vec).collect()
    }
}

fn place(row: usize, tokens: Range<usize>, prompt: usize) -> AnswerPlace {
    AnswerPlace {
        row,
        tokens,
        after: prompt.saturating_sub(1),
    }
}
