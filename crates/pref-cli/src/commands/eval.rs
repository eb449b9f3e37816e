//! `pref eval`: evaluates models on problems and on pairs. In: models, and rows. Out: shares of solved problems, reward
//! accuracies and KL divergences with their intervals, and each model beside the first one.

mod args;
mod judged;
mod pairs;
mod problems;
mod report;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::command_line::exit_code;
use crate::json_file;
use crate::model::{Hashes, ModelSource};
use crate::progress;
use crate::rows::hash_of_rows;
pub(crate) use args::Args;
use judged::{Baseline, Judged};
use pairs::{Pairs, Reference};
use problems::solve;
use report::{ModelReport, Report};

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(
        args.data.is_some() || args.pairs.is_some() || args.prompts.is_some(),
        "there is nothing to evaluate on; give problems with --data, pairs with --pairs, or prompts and a judge with --prompts and --judge"
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
    ensure!(
        args.prompts.is_none() || args.baseline.is_some() || args.models.len() > 1,
        "the win rates of a single model need answers to compare with; give a second model, or --baseline"
    );
    exit_code(evaluate(args, &sources, reference))
}

fn evaluate(args: &Args, sources: &[ModelSource], reference: Option<ModelSource>) -> Result<()> {
    let hash_of_reference = reference.as_ref().map(ModelSource::hashes).transpose()?;
    let mut reference = reference.map(Reference::new);
    let mut judged = judged(args)?;
    let rows = contents(args)?;
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
        if let Some(judged) = &mut judged {
            model.standing = judged.standing(&args.models[i], &folder)?;
        }
        report.add(model)?;
    }
    json_file::write(&args.output.join("result.json"), &report.to_json())?;
    report.print(args.json)
}

/// Hashes of the rows that the models are evaluated on.
fn contents(args: &Args) -> Result<Map<String, Value>> {
    let named = [
        ("data", &args.data),
        ("pairs", &args.pairs),
        ("prompts", &args.prompts),
        ("baseline", &args.baseline),
    ];
    let mut hashes = Map::new();
    for (name, path) in named {
        if let Some(path) = path {
            hashes.insert(format!("content of {name}"), json!(hash_of_rows(path)?));
        }
    }
    Ok(hashes)
}

/// The judge of the win rates, if there is one.
fn judged(args: &Args) -> Result<Option<Judged<'_>>> {
    let (Some(prompts), Some(judge)) = (&args.prompts, &args.judge) else {
        return Ok(None);
    };
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    Ok(Some(Judged {
        args,
        prompts,
        judge,
        baseline,
    }))
}

/// Records what the files of a model are made with, or compares it with the record of an earlier start. `model` and
/// `reference` are the hashes of both, and `rows` those of the rows.
fn remember(
    args: &Args,
    folder: &Path,
    model: &Hashes,
    reference: Option<&Hashes>,
    rows: &Map<String, Value>,
) -> Result<()> {
    let mut now = json!({
        "model": model,
        "reference": reference,
        "data": args.data,
        "pairs": args.pairs,
        "prompts": args.prompts,
        "baseline": args.baseline,
        "n": args.n,
        "sample": args.sample.to_string(),
        "check": args.check.to_string(),
        "seed": args.seed,
    });
    if let Some(fields) = now.as_object_mut() {
        fields.extend(rows.clone());
    }
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
