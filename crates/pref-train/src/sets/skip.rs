//! Rows that the plan leaves out. In: the places that `data.skip` names. Out: their indices.

use std::collections::BTreeSet;

use pref_data::Placed;

use super::data_set::{DataSet, PerSet};
use super::examples::{Entry, Examples};
use crate::error::TrainError;
use crate::plan::DataPlan;

/// The rows of each data set that `data.skip` leaves out.
///
/// # Errors
/// [`TrainError`] if an entry names no row, or no row is left to train on.
pub(crate) fn skipped_rows(
    plan: &DataPlan,
    sets: &PerSet<Examples>,
) -> Result<PerSet<BTreeSet<usize>>, TrainError> {
    let mut found = BTreeSet::new();
    let skipped = sets.0.each_ref().map(|examples| {
        let places = examples.entries().iter().enumerate();
        let is_skipped = |(index, entry): (usize, &Entry)| {
            let place = entry.place().to_string();
            let is_skipped = !plan.skip.is_empty() && plan.skip.contains(&place);
            is_skipped.then(|| {
                found.insert(place);
                index
            })
        };
        places.filter_map(is_skipped).collect::<BTreeSet<usize>>()
    });
    if let Some(entry) = plan.skip.iter().find(|&entry| !found.contains(entry)) {
        let example = sets.of(DataSet::Train).entries().first();
        return Err(TrainError::UnknownSkip {
            entry: entry.clone(),
            example: example
                .map(|entry| entry.place().clone())
                .unwrap_or_default(),
        });
    }
    for (set, path) in [
        (DataSet::Train, Some(&plan.train)),
        (DataSet::Empty, plan.empty.as_ref()),
    ] {
        let n = sets.of(set).len();
        if let Some(path) = path
            && n == skipped[set as usize].len()
        {
            return Err(TrainError::NoPairs {
                path: path.clone(),
                held_out: sets.of(DataSet::Eval).len(),
            });
        }
    }
    Ok(PerSet(skipped))
}
