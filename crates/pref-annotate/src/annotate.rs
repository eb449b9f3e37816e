//! The stages of annotation in one place. In: rows, a judge, a store. Out: a job, replies in the store, and a report.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pref_data::Record;

use crate::judge::{ChatJudge, Judge};
use crate::run::{BatchRun, Observer, Run, RunError, RunOptions, RunReport};
use crate::store::{JobId, Store};
use crate::templates::Template;
use crate::work::{Maker, WorkError, review};

/// Puts rows and their questions into a store. Nothing is asked. The same rows with the same settings are the same job.
///
/// # Errors
/// [`WorkError`] if a row cannot be annotated, or the store cannot be written.
pub fn put_rows(
    store: &mut Store,
    maker: &Maker<'_>,
    model: &str,
    records: Vec<Record>,
) -> Result<JobId, WorkError> {
    let (rows, prepared) = maker.rows(records)?;
    store.put_job(&maker.job(model), &rows, |i| {
        maker.item(&rows[i], &prepared[i])
    })
}

/// Reads the replies of a job that were not read with the present reader of replies. Repairs of invalid ones become open
/// units.
///
/// # Errors
/// [`RunError`] if the store or the template fails.
pub fn read_replies(
    store: &mut Store,
    job: JobId,
    template: &Template,
    model: &str,
) -> Result<u64, RunError> {
    store.review(job, review(template, model))
}

/// Asks the open questions of a job.
///
/// # Errors
/// [`RunError`] if the store or the template fails. Failures of the judge are in the report and in the store.
pub async fn ask<J: Judge>(
    store: &Store,
    job: JobId,
    judge: &J,
    template: &Template,
    options: RunOptions,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<RunReport, RunError> {
    let run = Run {
        judge,
        store,
        job,
        options,
        stop,
    };
    run.run(review(template, judge.model()), observer).await
}

/// Asks the open questions of a job through the batch interface of a server, whose state is asked for every `poll`.
///
/// # Errors
/// As [`ask`].
#[expect(
    clippy::too_many_arguments,
    reason = "they are those of `ask`, and `poll`"
)]
pub async fn ask_in_batches(
    store: &mut Store,
    job: JobId,
    judge: &ChatJudge,
    template: &Template,
    options: RunOptions,
    poll: Duration,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<RunReport, RunError> {
    let mut run = BatchRun {
        judge,
        store,
        job,
        options,
        poll,
        stop,
    };
    run.run(review(template, judge.model()), observer).await
}
