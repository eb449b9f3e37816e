//! Blocks of queries and the keys that they see. In: the rule of visibility. Out: for each block, runs of keys; for
//! each query, the part of a run that it sees.

use std::ops::Range;

use crate::kernels::visibility::Visibility;

/// Number of queries of a block. The scores of a block against some thousand keys fit into a core's cache.
const QUERIES: usize = 64;

/// A few neighbouring queries and the keys that some of them see.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// The numbers of the queries among the new tokens.
    pub(super) queries: Range<usize>,
    /// Up to two runs of keys. The second is empty unless a row of two answers has a gap between them.
    keys: [Range<usize>; 2],
}

impl Block {
    /// Number of keys.
    pub(super) fn width(&self) -> usize {
        self.keys.iter().map(Range::len).sum()
    }

    /// Calls `f` for each run of keys, with its columns in the scores of the block.
    pub(super) fn for_keys(&self, mut f: impl FnMut(Range<usize>, Range<usize>)) {
        let mut start = 0;
        for keys in &self.keys {
            if !keys.is_empty() {
                f(start..start + keys.len(), keys.clone());
            }
            start += keys.len();
        }
    }

    /// Calls `f` for each run of keys, with its columns in the scores, and the columns that the query sees.
    #[inline(always)]
    pub(super) fn for_visible(
        &self,
        sights: &Sights<'_>,
        row: usize,
        query: usize,
        mut f: impl FnMut(Range<usize>, Range<usize>),
    ) {
        let [first, second] = sights.visible(row, query);
        let mut start = 0;
        for (keys, seen) in self.keys.iter().zip([first, second]) {
            let columns = start..start + keys.len();
            let from = seen.start.clamp(keys.start, keys.end) - keys.start + start;
            let to = seen.end.clamp(keys.start, keys.end) - keys.start + start;
            f(columns.clone(), from..to.max(from));
            start = columns.end;
        }
    }
}

/// What the queries of a batch see.
pub(super) struct Sights<'a>(&'a Visibility);

impl<'a> Sights<'a> {
    pub(super) fn new(visibility: &'a Visibility) -> Self {
        Self(visibility)
    }

    /// The blocks of a row. No block has queries on both sides of the end of a first answer.
    pub(super) fn blocks(&self, row: usize) -> Vec<Block> {
        let tokens = self.0.tokens;
        let cut = self
            .0
            .branches
            .get(row)
            .map_or(tokens, |first| first.end.min(tokens));
        let parts = [0..cut, cut..tokens];
        let starts = parts.into_iter().flat_map(|part| {
            let end = part.end;
            part.step_by(QUERIES)
                .map(move |start| start..(start + QUERIES).min(end))
        });
        starts.map(|queries| self.block(row, queries)).collect()
    }

    fn block(&self, row: usize, queries: Range<usize>) -> Block {
        // What a query sees moves to the right from one query to the next.
        let [first, second] = self.visible(row, queries.start);
        let [first_of_last, second_of_last] = self.visible(row, queries.end - 1);
        let keys = [
            first.start..first_of_last.end.max(first.start),
            second.start..second_of_last.end.max(second.start),
        ];
        Block { queries, keys }
    }

    /// The keys that a query sees: in the prompt and its own answer if they are neighbours, else in the prompt
    /// and in the second answer.
    #[inline(always)]
    fn visible(&self, row: usize, query: usize) -> [Range<usize>; 2] {
        let Visibility { before, window, .. } = *self.0;
        let last = before + query;
        let from = |position: usize| match window {
            Some(window) => (position + 1).saturating_sub(window),
            None => 0,
        };
        match self.0.branches.get(row) {
            Some(branch) if query >= branch.end => {
                // Positions continue after the prompt.
                let first_seen = from(last - branch.len());
                let in_prompt = first_seen.min(branch.start)..branch.start;
                let in_answer = (first_seen + branch.len()).max(branch.end)..last + 1;
                [in_prompt, in_answer]
            }
            Some(_) | None => [from(last)..last + 1, 0..0],
        }
    }
}
