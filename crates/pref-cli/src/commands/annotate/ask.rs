//! `pref annotate scores|bridge|rank|compare|parts|weights`. In: rows and a judge. Out: replies in the store, and rows.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail, ensure};
use pref_annotate::{
    AnnotateSettings, Compare, End, JobId, Maker, Orders, RunReport, Scores, Store, Template,
    Weights, Work, ask, ask_in_batches, put_rows, read_replies,
};
use pref_data::Record;
use tokio::runtime::Runtime;

use super::bar::{self, Bar};
use super::judge::AnyJudge;
use super::output::write;
use crate::device::DeviceArgs;
use crate::model::model_folder;
use crate::progress::note;
use crate::rows::{Output, ReadArgs, Rows};
use crate::signals::{self, INTERRUPTED};

/// Flags of the commands that ask a judge.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "DATA", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    judge: JudgeArgs,
    /// Output file; the ending of its name says the format. JSON Lines on stdout by default
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The store; annotations.sqlite beside the output by default
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// For scores and compare: show the two answers in one order only, which halves the cost
    #[arg(long)]
    one_order: bool,
    /// For weights: folder of the model whose tokens are weighed
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Show the number of questions and their expected cost, and stop
    #[arg(long)]
    dry_run: bool,
    /// Print the report as one JSON line on stdout; needs --output
    #[arg(long, requires = "output")]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

/// Who is asked, and how.
#[derive(clap::Args)]
pub(super) struct JudgeArgs {
    /// URL of an OpenAI-compatible chat server (http://localhost:8000/v1), local:FOLDER for a decoder in this process, model:FOLDER for a reward model, rules:gsm8k, rules:arithmetic, or replay for replies in the store alone. The key of a server comes from PREF_API_KEY or OPENAI_API_KEY
    #[arg(long, value_name = "JUDGE")]
    judge: Option<String>,
    /// Model of the server; may be left out if it has only one
    #[arg(long, value_name = "NAME")]
    judge_model: Option<String>,
    /// File with the template of the questions; `pref annotate template` prints the one that is used by default
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Settings: a TOML file with the sections judge, request, concurrency, rate, retry, budget, price and work
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting, such as budget.requests=1000 or work.variant=degrade; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Send the questions through the batch interface of the server, which answers later and often for less
    #[arg(long)]
    pub(super) batch: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}

impl JudgeArgs {
    pub(super) fn settings(&self) -> Result<AnnotateSettings> {
        let mut settings = AnnotateSettings::read(self.config.as_deref(), &self.set)?;
        if self.judge.is_some() {
            settings.judge.name.clone_from(&self.judge);
        }
        if self.judge_model.is_some() {
            settings.judge.model.clone_from(&self.judge_model);
        }
        if self.template.is_some() {
            settings.work.template.clone_from(&self.template);
        }
        Ok(settings)
    }
}

/// Which command it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scores,
    Bridge,
    Rank,
    Compare,
    Parts,
    Weights,
}

pub(super) fn run(kind: Kind, args: &Args) -> Result<ExitCode> {
    let mut settings = args.judge.settings()?;
    if args.one_order {
        settings.work.orders = Orders::One;
    }
    if args.model.is_some() {
        settings.work.model.clone_from(&args.model);
    }
    let (work, template) = work(kind, &settings)?;
    let store_path = store_path(args.store.as_deref(), args.output.as_deref());
    let mut store = Store::open(&store_path)?;
    let runtime = runtime()?;
    let judge = AnyJudge::new(&settings, &store, &runtime, args.judge.device.device)?;
    let maker = Maker {
        work: &work,
        template: &template,
        sampling: settings.sampling(),
        basis: judge.basis(),
        division: settings.work.division,
    };
    let mut records = Vec::new();
    let rejects = args.read.each(&args.files, |rows| {
        match rows {
            Rows::Pairs(rows) => records.extend(rows.into_iter().map(Record::Pair)),
            Rows::Examples(rows) => records.extend(rows.into_iter().map(Record::Example)),
        }
        Ok(())
    })?;
    args.read.report_skipped(&rejects)?;
    // An output that cannot be written is found before anything is paid for.
    let output = Output::new(args.output.as_deref(), &args.files)?;
    let job = put_rows(&mut store, &maker, judge.model(), records)?;
    let end = ask_open(
        &mut store,
        job,
        &judge,
        Some(&template),
        &settings,
        &runtime,
        args.dry_run,
        args.judge.batch,
    )?;
    if args.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(code) = unfinished(end, &store_path)? {
        return Ok(code);
    }
    let job = store.job(Some(job.0))?;
    write(&store, &job, output, args.json)
}

/// What runs the requests to a server.
pub(crate) fn runtime() -> Result<Runtime> {
    // One thread serves all connections: a reply needs little work, and less than to wake another thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.context("cannot start the connections to the judge")
}

/// The store beside the output, or in the current folder.
pub(crate) fn store_path(store: Option<&Path>, output: Option<&Path>) -> PathBuf {
    match store {
        Some(path) => path.to_owned(),
        None => output
            .and_then(Path::parent)
            .unwrap_or(Path::new(""))
            .join("annotations.sqlite"),
    }
}

/// The work of a command, and the template of its questions.
fn work(kind: Kind, settings: &AnnotateSettings) -> Result<(Work, Template)> {
    let template = |kind: pref_annotate::TemplateKind| match &settings.work.template {
        Some(path) => Template::from_file(kind, path),
        None => kind.template(),
    };
    let work = match kind {
        Kind::Scores => {
            let template = template(pref_annotate::TemplateKind::Scores)?;
            let scores = Scores::new(&template, settings.work.orders, settings.request.samples)?;
            return Ok((Work::Scores(scores), template));
        }
        Kind::Bridge => Work::Bridge(settings.bridge()),
        Kind::Rank => Work::Rank(settings.rank()),
        Kind::Compare => Work::Compare(Compare {
            orders: settings.work.orders,
            samples: settings.request.samples,
        }),
        Kind::Parts => Work::Parts(pref_annotate::Parts {
            labels: settings.work.labels.clone(),
        }),
        Kind::Weights => {
            let model = settings.work.model.as_ref();
            let model = model.context(
                "`pref annotate weights` needs --model, the folder of the model whose tokens are weighed",
            )?;
            Work::Weights(Weights {
                most: settings.work.most_weight,
                model: model_folder(model)?,
            })
        }
    };
    let kind = work.template();
    let kind = kind.context("this work has no template")?;
    let template = template(kind)?;
    Ok((work, template))
}

#[expect(clippy::too_many_arguments, reason = "what two commands share")]
/// Says what will be asked and what it may cost, and asks. None if nobody is asked.
pub(crate) fn ask_open(
    store: &mut Store,
    job: JobId,
    judge: &AnyJudge,
    template: Option<&Template>,
    settings: &AnnotateSettings,
    runtime: &Runtime,
    is_dry_run: bool,
    is_batch: bool,
) -> Result<Option<RunReport>> {
    ensure!(
        !is_batch || matches!(judge, AnyJudge::Chat(_)),
        "--batch needs a chat server; give its URL as --judge"
    );
    let model = judge.model().to_owned();
    read_replies(store, job, template, &model)?;
    let counts = store.counts(job)?;
    let forecast = store.forecast(job, &model)?;
    let n_units = counts.open + counts.answered + counts.failed;
    note(&format!(
        "{n_units} questions to {model}: {} answered before, {} failed before, {} to ask",
        counts.answered, counts.failed, counts.open
    ));
    if counts.failed > 0 {
        note(&format!(
            "`pref annotate retry --store {}` asks the failed ones again",
            store.path().display()
        ));
    }
    let options = settings.run_options();
    if forecast.n_open > 0 && matches!(judge, AnyJudge::Chat(_)) {
        let usage = forecast.usage;
        let tokens = bar::tokens(usage.prompt, usage.cached, usage.completion);
        let from = match forecast.n_known {
            0 => "a rough estimate before the first reply".to_owned(),
            n => format!("from {n} replies"),
        };
        let cost = match options.prices.are_known() {
            true => format!(", cost {}", bar::money(options.prices.cost(usage).money)),
            false => String::new(),
        };
        note(&format!("expected: {tokens}{cost} ({from})"));
    }
    let spent = store.spend()?;
    if options.budget != pref_annotate::Limits::default() {
        note(&format!(
            "spent in this store so far: {} requests, {} tokens, cost {}",
            spent.requests,
            spent.tokens,
            bar::money(spent.money)
        ));
    }
    if is_dry_run || counts.open == 0 {
        return Ok(None);
    }
    let stop = signals::stop_flag()?;
    let stop: &AtomicBool = &stop;
    let mut bar = Bar::new(options.prices.are_known());
    let report = match judge {
        AnyJudge::Replay(_) => return Ok(None),
        AnyJudge::Chat(judge) if is_batch => runtime.block_on(ask_in_batches(
            store,
            job,
            judge,
            template,
            options,
            settings.poll(),
            stop,
            &mut bar,
        ))?,
        AnyJudge::Chat(judge) => {
            runtime.block_on(ask(store, job, &**judge, template, options, stop, &mut bar))?
        }
        AnyJudge::Rules(rules) => {
            runtime.block_on(ask(store, job, rules, template, options, stop, &mut bar))?
        }
        AnyJudge::Local(judge) => {
            runtime.block_on(ask(store, job, judge, template, options, stop, &mut bar))?
        }
        AnyJudge::Reward(judge) => {
            runtime.block_on(ask(store, job, judge, template, options, stop, &mut bar))?
        }
    };
    drop(bar);
    note(&format!(
        "{} in {:.1} s",
        bar::line(&report.progress, options.prices.are_known()),
        report.progress.elapsed.as_secs_f64()
    ));
    Ok(Some(report))
}

/// The exit code of a run that was stopped, or the error of one that could not go on.
pub(crate) fn unfinished(report: Option<RunReport>, store: &Path) -> Result<Option<ExitCode>> {
    let store = store.display();
    match report.map(|report| report.end) {
        None | Some(End::Complete) => Ok(None),
        Some(End::Stopped) => {
            note(&format!(
                "stopped; the same command continues, and `pref annotate export --store {store}` writes what is complete"
            ));
            Ok(Some(ExitCode::from(INTERRUPTED)))
        }
        Some(End::Budget { message } | End::Refused { message }) => {
            bail!(
                "{message}. The replies so far are in {store}; the same command continues, and `pref annotate export --store {store}` writes what is complete"
            )
        }
    }
}
