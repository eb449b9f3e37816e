//! One run: training with a method, and the evaluation of what it trained. In: a method, a learning rate, a seed. Out: a
//! `result.json`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::methods::Method;
use crate::program::Pref;
use crate::setup::{RATE_SEED, folder};

/// A run.
pub(crate) struct Run<'a> {
    pub(crate) method: &'a Method,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    pub(crate) output: &'a Path,
}

/// What the model of a run reaches.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) method: String,
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    /// Shares of solved problems.
    pub(crate) greedy: f64,
    pub(crate) sampled: f64,
    /// Of the held-out pairs; absent for the model before training.
    pub(crate) accuracy: Option<f64>,
    pub(crate) margin: Option<f64>,
    /// Nats per answer.
    pub(crate) kl: Option<f64>,
}

/// The name of the model before training.
pub(crate) const BASE: &str = "before";

impl Run<'_> {
    fn folder(&self) -> PathBuf {
        let name = format!("{}-{:e}", self.method.name, self.rate);
        folder(self.output, self.seed).join("runs").join(name)
    }

    /// The outcome; the run is done if it was not done before, unless `is_reading`.
    pub(crate) fn outcome(&self, pref: &Pref, is_reading: bool) -> Result<Option<Outcome>> {
        let result = self.folder().join("eval/result.json");
        if !result.exists() {
            if is_reading {
                return Ok(None);
            }
            eprintln!(
                "seed {}: {} at {:e}",
                self.seed, self.method.name, self.rate
            );
            self.train(pref)?;
            evaluate(pref, self.output, self.seed, &self.folder())?;
        }
        // The weights are not needed any more.
        for name in ["model", "checkpoints"] {
            let _ = fs::remove_dir_all(self.folder().join(name));
        }
        read(&result, self.method.name, self.rate, self.seed).map(Some)
    }

    fn train(&self, pref: &Pref) -> Result<()> {
        let run = self.folder();
        if run.join("model").is_dir() {
            return Ok(());
        }
        // A part of a run takes seconds, so it begins again.
        if run.exists() {
            fs::remove_dir_all(&run).with_context(|| run.display().to_string())?;
        }
        let seed = folder(self.output, self.seed);
        let text = |path: PathBuf| path.display().to_string();
        let mut settings = vec![
            format!("train.learning-rate={}", self.rate),
            "train.epochs=1".to_owned(),
            "train.batch-size=16".to_owned(),
            "train.schedule=cosine".to_owned(),
            "train.warmup-steps=5".to_owned(),
            "data.max-length=192".to_owned(),
        ];
        settings.extend(
            self.method
                .has_sft
                .then(|| "objective.sft-coefficient=1".to_owned()),
        );
        settings.extend(self.method.settings.iter().map(|text| (*text).to_owned()));
        let mut words = vec![
            "train".to_owned(),
            "--objective".to_owned(),
            self.method.objective.to_owned(),
            "--model".to_owned(),
            text(seed.join("recipe/lessons/model")),
            "--data".to_owned(),
            text(seed.join(self.method.data)),
            "--output".to_owned(),
            text(run),
            "--seed".to_owned(),
            self.seed.to_string(),
        ];
        for setting in settings {
            words.extend(["--set".to_owned(), setting]);
        }
        pref.run(&words)
    }
}

/// Evaluates the model in the folder `model` of a run.
fn evaluate(pref: &Pref, output: &Path, seed: u64, run: &Path) -> Result<()> {
    let seed = folder(output, seed);
    let text = |path: PathBuf| path.display().to_string();
    let (model, base) = (
        text(run.join("model")),
        text(seed.join("recipe/lessons/model")),
    );
    let (data, pairs) = (
        text(seed.join("recipe/data/held-out.jsonl")),
        text(seed.join("recipe/data/eval-pairs.jsonl")),
    );
    let eval = text(run.join("eval"));
    pref.run(&[
        "eval",
        &model,
        "--reference",
        &base,
        "--data",
        &data,
        "--pairs",
        &pairs,
        "--n",
        "4",
        "--sample",
        "--max-new-tokens 96",
        "--output",
        &eval,
    ])
}

fn read(path: &Path, method: &str, rate: f64, seed: u64) -> Result<Outcome> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let result: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let metrics = &result["models"][0]["metrics"];
    let value = |name: &str| metrics[name]["value"].as_f64();
    let needed = |name: &str| {
        value(name).with_context(|| format!("{}: `{name}` is missing", path.display()))
    };
    Ok(Outcome {
        method: method.to_owned(),
        rate,
        seed,
        greedy: needed("greedy")?,
        sampled: needed("pass@1")?,
        accuracy: value("rewards/accuracies"),
        margin: value("rewards/margins"),
        kl: value("kl"),
    })
}

/// The model before training, which the recipe has evaluated.
pub(crate) fn base(output: &Path, seed: u64) -> Result<Option<Outcome>> {
    let path = folder(output, seed).join("recipe/result.json");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let result: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let share = |name: &str| {
        let share = result[name]["before"].as_f64();
        share.with_context(|| format!("{}: `{name}` is missing", path.display()))
    };
    Ok(Some(Outcome {
        method: BASE.to_owned(),
        rate: 0.0,
        seed,
        greedy: share("greedy")?,
        sampled: share("sampled")?,
        accuracy: None,
        margin: None,
        kl: None,
    }))
}

/// The seeds that methods are compared on, sorted.
pub(crate) fn seeds(outcomes: &[Outcome]) -> Vec<u64> {
    let mut seeds: Vec<u64> = outcomes.iter().map(|outcome| outcome.seed).collect();
    seeds.retain(|seed| *seed != RATE_SEED);
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

/// Rates that solve at most this much less than the best one on the seed of the first search are tried on all seeds.
pub(crate) const NEARLY: f64 = 0.05;

/// The rates of a method that are tried on all seeds.
pub(crate) fn candidates(outcomes: &[Outcome], method: &str) -> Vec<f64> {
    let tried: Vec<&Outcome> = outcomes
        .iter()
        .filter(|outcome| outcome.seed == RATE_SEED && outcome.method == method)
        .collect();
    let best = tried.iter().map(|outcome| outcome.sampled);
    let best = best.fold(f64::NEG_INFINITY, f64::max);
    let near = tried
        .iter()
        .filter(|outcome| outcome.sampled >= best - NEARLY);
    near.map(|outcome| outcome.rate).collect()
}

/// The outcome of a method on a seed, with the rate that solves most samples on all other seeds: what is compared on a
/// seed has no part in the choice of its rate.
pub(crate) fn selected<'a>(
    outcomes: &'a [Outcome],
    method: &str,
    seed: u64,
) -> Option<&'a Outcome> {
    let of_method = || outcomes.iter().filter(|outcome| outcome.method == method);
    let elsewhere = |rate: f64| {
        let others = of_method().filter(|outcome| outcome.rate == rate && outcome.seed != seed);
        let values: Vec<f64> = others.map(|outcome| outcome.sampled).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    };
    let candidates = candidates(outcomes, method);
    of_method()
        .filter(|outcome| outcome.seed == seed)
        .filter(|outcome| outcome.method == BASE || candidates.contains(&outcome.rate))
        .max_by(|a, b| elsewhere(a.rate).total_cmp(&elsewhere(b.rate)))
}
