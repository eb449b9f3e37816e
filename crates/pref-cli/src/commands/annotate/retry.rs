//! `pref annotate retry`: asks what has failed again. In: a store and a judge. Out: more replies in the store.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use pref_annotate::{JobId, Store, Template, Work};

use super::ask::{JudgeArgs, ask_open, runtime, unfinished};
use super::judge::AnyJudge;
use super::output::write;
use crate::progress::note;
use crate::rows::Output;

/// Ask again what has failed or is still open
///
/// `pref annotate export` then writes the rows, or --output does.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The store
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Number of the job, from `pref annotate status`; the newest one by default
    #[arg(long, value_name = "N")]
    job: Option<i64>,
    #[command(flatten)]
    judge: JudgeArgs,
    /// Output file for all rows of the job that are complete; the ending of its name says the format
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let mut store = Store::open_existing(&args.store)?;
    let job = store.job(args.job)?;
    let mut settings = args.judge.settings()?;
    let name = settings.judge.name.as_deref().unwrap_or_default();
    let is_server_or_replay = name.starts_with("http") || name == "replay";
    if settings.judge.model.is_none() && is_server_or_replay {
        settings.judge.model = Some(job.model.clone());
    }
    let work: Work = serde_json::from_value(job.settings["work"].clone())?;
    let template = match (work.template(), &settings.work.template) {
        (Some(kind), Some(path)) => Some(Template::from_file(kind, path)?),
        (Some(kind), None) => Some(kind.template()?),
        (None, _) => None,
    };
    let hash = template.as_ref().map_or("", |template| &template.hash);
    ensure!(
        hash == job.template_hash,
        "job {} was asked with another template ({}); give its file with --template",
        job.id,
        job.template
    );
    let runtime = runtime()?;
    let judge = AnyJudge::new(&settings, &store, &runtime, args.judge.device.device)?;
    ensure!(
        judge.model() == job.model,
        "job {} was asked of {}, and this judge is {}; give the same model, or begin a job with another one",
        job.id,
        job.model,
        judge.model()
    );
    let input = std::slice::from_ref(&args.store);
    let output = args.output.as_deref();
    let output = output
        .map(|path| Output::new(Some(path), input))
        .transpose()?;
    let id = JobId(job.id);
    let n = store.reopen(id)?;
    note(&format!("{n} failed questions are open again"));
    let end = ask_open(
        &mut store,
        id,
        &judge,
        template.as_ref(),
        &settings,
        &runtime,
        false,
        args.judge.batch,
    )?;
    if let Some(code) = unfinished(end, &args.store)? {
        return Ok(code);
    }
    match output {
        Some(output) => write(&store, &job, output, false),
        None => Ok(ExitCode::SUCCESS),
    }
}
