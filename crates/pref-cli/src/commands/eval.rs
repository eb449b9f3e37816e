//! `pref eval`: evaluates models on problems and on pairs. In: models, and rows. Out: shares of solved problems, reward
//! accuracies and KL divergences with their intervals, and each model beside the first one.

mod args;
mod files;
mod pairs;
mod problems;
mod report;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_train::model_hash;
use serde_json::{Value, json};

use crate::model::ModelSource;
use crate::progress;
pub(crate) use args::Args;
use files::write;
use pairs::Pairs;
use problems::{End, Problems};
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
    let mut report = Report::new(u64::from(args.seed), args.beta, args.ks());
    for (i, source) in sources.iter().enumerate() {
        let folder = args.output.join(format!("model-{}", i + 1));
        progress::note(&format!("model {}: {}", i + 1, args.models[i].display()));
        remember(args, &folder, source, reference.as_ref())?;
        let mut model = ModelReport::new(args.models[i].clone());
        if let Some(data) = &args.data {
            let problems = Problems {
                args,
                data,
                source: &args.models[i],
                folder: &folder,
            };
            match problems.solve()? {
                End::Stopped(code) => return Ok(code),
                End::Solved(answers) => model.answers = Some(answers),
            }
        }
        if let Some(reference) = &reference {
            let pairs = Pairs {
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
    let result = report.to_json();
    write(&args.output.join("result.json"), &result)?;
    report.print(args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Records what the files of a model are made with, or compares it with the record of an earlier start.
fn remember(
    args: &Args,
    folder: &Path,
    source: &ModelSource,
    reference: Option<&ModelSource>,
) -> Result<()> {
    let hash = |source: &ModelSource| -> Result<Value> {
        let adapter = source.adapter.as_deref().map(model_hash).transpose()?;
        Ok(json!([model_hash(&source.folder)?, adapter]))
    };
    let now = json!({
        "model": hash(source)?,
        "reference": reference.map(hash).transpose()?,
        "data": args.data,
        "pairs": args.pairs,
        "n": args.n,
        "sample": args.sample.to_string(),
        "check": args.check.to_string(),
        "seed": args.seed,
    });
    let path = folder.join("origin.json");
    let before = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).with_context(|| path.display().to_string())?,
        Err(_) => Value::Null,
    };
    if before.is_null() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        return write(&path, &now);
    }
    let now = now.as_object().into_iter().flatten();
    let changed: Vec<&str> = now
        .filter(|(name, value)| before.get(name.as_str()) != Some(*value))
        .map(|(name, _)| name.as_str())
        .collect();
    ensure!(
        changed.is_empty(),
        "{} was made with another {}; remove the folder to evaluate again, or choose another --output",
        folder.display(),
        changed.join(", ")
    );
    Ok(())
}
