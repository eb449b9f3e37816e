//! Answers of a model behind a chat server. In: rows with prompts, and a URL. Out: replies in a store, and the rows with
//! answers, one for each sample.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use pref_annotate::{
    AnnotateSettings, Format, RequestSettings, Samples, Store, WorkSettings, put_prompts,
};
use pref_data::{PromptRow, read_prompts};

use super::args::Args;
use crate::commands::annotate::{AnyJudge, ask_open, runtime, store_path, unfinished, write};
use crate::progress;
use crate::rows::Output;

pub(super) fn run(args: &Args, url: &str) -> Result<ExitCode> {
    let settings = settings(args, url)?;
    let temperature = if args.greedy { 0.0 } else { args.temperature };
    let kwargs = args.chat_template_kwargs.clone().unwrap_or_default();
    let (sampling, drawing) = args.sampling.of_server(temperature, kwargs);
    let samples = Samples {
        n: args.n,
        seed: args.sampling.seed(),
        sampling,
        drawing,
    };
    samples.check()?;
    ensure!(
        !args.output.exists(),
        "{} already exists; move it away, or choose another --output",
        args.output.display()
    );
    let prompts = prompts(args, &samples)?;
    let folder = args.output.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let store_path = store_path(args.server.store.as_deref(), Some(&args.output));
    let mut store = Store::open(&store_path)?;
    let runtime = runtime()?;
    let judge = AnyJudge::new(&settings, &store, &runtime, args.device.device)?;
    if let AnyJudge::Chat(server) = &judge {
        server.takes(&samples.drawing)?;
    }
    let job = put_prompts(&mut store, &samples, judge.model(), &prompts)?;
    drop(prompts);
    let (is_dry_run, is_batch) = (args.server.dry_run, args.server.batch);
    let end = ask_open(
        &mut store, job, &judge, None, &settings, &runtime, is_dry_run, is_batch,
    )?;
    if is_dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(code) = unfinished(end, &store_path)? {
        return Ok(code);
    }
    let output = Output::new(Some(&args.output), std::slice::from_ref(&args.data))?;
    let job = store.job(Some(job.0))?;
    write(&store, &job, output, args.json)
}

/// The settings of the requests. How an answer is drawn is said by the flags alone.
fn settings(args: &Args, url: &str) -> Result<AnnotateSettings> {
    let server = &args.server;
    ensure!(
        url.starts_with("http://") || url.starts_with("https://"),
        "--server {url}: expected the URL of a chat server, such as http://localhost:8000/v1"
    );
    let mut settings = AnnotateSettings::read(server.config.as_deref(), &server.set)?;
    ensure!(
        settings.request == RequestSettings::default(),
        "the settings of the section request are for judges; say with --temperature, --top-p, --n and --max-new-tokens how answers are drawn"
    );
    ensure!(
        settings.work == WorkSettings::default(),
        "the settings of the section work are for judges, and an answer needs none of them; leave them out"
    );
    ensure!(
        settings.judge.format == Format::Auto,
        "judge.format says how a judgement is written, and an answer has no form; leave it out"
    );
    settings.judge.name = Some(url.to_owned());
    if server.server_model.is_some() {
        settings.judge.model.clone_from(&server.server_model);
    }
    Ok(settings)
}

/// The rows that can be asked.
fn prompts(args: &Args, samples: &Samples) -> Result<Vec<PromptRow>> {
    let mut prompts = Vec::new();
    let mut rejects = Vec::new();
    for row in read_prompts(std::slice::from_ref(&args.data), &args.rows.columns())? {
        let checked = row.map_err(anyhow::Error::from).and_then(|row| {
            samples.check_row(&row)?;
            Ok(row)
        });
        match checked {
            Ok(row) => prompts.push(row),
            Err(error) => rejects.push(args.rows.may_skip(error)?),
        }
    }
    if prompts.is_empty() {
        let first = rejects.first().map(|error| format!(": {error:#}"));
        bail!(
            "{} has no row with a prompt{}",
            args.data.display(),
            first.unwrap_or_default()
        );
    }
    let errors: Vec<String> = rejects.iter().map(progress::text_of).collect();
    args.rows.report_skipped(&errors)?;
    Ok(prompts)
}
