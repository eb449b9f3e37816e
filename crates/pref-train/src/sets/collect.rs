//! Stores the rows of all data sets as they are read. In: rows of token ids. Out: an entry for each row, and
//! the stored rows.

use std::collections::BTreeSet;
use std::path::Path;

use pref_core::Needs;
use pref_data::{DiffOptions, Place, TokenExample, TokenPair, token_diffs};
use serde::Serialize;

use super::examples::{Entry, StoredExamples};
use super::requirements::check_pair;
use super::row::PairRow;
use super::store::RowWriter;
use crate::error::TrainError;

/// Stores the rows of all data sets as they are read.
pub(super) struct RowCollector<'a> {
    rows: RowWriter,
    needs: Needs,
    diff: &'a DiffOptions,
    part_labels: BTreeSet<String>,
}

impl<'a> RowCollector<'a> {
    /// A collector without rows. If many rows are added, they go to a file on the disk of `folder`.
    pub(super) fn new(folder: &Path, needs: Needs, diff: &'a DiffOptions) -> Self {
        Self {
            rows: RowWriter::new(folder),
            needs,
            diff,
            part_labels: BTreeSet::new(),
        }
    }

    /// Stores pairs. The result has an entry for each pair.
    ///
    /// # Errors
    /// [`TrainError::MissingField`] names the first pair that lacks something, and how to produce it.
    pub(super) fn pairs(&mut self, pairs: Vec<TokenPair>) -> Result<Vec<Entry>, TrainError> {
        let mut varied = match self.needs.varied {
            true => token_diffs(&pairs, self.diff),
            false => Vec::new(),
        }
        .into_iter();
        let store = |pair: TokenPair| {
            check_pair(&pair, self.needs)?;
            let features = pair.features.iter().flatten();
            let labels = features.flat_map(|f| f.parts.iter().flatten().cloned());
            self.part_labels.extend(labels);
            let (place, lengths) = (pair.place.clone(), pair.ids().map(<[u32]>::len));
            let varied = varied.next();
            let n_units = match self.needs.reward_model && self.needs.segments {
                true => pair
                    .features
                    .iter()
                    .flatten()
                    .map(|f| f.segments.len())
                    .sum(),
                false => 1,
            };
            self.store(&PairRow { pair, varied }, place, lengths, n_units)
        };
        pairs.into_iter().map(store).collect()
    }

    /// Stores single answers. The result has an entry for each answer.
    ///
    /// # Errors
    /// [`TrainError::MissingField`] names the first answer without a label, if the objective needs labels.
    pub(super) fn answers(&mut self, answers: Vec<TokenExample>) -> Result<Vec<Entry>, TrainError> {
        let store = |answer: TokenExample| {
            if self.needs.unpaired && answer.label.is_none() {
                return Err(TrainError::MissingField {
                    place: answer.place,
                    field: "label".to_owned(),
                    remedy: "give each answer a label, or train with objective.method = \"sft\"",
                });
            }
            // The length of the mismatched answer is known once all rows are read.
            let lengths = [answer.prompt.len(), answer.completion.len(), 0];
            let n_units = match (self.needs.demonstrations, &answer.counted) {
                (true, Some(counted)) => counted.iter().filter(|&&counts| counts).count(),
                (true, None) => answer.completion.len(),
                (false, _) => 1,
            };
            self.store(&answer, answer.place.clone(), lengths, n_units)
        };
        answers.into_iter().map(store).collect()
    }

    fn store(
        &mut self,
        row: &impl Serialize,
        place: Place,
        lengths: [usize; 3],
        n_units: usize,
    ) -> Result<Entry, TrainError> {
        match self.rows.push(row) {
            Ok(bytes) => Ok(Entry::new(bytes, place, lengths, n_units)),
            Err(error) => Err(TrainError::file(self.rows.folder())(error)),
        }
    }

    /// All stored rows.
    pub(super) fn finish(self) -> Result<StoredExamples, TrainError> {
        let folder = self.rows.folder().to_owned();
        let rows = self.rows.finish().map_err(TrainError::file(&folder))?;
        Ok(StoredExamples::new(rows, self.needs, self.part_labels))
    }
}
