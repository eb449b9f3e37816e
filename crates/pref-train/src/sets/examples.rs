//! A data set: an entry of a few numbers for each row in memory, and the rows themselves on demand.
//! In: entries and stored rows. Out: batches of rows.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::Arc;

use pref_core::Needs;
use pref_data::{PaddedLength, Place, Placed, TokenExample};

use super::mismatch::mismatched_rows;
use super::packing::packed;
use super::row::{AnswerRow, RowBatch};
use super::store::StoredRows;
use crate::error::TrainError;

/// The part of a stored row that stays in memory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Position of the row's bytes in the storage.
    bytes: Range<usize>,
    place: Place,
    lengths: [u32; 3],
    n_units: u32,
}

impl Entry {
    pub(super) fn new(
        bytes: Range<usize>,
        place: Place,
        lengths: [usize; 3],
        n_units: usize,
    ) -> Self {
        Self {
            bytes,
            place,
            // no model has more positions than a u32 can count
            lengths: lengths.map(|n| n as u32),
            n_units: n_units as u32,
        }
    }

    /// Number of tokens of the prompt and of two answers: the chosen and the rejected one, or a single
    /// answer and its mismatched one.
    pub(crate) fn lengths(&self) -> [usize; 3] {
        self.lengths.map(|n| n as usize)
    }
}

impl Placed for Entry {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl PaddedLength for Entry {
    fn n_tokens_of_longest(&self) -> usize {
        let [prompt, first, second] = self.lengths();
        prompt + first.max(second)
    }

    fn n_tokens_of_both(&self) -> usize {
        self.lengths().iter().sum()
    }

    fn n_answers(&self) -> usize {
        match self.lengths[2] {
            0 => 1,
            _ => 2,
        }
    }
}

/// The stored rows of all data sets.
#[derive(Clone, Debug)]
pub(super) struct StoredExamples {
    rows: Arc<StoredRows>,
    needs: Needs,
    part_labels: Arc<[String]>,
}

impl StoredExamples {
    pub(super) fn new(rows: StoredRows, needs: Needs, part_labels: BTreeSet<String>) -> Self {
        Self {
            rows: Arc::new(rows),
            needs,
            part_labels: part_labels.into_iter().collect(),
        }
    }
}

/// A set of pairs, or of single answers.
#[derive(Debug)]
pub(crate) struct Examples {
    stored: StoredExamples,
    entries: Vec<Entry>,
    kind: Kind,
}

/// What the rows of a set are.
#[derive(Debug)]
enum Kind {
    Pairs,
    /// Single answers of kto, with the index of the row that each row's mismatched answer comes from.
    Single {
        mismatched: Vec<usize>,
    },
    /// Single answers of sft, possibly in bins.
    Wanted {
        bins: Option<Vec<Vec<usize>>>,
    },
}

impl Examples {
    /// A set of pairs.
    pub(super) fn pairs(stored: &StoredExamples, entries: Vec<Entry>) -> Self {
        Self {
            stored: stored.clone(),
            entries,
            kind: Kind::Pairs,
        }
    }

    /// Whether the rows are pairs, and not single answers.
    pub(crate) fn are_pairs(&self) -> bool {
        matches!(self.kind, Kind::Pairs)
    }

    /// A set of single answers for sft. With `capacity`, training takes bins of answers: the prompts and
    /// answers of a bin have together at most `capacity` tokens.
    pub(super) fn wanted(
        stored: &StoredExamples,
        entries: Vec<Entry>,
        capacity: Option<usize>,
    ) -> Self {
        let lengths = || entries.iter().map(PaddedLength::n_tokens_of_longest);
        let bins = capacity.map(|capacity| packed(lengths(), capacity));
        Self {
            stored: stored.clone(),
            entries,
            kind: Kind::Wanted { bins },
        }
    }

    /// A set of single answers for kto. Each row also gets the answer to another prompt, which
    /// [`mismatched_rows`] chooses. This answer is cut so that prompt and answer have at most `max_length`
    /// tokens, but it keeps at least one token.
    ///
    /// # Errors
    /// [`TrainError::OnePrompt`] if all rows have the same prompt.
    pub(super) fn single(
        stored: &StoredExamples,
        mut entries: Vec<Entry>,
        max_length: usize,
    ) -> Result<Self, TrainError> {
        // Two different prompts with the same hash are treated as one prompt. This only changes which
        // answers are chosen.
        let hasher = BuildHasherDefault::<DefaultHasher>::new();
        let prompt = |entry: &Entry| {
            let answer: TokenExample = stored.rows.get(entry.bytes.clone());
            hasher.hash_one(answer.prompt)
        };
        let mismatched =
            mismatched_rows(entries.iter().map(prompt)).ok_or(TrainError::OnePrompt)?;
        let lengths: Vec<u32> = entries.iter().map(|entry| entry.lengths[1]).collect();
        for (entry, &other) in entries.iter_mut().zip(&mismatched) {
            let room = max_length.saturating_sub(entry.lengths()[0]).max(1);
            entry.lengths[2] = lengths[other].min(room as u32);
        }
        Ok(Self {
            stored: stored.clone(),
            entries,
            kind: Kind::Single { mismatched },
        })
    }

    /// The entry of each row.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the objective needs of each row.
    pub(crate) fn needs(&self) -> Needs {
        self.stored.needs
    }

    /// The labels of parts in all sets, sorted.
    pub(crate) fn part_labels(&self) -> &[String] {
        &self.stored.part_labels
    }

    /// Names of the two answers of a row, in files.
    pub(crate) fn side_names(&self) -> [&'static str; 2] {
        match self.kind {
            Kind::Pairs => ["chosen", "rejected"],
            Kind::Single { .. } => ["completion", "mismatched"],
            Kind::Wanted { .. } => ["completion", "none"],
        }
    }

    /// Number of tokens in a step on these rows, prompts included and padding excluded. The prompt of a pair
    /// counts once for each answer, as in TRL.
    pub(crate) fn n_tokens(&self, indices: &[usize]) -> u64 {
        let tokens = indices.iter().map(|&i| {
            let [prompt, first, second] = self.entries[i].lengths();
            match self.kind {
                Kind::Pairs => 2 * prompt + first + second,
                Kind::Single { .. } | Kind::Wanted { .. } => prompt + first,
            }
        });
        tokens.sum::<usize>() as u64
    }

    /// Number of values that the loss of these rows averages: rows, counted tokens for sft, segments for the
    /// scores of segments.
    pub(crate) fn n_units(&self, indices: &[usize]) -> u64 {
        let units = indices.iter().map(|&i| u64::from(self.entries[i].n_units));
        units.sum()
    }

    /// Number of items that training draws in an epoch: rows, or bins of rows.
    pub(crate) fn n_drawn(&self) -> usize {
        match &self.kind {
            Kind::Wanted { bins: Some(bins) } => bins.len(),
            Kind::Pairs | Kind::Single { .. } | Kind::Wanted { bins: None } => self.len(),
        }
    }

    /// The rows of drawn items.
    pub(crate) fn drawn_rows(&self, drawn: Vec<usize>) -> Vec<usize> {
        match &self.kind {
            Kind::Wanted { bins: Some(bins) } => {
                drawn.iter().flat_map(|&bin| &bins[bin]).copied().collect()
            }
            Kind::Pairs | Kind::Single { .. } | Kind::Wanted { bins: None } => drawn,
        }
    }

    /// The bytes of a stored row.
    pub(crate) fn bytes_of(&self, index: usize) -> &[u8] {
        let bytes = self.entries[index].bytes.clone();
        self.stored.rows.bytes(bytes)
    }

    /// Reads some rows.
    pub(crate) fn rows(&self, indices: &[usize]) -> RowBatch {
        let stored = &self.stored.rows;
        let bytes = |i: usize| self.entries[i].bytes.clone();
        match &self.kind {
            Kind::Pairs => RowBatch::Pairs(indices.iter().map(|&i| stored.get(bytes(i))).collect()),
            Kind::Wanted { .. } => {
                RowBatch::Wanted(indices.iter().map(|&i| stored.get(bytes(i))).collect())
            }
            Kind::Single { mismatched: others } => {
                let row = |&i: &usize| {
                    let other: TokenExample = stored.get(bytes(others[i]));
                    let mut mismatched = other.completion;
                    mismatched.truncate(self.entries[i].lengths()[2]);
                    AnswerRow {
                        answer: stored.get(bytes(i)),
                        mismatched,
                    }
                };
                RowBatch::Single(indices.iter().map(row).collect())
            }
        }
    }
}
