//! BVPO. In: the data of a seed. Out: a decoder that thinks before it answers, pairs with and without its
//! thoughts, and what training on them gives: solved problems, and the variance of the gradients.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::program::Pref;
use crate::setup::{folder, rows, write};

/// What is trained, with the words that choose it.
pub(crate) const METHODS: [(&str, &[&str]); 4] = [
    ("dpo", &["objective.sft-coefficient=1"]),
    ("dpo-empty", &["objective.sft-coefficient=1"]),
    (
        "bvpo-0.5",
        &[
            "objective.inner={ method = \"dpo\", sft-coefficient = 1 }",
            "objective.alpha=0.5",
        ],
    ),
    (
        "bvpo-optimal",
        &[
            "objective.inner={ method = \"dpo\", sft-coefficient = 1 }",
            "objective.alpha=optimal",
        ],
    ),
];

/// The name of the model before training.
pub(crate) const BASE: &str = "before";

/// The flags of `pref sample`. A thought and an answer are longer than a solution.
const SAMPLE: &str = "--max-new-tokens 120";

/// What a run reaches.
#[derive(Clone, Debug)]
pub(crate) struct BvpoOutcome {
    pub(crate) method: &'static str,
    pub(crate) seed: u64,
    /// Shares of solved problems.
    pub(crate) greedy: f64,
    pub(crate) sampled: f64,
    /// Means over the steps; of `bvpo-optimal` only.
    pub(crate) gradients: Option<Gradients>,
}

/// The gradients of both losses, as `pref train` estimates them: means over the steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gradients {
    pub(crate) alpha: f64,
    /// The distance of both mean gradients.
    pub(crate) bias: f64,
    pub(crate) trace: f64,
    pub(crate) empty: f64,
    /// Variance of the mixture with α a half, and with the α of the step.
    pub(crate) half: f64,
    pub(crate) mixture: f64,
}

fn own_folder(output: &Path, seed: u64) -> PathBuf {
    folder(output, seed).join("bvpo")
}

/// Makes, trains and evaluates what is missing of a seed, whose recipe has run.
pub(crate) fn run(pref: &Pref, output: &Path, seed: u64) -> Result<()> {
    prepare(pref, output, seed)?;
    let own = own_folder(output, seed);
    let text = |path: PathBuf| path.display().to_string();
    let data = text(folder(output, seed).join("recipe/data/held-out.jsonl"));
    let lessons = own.join("lessons/model");
    let base = [(BASE, lessons.clone())].into_iter();
    let trained = METHODS
        .iter()
        .map(|(name, _)| (*name, own.join(name).join("model")));
    for (name, model) in base.chain(trained) {
        let run = own.join(name);
        if run.join("eval/result.json").exists() {
            continue;
        }
        eprintln!("seed {seed}: bvpo's {name}");
        if name != BASE && !model.is_dir() {
            train(pref, &own, name, seed)?;
        }
        pref.run(&[
            "eval",
            &text(model),
            "--data",
            &data,
            "--n",
            "4",
            "--sample",
            SAMPLE,
            "--output",
            &text(run.join("eval")),
        ])?;
        for name in ["model", "checkpoints"] {
            let _ = fs::remove_dir_all(run.join(name));
        }
    }
    Ok(())
}

/// A decoder that has learnt to think, and its pairs.
fn prepare(pref: &Pref, output: &Path, seed: u64) -> Result<()> {
    let own = own_folder(output, seed);
    if own.join("empty.jsonl").exists() {
        return Ok(());
    }
    let recipe = folder(output, seed).join("recipe");
    let text = |path: PathBuf| path.display().to_string();
    let at = |name: &str| own.join(name).display().to_string();
    let seed_text = seed.to_string();
    fs::create_dir_all(&own).with_context(|| own.display().to_string())?;
    if !own.join("lessons/model").is_dir() {
        eprintln!("seed {seed}: a decoder that thinks");
        let lessons = rows(&recipe.join("data/lessons.jsonl"))?;
        let lessons: Vec<Value> = lessons.iter().filter_map(with_thought).flatten().collect();
        write(&own.join("lessons.jsonl"), &lessons)?;
        let mut words = vec![
            "sft".to_owned(),
            "--model".to_owned(),
            text(recipe.join("fresh")),
            "--data".to_owned(),
            at("lessons.jsonl"),
            "--output".to_owned(),
            at("lessons"),
            "--seed".to_owned(),
            seed_text.clone(),
        ];
        // As in the recipe.
        for setting in [
            "train.epochs=2",
            "train.batch-size=16",
            "train.learning-rate=3e-3",
            "train.schedule=cosine",
            "train.warmup-steps=50",
            "data.max-length=192",
        ] {
            words.extend(["--set".to_owned(), setting.to_owned()]);
        }
        words.extend(
            own.join("lessons/checkpoints")
                .is_dir()
                .then(|| "--resume".to_owned()),
        );
        pref.run(&words)?;
    }
    eprintln!("seed {seed}: samples with and without thoughts");
    let problems = text(recipe.join("data/problems.jsonl"));
    let mut sample = vec!["sample", &problems, "--thinking", "both", "--n", "6"];
    let (model, samples, checked) = (
        at("lessons/model"),
        at("samples.jsonl"),
        at("checked.jsonl"),
    );
    sample.extend([
        "--model", &model, "--seed", &seed_text, "--output", &samples,
    ]);
    sample.extend(SAMPLE.split(' '));
    pref.run(&sample)?;
    pref.run(&["check", &samples, "--output", &checked])?;
    let mut sets = Vec::new();
    for thinking in ["on", "off"] {
        let file = own.join(format!("{thinking}.jsonl"));
        pref.run(&[
            "pairs",
            &checked,
            "--thinking",
            thinking,
            "--seed",
            &seed_text,
            "--output",
            &text(file.clone()),
        ])?;
        sets.push(rows(&file)?);
    }
    // Rows with the same number belong to the same problem, so that both gradients of a step can be compared.
    let empty: HashMap<String, &Value> = sets[1]
        .iter()
        .filter_map(|row| Some((problem(row)?, row)))
        .collect();
    let both = sets[0]
        .iter()
        .filter_map(|row| Some((row.clone(), (*empty.get(&problem(row)?)?).clone())));
    let (traces, empty): (Vec<Value>, Vec<Value>) = both.unzip();
    write(&own.join("traces.jsonl"), &traces)?;
    write(&own.join("empty.jsonl"), &empty)
}

fn problem(row: &Value) -> Option<String> {
    Some(row["prompt"].as_str()?.replace("<think></think>", ""))
}

/// A lesson as a thought with the answer, and as the answer alone after an empty thought.
fn with_thought(lesson: &Value) -> Option<[Value; 2]> {
    let (prompt, solution) = (lesson["prompt"].as_str()?, lesson["completion"].as_str()?);
    let (steps, answer) = solution.rsplit_once("\nA: ")?;
    Some([
        json!({"prompt": prompt, "completion": format!("<think>{steps}\n</think>\nA: {answer}")}),
        json!({"prompt": format!("{prompt}<think></think>"), "completion": format!("\nA: {answer}")}),
    ])
}

fn train(pref: &Pref, own: &Path, name: &str, seed: u64) -> Result<()> {
    let run = own.join(name);
    if run.exists() {
        // A part of a run takes seconds, so it begins again.
        fs::remove_dir_all(&run).with_context(|| run.display().to_string())?;
    }
    let at = |name: &str| own.join(name).display().to_string();
    let settings = METHODS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or(&[][..], |(_, s)| s);
    let (objective, data) = match name {
        "dpo" => ("dpo", "traces.jsonl"),
        "dpo-empty" => ("dpo", "empty.jsonl"),
        _ => ("bvpo", "traces.jsonl"),
    };
    let (model, data, empty, seed) = (
        at("lessons/model"),
        at(data),
        at("empty.jsonl"),
        seed.to_string(),
    );
    let run = at(name);
    let mut words: Vec<String> = [
        "train",
        "--objective",
        objective,
        "--model",
        &model,
        "--data",
        &data,
        "--output",
        &run,
        "--seed",
        &seed,
    ]
    .map(str::to_owned)
    .to_vec();
    let mut set = |setting: &str| words.extend(["--set".to_owned(), setting.to_owned()]);
    for setting in [
        "train.learning-rate=3e-4",
        "train.epochs=1",
        "train.batch-size=16",
        "train.schedule=cosine",
        "train.warmup-steps=5",
        "train.log-every=1",
        "data.max-length=192",
    ] {
        set(setting);
    }
    settings.iter().for_each(|setting| set(setting));
    if objective == "bvpo" {
        set(&format!("data.empty={empty}"));
    }
    pref.run(&words)
}

/// The outcomes of a seed that are there.
pub(crate) fn read(output: &Path, seed: u64) -> Result<Vec<BvpoOutcome>> {
    let own = own_folder(output, seed);
    let mut found = Vec::new();
    let names = std::iter::once(BASE).chain(METHODS.iter().map(|(name, _)| *name));
    for method in names {
        let path = own.join(method).join("eval/result.json");
        if !path.exists() {
            continue;
        }
        let at = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(at)?;
        let result: Value = serde_json::from_str(&text).with_context(at)?;
        let share = |name: &str| {
            let value = result["models"][0]["metrics"][name]["value"].as_f64();
            value.with_context(|| format!("{}: `{name}` is missing", at()))
        };
        found.push(BvpoOutcome {
            method,
            seed,
            greedy: share("greedy")?,
            sampled: share("pass@1")?,
            gradients: gradients(&own.join(method).join("metrics.jsonl"))?,
        });
    }
    Ok(found)
}

/// The means of the moments in the metrics of a run; none if it has no such metrics.
fn gradients(metrics: &Path) -> Result<Option<Gradients>> {
    if !metrics.exists() {
        return Ok(None);
    }
    let mut steps = Vec::new();
    for row in rows(metrics)? {
        let value = |name: &str| row[format!("bvpo/{name}")].as_f64();
        let moments = [
            value("alpha"),
            value("bias"),
            value("variance_trace"),
            value("variance_empty"),
            value("covariance"),
        ];
        let [
            Some(alpha),
            Some(bias),
            Some(trace),
            Some(empty),
            Some(covariance),
        ] = moments
        else {
            continue;
        };
        let mixed = |alpha: f64| {
            let rest = 1.0 - alpha;
            alpha * alpha * trace + rest * rest * empty + 2.0 * alpha * rest * covariance
        };
        steps.push([alpha, bias, trace, empty, mixed(0.5), mixed(alpha)]);
    }
    if steps.is_empty() {
        return Ok(None);
    }
    let mean = |i: usize| steps.iter().map(|step| step[i]).sum::<f64>() / steps.len() as f64;
    Ok(Some(Gradients {
        alpha: mean(0),
        bias: mean(1),
        trace: mean(2),
        empty: mean(3),
        half: mean(4),
        mixture: mean(5),
    }))
}
