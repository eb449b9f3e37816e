//! `pref iterate`: sample, check or judge, pair, train, and again with the trained model. In: prompts and a model. Out: a
//! folder for each round, with everything that the commands of the round write, and how many problems each model solves.

mod args;
mod rounds;
mod solved;

use std::fs;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use pref_train::Ranks;
use serde_json::{Value, json};

use crate::command_line::exit_code;
use crate::json_file;
use crate::model::whole_model;
use crate::progress;
pub(crate) use args::Args;
use rounds::Rounds;

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
    exit_code(rounds.run())
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
    if let Some(before) = json_file::read::<Value>(&path)? {
        if let Some(&name) = json_file::changed(&before, &now).first() {
            bail!(
                "{} was begun with {name} {}, and now it is {}; give the same, or choose another --output",
                args.output.display(),
                before[name],
                now[name]
            );
        }
        progress::note(&format!("{}: going on", args.output.display()));
        return Ok(());
    }
    ensure!(
        fs::read_dir(&args.output).map_or(true, |mut entries| entries.next().is_none()),
        "{} has files, and none of them is iterate.json of an earlier run; choose another --output",
        args.output.display()
    );
    fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    json_file::write(&path, &now)
}
