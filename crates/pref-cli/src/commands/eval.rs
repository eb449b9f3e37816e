//! `pref eval`: evaluates models on problems and on pairs. In: models, and rows. Out: shares of solved problems, reward
//! accuracies and KL divergences with their intervals, and each model beside the first one.

mod args;
mod pairs;
mod problems;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::command_line::exit_code;
use crate::json_file;
use crate::model::{Hashes, ModelSource};
use crate::progress;
use crate::rows::hash_of_rows;
pub(crate) use args::Args;
use pairs::{Pairs, Reference};
use problems::solve;
use report::{ModelReport, Report};

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(
        args.data.is_some() || args.pairs.is_some(),
        "there is nothing to evaluate on; give problems with --data, or pairs with --pairs"
    );
    ensure!(
        args.beta.is_finite() && args.beta > 0.0,
        "--beta must be above 0, found {}",
        args.beta
    );
    if let Some(k) = args.k.iter().find(|&&k| k > args.n) {
        anyhow::bail!(
            "--k {k}: there are only {} samples of a problem; raise --n",
            args.n
        );
    }
    let sources = args
        .models
        .iter()
        .map(|model| ModelSource::new(model, None));
    let sources = sources.collect::<Result<Vec<ModelSource>>>()?;
    let reference = match &args.reference {
        Some(folder) => Some(ModelSource::new(folder, None)?),
        // A single model is no reference of itself.
        None if args.models.len() > 1 => Some(ModelSource::new(&args.models[0], None)?),
        None => None,
    };
    ensure!(
        args.pairs.is_none() || reference.is_some(),
        "the rewards of --pairs need a reference; name it with --reference, or give it as the first of several models"
    );
    exit_code(evaluate(args, &sources, reference))
}

fn evaluate(args: &Args, sources: &[ModelSource], reference: Option<ModelSource>) -> Result<()> {
    let hash_of_reference = reference.as_ref().map(ModelSource::hashes).transpose()?;
    let mut reference = reference.map(Reference::new);
    let hash = |data: &Option<PathBuf>| data.as_deref().map(hash_of_rows).transpose();
    let rows = [hash(&args.data)?, hash(&args.pairs)?];
    let mut report = Report::new(u64::from(args.seed), args.beta, args.ks());
    for (i, source) in sources.iter().enumerate() {
        let folder = args.output.join(format!("model-{}", i + 1));
        progress::note(&format!("model {}: {}", i + 1, args.models[i].display()));
        let is_reference = reference.as_ref().is_some_and(|r| r.source == *source);
        let hashes = match (is_reference, &hash_of_reference) {
            (true, Some(hashes)) => hashes.clone(),
            _ => source.hashes()?,
        };
        remember(args, &folder, &hashes, hash_of_reference.as_ref(), &rows)?;
        let mut model = ModelReport::new(args.models[i].clone());
        if let Some(data) = &args.data {
            model.answers = Some(solve(args, data, &args.models[i], &folder)?);
        }
        if let Some(reference) = &mut reference {
            let mut pairs = Pairs {
                args,
                folder: &folder,
                source,
                reference,
            };
            if let Some(data) = &args.pairs {
                model.margins = Some(pairs.margins(data)?);
            }
            if model.answers.is_some() {
                model.divergence = pairs.divergence()?;
            }
        }
        report.add(model)?;
    }
    json_file::write(&args.output.join("result.json"), &report.to_json())?;
    report.print(args.json)
}

/// Records what the files of a model are made with, or compares it with the record of an earlier start. `model` and
/// `reference` are the hashes of both, and `rows` those of the problems and of the pairs.
fn remember(
    args: &Args,
    folder: &Path,
    model: &Hashes,
    reference: Option<&Hashes>,
    rows: &[Option<String>; 2],
) -> Result<()> {
    let now = json!({
        "model": model,
        "reference": reference,
        "data": args.data,
        "pairs": args.pairs,
        "content of data": rows[0],
        "content of pairs": rows[1],
        "n": args.n,
        "sample": args.sample.to_string(),
        "check": args.check.to_string(),
        "seed": args.seed,
    });
    let path = folder.join("origin.json");
    let Some(before) = json_file::read::<Value>(&path)? else {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        return json_file::write(&path, &now);
    };
    let changed = json_file::changed(&before, &now);
    ensure!(
        changed.is_empty(),
        "{} was made with another {}; remove the folder to evaluate again, or choose another --output",
        folder.display(),
        changed.join(", ")
    );
    Ok(())
}
