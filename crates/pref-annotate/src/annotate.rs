//! The stages of annotation in one place. In: rows, a judge, a store. Out: a job, replies in the store, and a report.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pref_data::{PromptRow, Record};
use serde_json::{Value, json};

use crate::judge::{ChatJudge, Judge};
use crate::run::{BatchRun, Observer, Run, RunError, RunOptions, RunReport};
use crate::store::{JobId, NewJob, Store};
use crate::templates::Template;
use crate::work::{ANSWERS_VERSION, Maker, Samples, Work, WorkError, review};

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

/// Puts prompts into a store, each with a question for every answer. Nothing is asked. The same prompts with the same settings
/// are the same job, and an answer that the store has is not asked for again, also if `n` was another one.
///
/// # Errors
/// [`WorkError`] if a row cannot be asked, or the store cannot be written.
pub fn put_prompts(
    store: &mut Store,
    samples: &Samples,
    model: &str,
    prompts: &[PromptRow],
) -> Result<JobId, WorkError> {
    let work = Work::Samples(samples.clone());
    let repeats = samples.repeats(prompts)?;
    let job = NewJob {
        command: work.command().to_owned(),
        model: model.to_owned(),
        settings: json!({ "work": work }),
        template: ANSWERS_VERSION.to_owned(),
        template_hash: String::new(),
    };
    let rows: Vec<Value> = prompts.iter().map(|row| json!(row.fields)).collect();
    store.put_job(&job, &rows, |i| samples.item(&prompts[i], repeats[i]))
}

/// Reads the replies of a job that were not read with the present reader of replies. Repairs of invalid ones become open
/// units.
///
/// # Errors
/// [`RunError`] if the store or the template fails.
pub fn read_replies(
    store: &mut Store,
    job: JobId,
    template: Option<&Template>,
    model: &str,
) -> Result<u64, RunError> {
    store.review(job, review(template, model))
}

/// Asks the open questions of a job. An invalid reply is sent back with the words of the template; work without a template
/// has no invalid replies.
///
/// # Errors
/// [`RunError`] if the store or the template fails. Failures of the judge are in the report and in the store.
pub async fn ask<J: Judge>(
    store: &Store,
    job: JobId,
    judge: &J,
    template: Option<&Template>,
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
    template: Option<&Template>,
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
