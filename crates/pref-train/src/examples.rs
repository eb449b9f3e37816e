//! Sets of pairs and of single answers. In: token ids as they are read. Out: an entry of a few
//! numbers for each pair, which is in memory, and the pairs themselves on demand.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use pref_core::Needs;
use pref_data::{
    DiffOptions, Longest, Place, Placed, TokenDiff, TokenExample, TokenPair, token_diffs,
};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::features::check;
use crate::rows::{RowWriter, Rows};

/// What is known of a pair without reading it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The row's bytes.
    bytes: Range<usize>,
    /// Of a single answer: the bytes of the row whose answer stands for the rejected one.
    other: Option<Range<usize>>,
    place: Place,
    lengths: [u32; 3],
}

impl Entry {
    fn new(bytes: Range<usize>, place: Place, lengths: [usize; 3]) -> Self {
        Self {
            bytes,
            other: None,
            place,
            // a model has far fewer positions
            lengths: lengths.map(|n| n as u32),
        }
    }

    /// Tokens of the prompt, the chosen and the rejected answer.
    pub(crate) fn lengths(&self) -> [usize; 3] {
        self.lengths.map(|n| n as usize)
    }
}

impl Placed for Entry {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Longest for Entry {
    fn longest(&self) -> usize {
        let [prompt, chosen, rejected] = self.lengths();
        prompt + chosen.max(rejected)
    }
}

/// A pair with what objectives look at besides.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) pair: TokenPair,
    pub(crate) varied: Option<TokenDiff>,
    /// Of a single answer, which stands as the chosen one: whether it is wanted.
    pub(crate) desirable: bool,
}

/// Takes every set's pairs as they are read.
pub(crate) struct Collector<'a> {
    rows: RowWriter,
    needs: Needs,
    diff: &'a DiffOptions,
    part_labels: BTreeSet<String>,
}

impl<'a> Collector<'a> {
    /// A collector that has no pairs yet; many of them go to a file beside the run's folder.
    pub(crate) fn new(folder: &Path, needs: Needs, diff: &'a DiffOptions) -> Self {
        Self {
            rows: RowWriter::new(folder),
            needs,
            diff,
            part_labels: BTreeSet::new(),
        }
    }

    /// Keeps pairs with what the objective needs.
    ///
    /// # Errors
    /// [`TrainError::Lacks`] names the first pair without it, and what makes it.
    pub(crate) fn pairs(&mut self, pairs: Vec<TokenPair>) -> Result<Vec<Entry>, TrainError> {
        let mut varied = match self.needs.varied {
            true => token_diffs(&pairs, self.diff),
            false => Vec::new(),
        }
        .into_iter();
        let keep = |pair: TokenPair| {
            check(&pair, self.needs)?;
            let features = pair.features.iter().flatten();
            let labels = features.flat_map(|f| f.parts.iter().flatten().cloned());
            self.part_labels.extend(labels);
            self.keep(&Row {
                pair,
                varied: varied.next(),
                desirable: true,
            })
        };
        pairs.into_iter().map(keep).collect()
    }

    /// Keeps single answers.
    pub(crate) fn answers(&mut self, answers: Vec<TokenExample>) -> Result<Vec<Entry>, TrainError> {
        let keep = |answer: TokenExample| {
            self.keep(&Row {
                pair: TokenPair {
                    prompt: answer.prompt,
                    chosen: answer.completion,
                    place: answer.place,
                    ..TokenPair::default()
                },
                varied: None,
                desirable: answer.desirable,
            })
        };
        answers.into_iter().map(keep).collect()
    }

    fn keep(&mut self, row: &Row) -> Result<Entry, TrainError> {
        let pair = &row.pair;
        let lengths = [&pair.prompt, &pair.chosen, &pair.rejected].map(Vec::len);
        match self.rows.push(row) {
            Ok(bytes) => Ok(Entry::new(bytes, pair.place.clone(), lengths)),
            Err(error) => Err(TrainError::file(self.rows.folder())(error)),
        }
    }

    /// Everything that was kept.
    pub(crate) fn finish(self) -> Result<Collection, TrainError> {
        let folder = self.rows.folder().to_owned();
        let rows = self.rows.finish().map_err(TrainError::file(&folder))?;
        Ok(Collection {
            rows: Arc::new(rows),
            needs: self.needs,
            part_labels: self.part_labels.into_iter().collect(),
        })
    }
}

/// The rows of all sets.
#[derive(Clone, Debug)]
pub(crate) struct Collection {
    rows: Arc<Rows>,
    needs: Needs,
    part_labels: Arc<[String]>,
}

/// A set of pairs, or of single answers.
#[derive(Debug)]
pub(crate) struct Examples {
    collection: Collection,
    entries: Vec<Entry>,
}

impl Examples {
    /// A set of pairs.
    pub(crate) fn new(collection: &Collection, entries: Vec<Entry>) -> Self {
        Self {
            collection: collection.clone(),
            entries,
        }
    }

    /// A set of single answers. Each is given the answer of another prompt besides, from which the
    /// KL to the reference is estimated: that of the nearest one before it whose prompt is another,
    /// the set being a circle, cut to what is left of `max_length`.
    ///
    /// # Errors
    /// [`TrainError::OnePrompt`] where all have the same prompt.
    pub(crate) fn single(
        collection: &Collection,
        entries: Vec<Entry>,
        max_length: usize,
    ) -> Result<Self, TrainError> {
        let mut single = Self::new(collection, entries);
        let others = single.others().ok_or(TrainError::OnePrompt)?;
        for (index, other) in others.into_iter().enumerate() {
            let other = single.entries[other].clone();
            let entry = &mut single.entries[index];
            let [prompt, _, rejected] = &mut entry.lengths;
            let left = max_length.saturating_sub(*prompt as usize).max(1);
            *rejected = other.lengths[1].min(left as u32);
            entry.other = Some(other.bytes);
        }
        Ok(single)
    }

    /// For each answer the nearest one before it, around the circle, that has another prompt.
    fn others(&self) -> Option<Vec<usize>> {
        let n = self.entries.len();
        if n == 0 {
            return Some(Vec::new());
        }
        let before = |i: usize| (i + n - 1) % n;
        let mut last = self.row(n - 1).pair.prompt;
        let differs = (0..n).map(|i| {
            let prompt = self.row(i).pair.prompt;
            let differs = prompt != last;
            last = prompt;
            differs
        });
        let differs: Vec<bool> = differs.collect();
        let start = differs.iter().position(|&differs| differs)?;
        let mut others = vec![0; n];
        for i in (0..n).map(|k| (start + k) % n) {
            others[i] = match differs[i] {
                true => before(i),
                false => others[before(i)],
            };
        }
        Some(others)
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn needs(&self) -> Needs {
        self.collection.needs
    }

    /// The labels of parts in all sets, in order.
    pub(crate) fn part_labels(&self) -> &[String] {
        &self.collection.part_labels
    }

    /// Reads a pair.
    pub(crate) fn row(&self, index: usize) -> Row {
        let entry = &self.entries[index];
        let mut row: Row = self.collection.rows.get(entry.bytes.clone());
        if let Some(bytes) = &entry.other {
            let other: Row = self.collection.rows.get(bytes.clone());
            row.pair.rejected = other.pair.chosen;
            row.pair.rejected.truncate(entry.lengths()[2]);
        }
        row
    }

    /// Reads some pairs.
    pub(crate) fn rows(&self, indices: &[usize]) -> Vec<Row> {
        indices.iter().map(|&index| self.row(index)).collect()
    }
}
