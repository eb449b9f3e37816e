//! `pref iterate`: sample, check or judge, pair, train, and again with the trained model. In: prompts and a model. Out: a
//! folder for each round, with everything that the commands of the round write, and how many problems each model solves.

mod rounds;
mod solved;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use pref_model::write_file;
use pref_train::Ranks;
use serde_json::{Value, json};

use crate::command_line::Words;
use crate::device::DeviceArgs;
use crate::model::whole_model;
use crate::progress;
use rounds::Rounds;

/// Improve a model in rounds: sample answers, check or judge them, make pairs, train
///
/// Each round uses the model of the round before, which is also the reference of its training. A round runs
/// `pref sample`, `pref check` and `pref pairs` (with --judge: `pref annotate rank`), and `pref train`. Everything is in
/// OUTPUT/round-N. A run that was stopped or killed goes on with the same command; more --rounds continue a run that
/// has ended. With --eval, each model solves the problems of a file, greedily, before the first round and after each.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows with `prompt` and, without --judge, `answer`: a file, a folder, a pattern, or hub:OWNER/NAME
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Model to start from: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// Folder for everything that the run writes
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Number of rounds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Rows with `prompt` and `answer` that every model solves, to compare the rounds
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Judge of the answers, as in `pref annotate`: a URL, rules:gsm8k, … Without it the final answers are checked
    #[arg(long, value_name = "JUDGE")]
    judge: Option<String>,
    /// Flags for `pref sample`, in quotes, such as '--n 8 --max-new-tokens 256'; those of the evaluation as well
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "--n 8",
        allow_hyphen_values = true
    )]
    sample: Words,
    /// Flags for `pref check`, such as '--answers gsm8k'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    check: Words,
    /// Flags for `pref pairs`, such as '--choose nearest --per-prompt 2'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pairs: Words,
    /// Flags for `pref annotate rank`, such as '--judge-model NAME --set work.by=rating'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    rank: Words,
    /// Flags for `pref train`, such as '--objective adpo --set train.epochs=1'; dpo with an SFT term of 1 by default
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "--objective dpo --set objective.sft-coefficient=1",
        allow_hyphen_values = true
    )]
    train: Words,
    /// Seed of the sampling, the pairing and the training; round N adds N
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args, ranks: &Rc<dyn Ranks>) -> Result<ExitCode> {
    ensure!(
        args.judge.is_some() || args.rank.is_empty(),
        "--rank has flags for a judge; name the judge with --judge"
    );
    ensure!(
        args.judge.is_none() || (args.check.is_empty() && args.pairs.is_empty()),
        "--check and --pairs are for checked answers, and --judge judges them; leave one of both out"
    );
    let model = whole_model(&args.model)?;
    remember(args)?;
    let rounds = Rounds { args, model, ranks };
    rounds.run()
}

/// Records what the run is made with, or compares it with the record of an earlier start.
fn remember(args: &Args) -> Result<()> {
    let path = args.output.join("iterate.json");
    let mut now = json!({
        "data": args.data,
        "model": args.model,
        "judge": args.judge,
        "sample": args.sample.to_string(),
        "train": args.train.to_string(),
        "seed": args.seed,
    });
    let judged = [("rank", &args.rank)];
    let checked = [("check", &args.check), ("pairs", &args.pairs)];
    let flags = match args.judge {
        Some(_) => &judged[..],
        None => &checked[..],
    };
    for (name, words) in flags {
        now[*name] = json!(words.to_string());
    }
    match fs::read_to_string(&path) {
        Ok(text) => {
            let before: Value =
                serde_json::from_str(&text).with_context(|| path.display().to_string())?;
            if let Some((name, value)) = difference(&before, &now) {
                bail!(
                    "{} was begun with {name} {value}, and now it is {}; give the same, or choose another --output",
                    args.output.display(),
                    now[&name]
                );
            }
            progress::note(&format!("{}: going on", args.output.display()));
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            ensure!(
                fs::read_dir(&args.output).map_or(true, |mut entries| entries.next().is_none()),
                "{} has files, and none of them is iterate.json of an earlier run; choose another --output",
                args.output.display()
            );
            fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
            write_file(&path, format!("{now:#}\n").as_bytes())
                .with_context(|| path.display().to_string())
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The first setting that differs, with its value before.
fn difference(before: &Value, now: &Value) -> Option<(String, Value)> {
    let now = now.as_object()?;
    let changed = now
        .iter()
        .find(|(name, value)| before.get(*name) != Some(*value))?;
    let (name, _) = changed;
    Some((name.clone(), before.get(name).cloned().unwrap_or_default()))
}
