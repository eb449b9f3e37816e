//! Writes the result of a job. In: a job in a store. Out: rows that `pref train` reads, and what is missing.

use std::collections::BTreeMap;

use pref_data::Tokenizer;
use serde::Serialize;
use serde_json::Value;

use super::distance::Distances;
use super::error::WorkError;
use super::flips::{Flip, Flips};
use super::kind::Work;
use super::produced::Produced;
use crate::store::{Counts, Drift, Job, JobId, Outcome, Store};

/// What an output has, and what it lacks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExportReport {
    /// Rows of the job; of samples, the answers.
    pub n_items: u64,
    /// Rows of the output.
    pub n_rows: u64,
    /// Rows that were dropped, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Rows that lack a judgement because a question is still open.
    pub n_open: u64,
    /// Rows that lack a judgement because a question has failed.
    pub n_failed: u64,
    /// How often the order of two answers decides which one is better.
    pub flips: Vec<Flip>,
    /// How much rewritten answers differ.
    pub distances: Option<Distances>,
    /// Which models and states of a server answered.
    pub models: Vec<Drift>,
    /// The units of the job.
    pub units: Counts,
}

/// Makes the output of a job.
#[derive(Debug)]
pub struct Export<'a> {
    store: &'a Store,
    job: JobId,
    work: Work,
    tokenizer: Option<Tokenizer>,
}

impl<'a> Export<'a> {
    /// The output of a job.
    ///
    /// # Errors
    /// [`WorkError`] if the job's settings are damaged, or the tokenizer that it needs cannot be read.
    pub fn new(store: &'a Store, job: &Job) -> Result<Self, WorkError> {
        let work: Work = serde_json::from_value(job.settings["work"].clone()).map_err(|error| {
            WorkError::Setting {
                name: format!("job {}", job.id),
                message: format!("its settings are damaged: {error}"),
            }
        })?;
        let tokenizer = match &work {
            Work::Weights(weights) => Some(Tokenizer::from_folder(&weights.model)?),
            Work::Scores(_)
            | Work::Bridge(_)
            | Work::Rank(_)
            | Work::Compare(_)
            | Work::Parts(_)
            | Work::Samples(_) => None,
        };
        Ok(Self {
            store,
            job: JobId(job.id),
            work,
            tokenizer,
        })
    }

    /// Gives each row of the output to `sink`, in the order of the data.
    ///
    /// # Errors
    /// [`WorkError`], and the errors of `sink`.
    pub fn each_row(
        &self,
        mut sink: impl FnMut(&Value) -> Result<(), WorkError>,
    ) -> Result<ExportReport, WorkError> {
        let mut report = ExportReport::default();
        let mut flips = Flips::default();
        let mut distances = Distances::default();
        self.store.each_item(self.job, |item| {
            if let Work::Samples(samples) = &self.work {
                report.n_items += item.units.len() as u64;
                let drawn = samples.rows(self.store, item, |row| {
                    report.n_rows += 1;
                    sink(row)
                })?;
                report.n_open += drawn.n_open;
                report.n_failed += drawn.n_failed;
                return Ok::<(), WorkError>(());
            }
            report.n_items += 1;
            let mut outcomes = Vec::with_capacity(item.units.len());
            for (name, unit) in item.units {
                outcomes.push((name, self.store.outcome(unit)?));
            }
            let produced = match &self.work {
                Work::Scores(scores) => whole(scores.row(item.row, &outcomes, &mut flips)),
                Work::Bridge(bridge) => bridge.row(item.row, &outcomes, &mut distances),
                Work::Rank(rank) => rank.row(&item.row, &outcomes),
                Work::Compare(compare) => whole(compare.row(item.row, &outcomes, &mut flips)),
                Work::Parts(parts) => whole(parts.row(item.row, &outcomes)),
                Work::Weights(weights) => match &self.tokenizer {
                    Some(tokenizer) => {
                        whole(weights.row(item.row, &item.place, &outcomes, tokenizer)?)
                    }
                    None => Produced::Incomplete,
                },
                Work::Samples(_) => Produced::Incomplete,
            };
            match produced {
                Produced::Row(row) => {
                    report.n_rows += 1;
                    sink(&row)?;
                }
                Produced::Dropped(reason) => *report.dropped.entry(reason).or_default() += 1,
                Produced::Incomplete => {
                    let is_open = outcomes
                        .iter()
                        .any(|(_, outcome)| *outcome == Outcome::Open);
                    match is_open {
                        true => report.n_open += 1,
                        false => report.n_failed += 1,
                    }
                }
            }
            Ok::<(), WorkError>(())
        })?;
        report.flips = flips.rates();
        report.distances = (distances.n > 0).then_some(distances);
        report.models = self.store.drift(self.job)?;
        report.units = self.store.counts(self.job)?;
        Ok(report)
    }
}

fn whole(row: Option<Value>) -> Produced {
    row.map_or(Produced::Incomplete, Produced::Row)
}
