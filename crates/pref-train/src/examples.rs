//! Sets of pairs and of single answers. In: token ids as they are read. Out: an entry of a few
//! numbers for each row, which is in memory, and the rows themselves on demand.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
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
use crate::partners::partners;
use crate::rows::{RowWriter, Rows as StoredRows};

/// What is known of a row without reading it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The row's bytes.
    bytes: Range<usize>,
    place: Place,
    lengths: [u32; 3],
}

impl Entry {
    fn new(bytes: Range<usize>, place: Place, lengths: [usize; 3]) -> Self {
        Self {
            bytes,
            place,
            // a model has far fewer positions
            lengths: lengths.map(|n| n as u32),
        }
    }

    /// Tokens of the prompt and of both answers: the chosen and the rejected one, or a single
    /// answer and the mismatched one.
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
        let [prompt, first, second] = self.lengths();
        prompt + first.max(second)
    }
}

/// A pair with what objectives look at besides.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PairRow {
    pub(crate) pair: TokenPair,
    pub(crate) varied: Option<TokenDiff>,
}

/// A single answer.
#[derive(Debug)]
pub(crate) struct SingleRow {
    pub(crate) answer: TokenExample,
    /// The answer to another prompt, which stands behind this one where the KL to the reference is
    /// estimated.
    pub(crate) mismatched: Vec<u32>,
}

/// Some rows of a set.
#[derive(Debug)]
pub(crate) enum Rows {
    Pairs(Vec<PairRow>),
    Single(Vec<SingleRow>),
}

/// Takes every set's rows as they are read.
pub(crate) struct Collector<'a> {
    rows: RowWriter,
    needs: Needs,
    diff: &'a DiffOptions,
    part_labels: BTreeSet<String>,
}

impl<'a> Collector<'a> {
    /// A collector that has no rows yet; many of them go to a file beside the run's folder.
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
            let (place, lengths) = (pair.place.clone(), pair.ids().map(<[u32]>::len));
            let varied = varied.next();
            self.keep(&PairRow { pair, varied }, place, lengths)
        };
        pairs.into_iter().map(keep).collect()
    }

    /// Keeps single answers.
    pub(crate) fn answers(&mut self, answers: Vec<TokenExample>) -> Result<Vec<Entry>, TrainError> {
        let keep = |answer: TokenExample| {
            // how long the mismatched answer is follows from the whole set
            let lengths = [answer.prompt.len(), answer.completion.len(), 0];
            self.keep(&answer, answer.place.clone(), lengths)
        };
        answers.into_iter().map(keep).collect()
    }

    fn keep(
        &mut self,
        row: &impl Serialize,
        place: Place,
        lengths: [usize; 3],
    ) -> Result<Entry, TrainError> {
        match self.rows.push(row) {
            Ok(bytes) => Ok(Entry::new(bytes, place, lengths)),
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
    rows: Arc<StoredRows>,
    needs: Needs,
    part_labels: Arc<[String]>,
}

/// A set of pairs, or of single answers.
#[derive(Debug)]
pub(crate) struct Examples {
    collection: Collection,
    entries: Vec<Entry>,
    /// Of single answers: the row whose answer is the mismatched one.
    partners: Option<Vec<usize>>,
}

impl Examples {
    /// A set of pairs.
    pub(crate) fn pairs(collection: &Collection, entries: Vec<Entry>) -> Self {
        Self {
            collection: collection.clone(),
            entries,
            partners: None,
        }
    }

    /// A set of single answers, each of which is given the answer to another prompt besides, as
    /// [`partners`] chooses it, cut to what its prompt leaves of `max_length`.
    ///
    /// # Errors
    /// [`TrainError::OnePrompt`] where all have the same prompt.
    pub(crate) fn single(
        collection: &Collection,
        mut entries: Vec<Entry>,
        max_length: usize,
    ) -> Result<Self, TrainError> {
        // two prompts of one hash do not answer for each other, and nothing else comes of it
        let hasher = BuildHasherDefault::<DefaultHasher>::new();
        let prompt = |entry: &Entry| {
            let answer: TokenExample = collection.rows.get(entry.bytes.clone());
            hasher.hash_one(answer.prompt)
        };
        let partners = partners(entries.iter().map(prompt)).ok_or(TrainError::OnePrompt)?;
        let lengths: Vec<u32> = entries.iter().map(|entry| entry.lengths[1]).collect();
        for (entry, &partner) in entries.iter_mut().zip(&partners) {
            let left = max_length.saturating_sub(entry.lengths()[0]).max(1);
            entry.lengths[2] = lengths[partner].min(left as u32);
        }
        Ok(Self {
            collection: collection.clone(),
            entries,
            partners: Some(partners),
        })
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

    /// Names of the two answers of a row.
    pub(crate) fn side_names(&self) -> [&'static str; 2] {
        match self.partners {
            None => ["chosen", "rejected"],
            Some(_) => ["completion", "mismatched"],
        }
    }

    /// Tokens that a step on these rows learns from, prompts included.
    pub(crate) fn n_tokens(&self, indices: &[usize]) -> u64 {
        let tokens = indices.iter().map(|&i| {
            let [prompt, first, second] = self.entries[i].lengths();
            match self.partners {
                None => 2 * prompt + first + second,
                Some(_) => prompt + first,
            }
        });
        tokens.sum::<usize>() as u64
    }

    /// A row's bytes.
    pub(crate) fn stored(&self, index: usize) -> &[u8] {
        let bytes = self.entries[index].bytes.clone();
        self.collection.rows.bytes(bytes)
    }

    /// Reads some rows.
    pub(crate) fn rows(&self, indices: &[usize]) -> Rows {
        let stored = &self.collection.rows;
        let bytes = |i: usize| self.entries[i].bytes.clone();
        match &self.partners {
            None => Rows::Pairs(indices.iter().map(|&i| stored.get(bytes(i))).collect()),
            Some(partners) => {
                let row = |&i: &usize| {
                    let other: TokenExample = stored.get(bytes(partners[i]));
                    let mut mismatched = other.completion;
                    mismatched.truncate(self.entries[i].lengths()[2]);
                    SingleRow {
                        answer: stored.get(bytes(i)),
                        mismatched,
                    }
                };
                Rows::Single(indices.iter().map(row).collect())
            }
        }
    }
}

impl Rows {
    /// The ids of each row: the prompt and both its answers.
    pub(crate) fn ids(&self) -> Vec<[&[u32]; 3]> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(|row| row.pair.ids()).collect(),
            Rows::Single(rows) => {
                let ids = |row| {
                    let SingleRow { answer, mismatched }: &SingleRow = row;
                    [&answer.prompt[..], &answer.completion, mismatched]
                };
                rows.iter().map(ids).collect()
            }
        }
    }
}
