//! A real instruct model on pairs that people or models wrote. In: a model's folder and pairs. Out: for
//! each method, way of training and seed the rewards and log-probs of held-out pairs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use pref_eval::{Mean, bootstrap_mean};
use serde_json::Value;

use crate::program::Pref;
use crate::setup::{rows, write};

/// How much is trained and evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// 48 pairs for training and 48 others for evaluation: minutes a run on two cores
    Cpu,
    /// All pairs but 146, which are for evaluation, two epochs
    Gpu,
}

impl Size {
    /// Pairs for training at most, pairs for evaluation, and epochs.
    fn counts(self) -> (usize, usize, u32) {
        match self {
            Size::Cpu => (48, 48, 1),
            Size::Gpu => (usize::MAX, 146, 2),
        }
    }

    pub(crate) fn device(self) -> &'static str {
        match self {
            Size::Cpu => "flex",
            Size::Gpu => "cuda",
        }
    }
}

/// What is trained: all weights, or an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Full,
    Lora,
}

impl Way {
    pub(crate) const ALL: [Self; 2] = [Self::Full, Self::Lora];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Way::Full => "full",
            Way::Lora => "lora",
        }
    }

    /// Learning rates are not searched here: these are usual ones for models of this size.
    pub(crate) fn rate(self) -> f64 {
        match self {
            Way::Full => 2e-5,
            Way::Lora => 2e-4,
        }
    }
}

/// The methods, with the words of `pref train` that choose them.
pub(crate) const METHODS: [(&str, &str, Option<&str>); 5] = [
    ("dpo", "dpo", None),
    (
        "adpo-a8",
        "adpo",
        Some("objective.granularity={ adaptive = 8 }"),
    ),
    ("simpo", "simpo", None),
    ("ipo", "ipo", None),
    ("dpo-bmc", "dpo-bmc", None),
];

pub(crate) const SEEDS: u64 = 3;

/// The file with the name of the model.
const NAME: &str = "model.txt";

/// The part of the evidence about a real model.
pub(crate) struct Real<'a> {
    pub(crate) model: &'a Path,
    pub(crate) pairs: &'a Path,
    pub(crate) size: Size,
    pub(crate) output: &'a Path,
}

/// A method, trained in one way with one seed.
#[derive(Clone, Debug)]
pub(crate) struct RealOutcome {
    pub(crate) method: &'static str,
    pub(crate) way: Way,
    pub(crate) seed: u64,
    /// For each held-out pair: the log-ratios of both answers to the reference, nats.
    pairs: Vec<[f64; 2]>,
}

impl Real<'_> {
    fn folder(output: &Path) -> PathBuf {
        output.join("real")
    }

    /// Trains and evaluates everything that is not there yet. After each run, `show` gets what is known.
    pub(crate) fn run(&self, pref: &Pref, show: &dyn Fn() -> Result<()>) -> Result<()> {
        let (train, eval) = self.divide()?;
        for seed in 0..SEEDS {
            for way in Way::ALL {
                for (name, objective, setting) in METHODS {
                    let run = run_folder(self.output, name, way, seed);
                    if run.join("eval/result.json").exists() {
                        continue;
                    }
                    eprintln!(
                        "{}: {name}, {}, seed {seed}",
                        self.model.display(),
                        way.name()
                    );
                    self.train(pref, &run, &train, way, seed, objective, setting)?;
                    self.evaluate(pref, &run, &eval)?;
                    // The weights are not needed any more.
                    for name in ["model", "checkpoints"] {
                        let _ = fs::remove_dir_all(run.join(name));
                    }
                    show()?;
                }
            }
        }
        Ok(())
    }

    /// The files of the pairs for training and for evaluation. The last pairs are for evaluation.
    fn divide(&self) -> Result<(PathBuf, PathBuf)> {
        let (n_train, n_eval, _) = self.size.counts();
        let all = rows(self.pairs)?;
        ensure!(
            all.len() > n_eval,
            "{} has {} pairs; {n_eval} are for evaluation, so more are needed",
            self.pairs.display(),
            all.len()
        );
        let (train, eval) = all.split_at(all.len() - n_eval);
        let train = &train[..train.len().min(n_train)];
        let folder = Self::folder(self.output);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let name = self.model.file_name().unwrap_or_default();
        let record = folder.join(NAME);
        fs::write(&record, name.to_string_lossy().as_bytes())
            .with_context(|| record.display().to_string())?;
        let files = ["train.jsonl", "eval.jsonl"].map(|name| folder.join(name));
        for (file, rows) in files.iter().zip([train, eval]) {
            let is_same = file.exists() && self::rows(file)? == rows;
            ensure!(
                is_same || !file.exists(),
                "{} has other pairs; choose another --output for another size or other pairs",
                file.display()
            );
            if !is_same {
                write(file, rows)?;
            }
        }
        let [train, eval] = files;
        Ok((train, eval))
    }

    #[expect(clippy::too_many_arguments, reason = "they are what a run differs in")]
    fn train(
        &self,
        pref: &Pref,
        run: &Path,
        data: &Path,
        way: Way,
        seed: u64,
        objective: &str,
        setting: Option<&str>,
    ) -> Result<()> {
        if run.join("model").is_dir() {
            return Ok(());
        }
        let is_begun = run.join("checkpoints").is_dir();
        if run.exists() && !is_begun {
            fs::remove_dir_all(run).with_context(|| run.display().to_string())?;
        }
        let (_, _, epochs) = self.size.counts();
        let mut settings = vec![
            format!("train.learning-rate={}", way.rate()),
            format!("train.epochs={epochs}"),
            "train.batch-size=8".to_owned(),
            "train.warmup-steps=2".to_owned(),
            "data.max-length=768".to_owned(),
        ];
        settings.extend((way == Way::Lora).then(|| "train.lora.rank=16".to_owned()));
        settings.extend(setting.map(str::to_owned));
        let text = |path: &Path| path.display().to_string();
        let mut words: Vec<String> = [
            "train",
            "--objective",
            objective,
            "--model",
            &text(self.model),
            "--data",
            &text(data),
            "--output",
            &text(run),
            "--seed",
            &seed.to_string(),
            "--device",
            self.size.device(),
        ]
        .map(str::to_owned)
        .to_vec();
        for setting in settings {
            words.extend(["--set".to_owned(), setting]);
        }
        words.extend(is_begun.then(|| "--resume".to_owned()));
        pref.run(&words)
    }

    fn evaluate(&self, pref: &Pref, run: &Path, pairs: &Path) -> Result<()> {
        let text = |path: &Path| path.display().to_string();
        pref.run(&[
            "eval",
            &text(&run.join("model")),
            "--reference",
            &text(self.model),
            "--pairs",
            &text(pairs),
            "--output",
            &text(&run.join("eval")),
            "--device",
            self.size.device(),
        ])
    }
}

fn run_folder(output: &Path, method: &str, way: Way, seed: u64) -> PathBuf {
    let name = format!("{method}-{}-seed-{seed}", way.name());
    Real::folder(output).join(name)
}

/// The name of the model's folder; empty if nothing was run.
pub(crate) fn name(output: &Path) -> String {
    fs::read_to_string(Real::folder(output).join(NAME)).unwrap_or_default()
}

/// The outcomes that are there.
pub(crate) fn read(output: &Path) -> Result<Vec<RealOutcome>> {
    let mut found = Vec::new();
    for (method, ..) in METHODS {
        for way in Way::ALL {
            for seed in 0..SEEDS {
                let folder = run_folder(output, method, way, seed).join("eval");
                let path = folder.join("model-1/pairs.json");
                if !folder.join("result.json").exists() {
                    continue;
                }
                let at = || path.display().to_string();
                let text = fs::read_to_string(&path).with_context(at)?;
                let values: Vec<Value> = serde_json::from_str(&text).with_context(at)?;
                let pair =
                    |value: &Value| Some([value["chosen"].as_f64()?, value["rejected"].as_f64()?]);
                let pairs: Option<Vec<[f64; 2]>> = values.iter().map(pair).collect();
                found.push(RealOutcome {
                    method,
                    way,
                    seed,
                    pairs: pairs.with_context(|| format!("{}: not the file of pref eval", at()))?,
                });
            }
        }
    }
    Ok(found)
}

/// The mean over pairs of a value, which is itself the mean over seeds, with the interval of a bootstrap over pairs.
pub(crate) fn mean(outcomes: &[&RealOutcome], value: impl Fn([f64; 2]) -> f64) -> Option<Mean> {
    bootstrap_mean(&by_pair(outcomes, value), 0)
}

/// The mean difference between two methods, pair by pair.
pub(crate) fn difference(
    better: &[&RealOutcome],
    worse: &[&RealOutcome],
    value: impl Fn([f64; 2]) -> f64 + Copy,
) -> Option<Mean> {
    let (better, worse) = (by_pair(better, value), by_pair(worse, value));
    if better.len() != worse.len() {
        return None;
    }
    let differences: Vec<f64> = better.iter().zip(&worse).map(|(a, b)| a - b).collect();
    bootstrap_mean(&differences, 0)
}

fn by_pair(outcomes: &[&RealOutcome], value: impl Fn([f64; 2]) -> f64) -> Vec<f64> {
    let n = outcomes
        .iter()
        .map(|outcome| outcome.pairs.len())
        .min()
        .unwrap_or(0);
    let of = |i: usize| {
        let values = outcomes.iter().map(|outcome| value(outcome.pairs[i]));
        values.sum::<f64>() / outcomes.len() as f64
    };
    (0..n).map(of).collect()
}

/// Whether the chosen answer has the larger reward. A tie counts as wrong.
pub(crate) fn is_right([chosen, rejected]: [f64; 2]) -> f64 {
    f64::from(u8::from(chosen > rejected))
}
