//! `pref iterate`: sample, check or judge, pair, train, and again with the trained model. In: prompts and a model. Out: a
//! folder for each round, with everything that the commands of the round write, and how many problems each model solves.

mod args;
mod rounds;
mod solved;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result, bail, ensure};
use pref_train::{Ranks, model_hash};
use serde_json::{Value, json};

use crate::command_line::exit_code;
use crate::json_file;
use crate::model::whole_model;
use crate::progress;
use crate::rows::hash_of_rows;
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
    remember(args, &model)?;
    let rounds = Rounds { args, model, ranks };
    exit_code(rounds.run())
}

/// Records what the run is made with, or compares it with the record of an earlier start. Problems for the evaluation may be
/// added later.
fn remember(args: &Args, model: &Path) -> Result<()> {
    let path = args.output.join("iterate.json");
    let mut now = json!({
        "data": args.data,
        "content of data": hash_of_rows(&args.data)?,
        "model": args.model,
        "content of model": model_hash(model)?,
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
    if let Some(eval) = &args.eval {
        now["eval"] = json!(eval);
        now["content of eval"] = json!(hash_of_rows(eval)?);
    }
    if let Some(mut before) = json_file::read::<Value>(&path)? {
        let is_eval_new = args.eval.is_some() && before.get("eval").is_none();
        if is_eval_new {
            for name in ["eval", "content of eval"] {
                before[name] = now[name].clone();
            }
        }
        if let Some(&name) = json_file::changed(&before, &now).first() {
            let output = args.output.display();
            if let Some(what) = name.strip_prefix("content of ") {
                bail!(
                    "the content of {} has changed since {output} was begun, so its rounds would not be comparable; restore it, or choose another --output",
                    now[what].as_str().unwrap_or(what)
                );
            }
            bail!(
                "{output} was begun with {name} {}, and now it is {}; give the same, or choose another --output",
                before[name],
                now[name]
            );
        }
        if is_eval_new {
            json_file::write(&path, &before)?;
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
