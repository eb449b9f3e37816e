//! `pref eval`: evaluates models on problems and on pairs. In: models, and rows. Out: shares of solved problems, reward
//! accuracies and KL divergences with their intervals, and each model beside the first one.

mod pairs;
mod problems;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_model::write_file;
use pref_train::model_hash;
use serde_json::{Value, json};

use crate::command_line::Words;
use crate::device::DeviceArgs;
use crate::model::ModelSource;
use crate::progress;
use pairs::Pairs;
use problems::{End, Problems};
use report::{ModelReport, Report};

/// Evaluate models: problems solved, pass@k, maj@k, reward accuracy, KL to a reference
///
/// With --data, every model solves the problems, once greedily and --n times by sampling, and the final answers are
/// checked. With --pairs, the implicit rewards of both answers are computed, with --reference or else the first model
/// as reference. Every share has a 95 % interval, and every model is compared with the first one on the same rows. The
/// answers are in OUTPUT; the same command continues a run that was stopped or killed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Models: folders in Hugging Face's layout, adapter folders, hub:OWNER/NAME or hub:OWNER/NAME@REVISION. The others are compared with the first
    #[arg(value_name = "MODEL", required = true)]
    models: Vec<PathBuf>,
    /// Problems: rows with `prompt` and `answer`
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Pairs: rows with `prompt`, `chosen` and `rejected`
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Folder for the answers and for result.json
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Sampled answers to each problem; with 0, the problems are solved greedily only
    #[arg(long, value_name = "N", default_value_t = 8)]
    n: u32,
    /// Numbers of samples for pass@k and maj@k; 1, 2, 4, … up to --n by default
    #[arg(long, value_name = "K", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    k: Vec<u32>,
    /// Reference of the rewards and of the KL divergence; the first model by default
    #[arg(long, value_name = "FOLDER")]
    reference: Option<PathBuf>,
    /// Factor of the rewards, beta·log(policy/reference)
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    beta: f64,
    /// Flags for `pref sample`, in quotes, such as '--max-new-tokens 256 --temperature 0.7'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
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
    /// Seed of the sampling and of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

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

impl Args {
    /// The numbers of samples of pass@k and maj@k.
    fn ks(&self) -> Vec<u32> {
        match self.k.is_empty() {
            false => self.k.clone(),
            true => (0..32)
                .map(|power| 1 << power)
                .take_while(|k| *k <= self.n)
                .collect(),
        }
    }
}

/// Writes a JSON file that is complete or absent.
fn write(path: &Path, value: &Value) -> Result<()> {
    write_file(path, format!("{value:#}\n").as_bytes()).with_context(|| path.display().to_string())
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
