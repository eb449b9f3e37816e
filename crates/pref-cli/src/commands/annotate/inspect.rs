//! `pref annotate status|export|agreement|gc|template`. In: a store. Out: what it holds, its rows, or less of it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_annotate::{Export, JobId, Store, TemplateKind};
use pref_data::Record;
use serde_json::json;

use super::bar;
use super::output::write;
use crate::progress::note;
use crate::rows::{Output, ReadArgs, Rows, write_lines};

/// Show the jobs of a store, their questions, what they cost, and what has failed
#[derive(clap::Args)]
pub(super) struct StatusArgs {
    /// The store
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Number of failures that are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    failures: usize,
    /// Print one JSON line for each job
    #[arg(long)]
    json: bool,
}

/// Write the rows of a job that are complete
#[derive(clap::Args)]
pub(super) struct ExportArgs {
    /// The store
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Number of the job, from `pref annotate status`; the newest one by default
    #[arg(long, value_name = "N")]
    job: Option<i64>,
    /// Output file; the ending of its name says the format. JSON Lines on stdout by default
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the report as one JSON line on stdout; needs --output
    #[arg(long, requires = "output")]
    json: bool,
}

/// Remove all jobs but the newest one of each command
///
/// Replies stay, because they were paid for, unless --unused is given.
#[derive(clap::Args)]
pub(super) struct GcArgs {
    /// The store
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Also remove the questions and replies that no job needs any more
    #[arg(long)]
    unused: bool,
}

/// Print a template of questions, to be edited and given with --template
#[derive(clap::Args)]
pub(super) struct TemplateArgs {
    /// scores, bridge, compare, rate, parts or weights
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn status(args: &StatusArgs) -> Result<ExitCode> {
    let store = Store::open_existing(&args.store)?;
    let spend = store.spend()?;
    let mut out = std::io::stdout().lock();
    for job in store.jobs()? {
        let id = JobId(job.id);
        let counts = store.counts(id)?;
        let failures = store.failures(id)?;
        let models = store.drift(id)?;
        if args.json {
            let line = json!({"job": job, "units": counts, "failures": failures, "models": models});
            writeln!(out, "{line}")?;
            continue;
        }
        writeln!(
            out,
            "job {}: {} of {} rows by {}, template {}",
            job.id, job.command, job.n_items, job.model, job.template
        )?;
        writeln!(
            out,
            "  {} questions answered, {} open, {} failed, {} of them repairs",
            counts.answered, counts.open, counts.failed, counts.repairs
        )?;
        for model in models {
            writeln!(
                out,
                "  {} replies of {} ({})",
                model.n,
                model.model.as_deref().unwrap_or("a model without a name"),
                model.fingerprint.as_deref().unwrap_or("no fingerprint")
            )?;
        }
        for failure in failures.iter().take(args.failures) {
            writeln!(out, "  failed: {}: {}", failure.place, failure.reason)?;
        }
        if failures.len() > args.failures {
            let more = failures.len() - args.failures;
            writeln!(
                out,
                "  and {more} more; --failures {} lists all",
                failures.len()
            )?;
        }
    }
    if !args.json {
        let tokens = bar::tokens(spend.prompt, spend.cached, spend.completion);
        writeln!(
            out,
            "spent: {} requests, {tokens}, cost {}",
            spend.requests,
            bar::money(spend.money)
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn export(args: &ExportArgs) -> Result<ExitCode> {
    let store = Store::open_existing(&args.store)?;
    let job = store.job(args.job)?;
    let input = std::slice::from_ref(&args.store);
    let output = Output::new(args.output.as_deref(), input)?;
    write(&store, &job, output, args.json)
}

pub(super) fn gc(args: &GcArgs) -> Result<ExitCode> {
    let mut store = Store::open_existing(&args.store)?;
    let (jobs, replies) = store.gc(args.unused)?;
    note(&format!("{jobs} jobs and {replies} replies removed"));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn template(args: &TemplateArgs) -> Result<ExitCode> {
    let kind = TemplateKind::ALL
        .into_iter()
        .find(|kind| kind.name() == args.name);
    let kind = kind.with_context(|| {
        let names = TemplateKind::ALL.map(TemplateKind::name).join(", ");
        format!("there is no template {}; there are {names}", args.name)
    })?;
    write!(std::io::stdout(), "{}", kind.text())?;
    Ok(ExitCode::SUCCESS)
}

/// Compare the scores of a judge with the labels of people
///
/// The labels are rows in the form that `pref annotate scores` writes: the same segments, with the scores of a person. Rows
/// of several people for one pair are compared one by one, and by their majority. Without labels only the distributions
/// of the judge's scores are shown.
#[derive(clap::Args)]
pub(super) struct AgreementArgs {
    /// The store
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Number of the job, from `pref annotate status`; the newest one by default
    #[arg(long, value_name = "N")]
    job: Option<i64>,
    /// Labelled rows: a file (JSON Lines, JSON, CSV, Parquet, Arrow), a folder or a pattern
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// File for an HTML page with the same numbers and a picture of the distributions
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

pub(super) fn agreement(args: &AgreementArgs) -> Result<ExitCode> {
    let store = Store::open_existing(&args.store)?;
    let job = store.job(args.job)?;
    ensure!(
        job.command == "scores",
        "job {} is of `pref annotate {}`; only scores can be compared, --job chooses another one",
        job.id,
        job.command
    );
    let mut judged = Vec::new();
    Export::new(&store, &job)?.each_row(|row| {
        judged.push(row.clone());
        Ok(())
    })?;
    let mut labels = Vec::new();
    if let Some(file) = &args.labels {
        let rejects = args.read.each(std::slice::from_ref(file), |rows| {
            match rows {
                Rows::Pairs(rows) => labels.extend(rows.into_iter().map(Record::Pair)),
                Rows::Examples(rows) => labels.extend(rows.into_iter().map(Record::Example)),
            }
            Ok(())
        })?;
        args.read.report_skipped(&rejects)?;
    }
    let found = pref_annotate::agreement(&judged, &labels);
    if let Some(page) = &args.page {
        write_lines(page, std::iter::once(Ok(found.page())))?;
    }
    let mut out = std::io::stdout().lock();
    match args.json {
        true => writeln!(out, "{}", serde_json::to_string(&found)?)?,
        false => write!(out, "{found}")?,
    }
    Ok(ExitCode::SUCCESS)
}
