//! The data of a seed. In: a seed. Out: what the recipe makes of it, and the same pairs with everything that the methods
//! need: importance of tokens, labelled parts, scored steps, pairs that differ little.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::program::Pref;
use crate::steps::Story;

/// The seed whose data choose the learning rates.
pub(crate) const RATE_SEED: u64 = 1000;

/// The folder of a seed.
pub(crate) fn folder(output: &Path, seed: u64) -> PathBuf {
    output.join(format!("seed-{seed}"))
}

/// Runs the recipe of a seed, unless it was run.
pub(crate) fn prepare_recipe(pref: &Pref, output: &Path, seed: u64) -> Result<()> {
    let recipe = folder(output, seed).join("recipe");
    if recipe.join("result.json").exists() {
        return Ok(());
    }
    eprintln!("seed {seed}: lessons, samples and pairs");
    let recipe = recipe.display().to_string();
    pref.run(&["train", "--output", &recipe, "--seed", &seed.to_string()])
}

/// Makes the data of a seed, unless they are there.
pub(crate) fn prepare(pref: &Pref, output: &Path, seed: u64) -> Result<()> {
    let folder = folder(output, seed);
    let at = |name: &str| folder.join(name).display().to_string();
    prepare_recipe(pref, output, seed)?;
    let (base, pairs) = (at("recipe/lessons/model"), at("recipe/data/pairs.jsonl"));
    if !Path::new(&at("checked.jsonl")).exists() {
        let (right, wrong) = (at("right.jsonl"), at("wrong.jsonl"));
        let samples = at("recipe/data/samples.jsonl");
        let words = ["check", &samples, "--right", &right, "--wrong", &wrong];
        let checked = at("checked.jsonl");
        pref.run(&[&words[..], &["--output", &checked]].concat())?;
    }
    for side in ["right", "wrong"] {
        if Path::new(&at(&format!("{side}/model"))).exists() {
            continue;
        }
        eprintln!("seed {seed}: a model of {side} solutions");
        let (data, run) = (at(&format!("{side}.jsonl")), at(side));
        let words = ["sft", "--model", &base, "--data", &data, "--output", &run];
        let settings = [
            "train.lora.rank=16",
            "train.epochs=1",
            "train.batch-size=16",
            "train.learning-rate=1e-3",
        ];
        let seed = seed.to_string();
        let resume = Path::new(&at(&format!("{side}/checkpoints"))).exists();
        let mut words = [&words[..], &["--seed", &seed]].concat();
        words.extend(settings.iter().flat_map(|setting| ["--set", setting]));
        words.extend(resume.then_some("--resume"));
        pref.run(&words)?;
    }
    if !Path::new(&at("scored.jsonl")).exists() {
        let (right, wrong, scored) = (at("right/model"), at("wrong/model"), at("scored.jsonl"));
        pref.run(&[
            "score-tokens",
            "--data",
            &pairs,
            "--positive",
            &right,
            "--negative",
            &wrong,
            "--output",
            &scored,
        ])?;
    }
    if !Path::new(&at("nearest.jsonl")).exists() {
        let (checked, all) = (at("checked.jsonl"), at("nearest-all.jsonl"));
        let seed = seed.to_string();
        pref.run(&[
            "pairs",
            &checked,
            "--choose",
            "nearest",
            "--per-prompt",
            "2",
            "--seed",
            &seed,
            "--output",
            &all,
        ])?;
        // The problems of the pairs for evaluation stay out.
        let eval = rows(Path::new(&at("recipe/data/eval-pairs.jsonl")))?;
        let held_out: HashSet<&str> = eval
            .iter()
            .filter_map(|row| row["prompt"].as_str())
            .collect();
        let mut nearest = rows(Path::new(&all))?;
        nearest.retain(|row| {
            row["prompt"]
                .as_str()
                .is_some_and(|p| !held_out.contains(p))
        });
        write(Path::new(&at("nearest.jsonl")), &nearest)?;
    }
    if !Path::new(&at("annotated.jsonl")).exists() {
        let annotated: Result<Vec<Value>> = rows(Path::new(&at("scored.jsonl")))?
            .into_iter()
            .map(annotate)
            .collect();
        write(Path::new(&at("annotated.jsonl")), &annotated?)?;
    }
    Ok(())
}

/// Adds the parts of both answers (reasoning, answer), and their lines with scores: 4 for a right step in the aspects
/// that depend on it, and 0 for a wrong one.
fn annotate(mut row: Value) -> Result<Value> {
    let prompt = row["prompt"].as_str().context("a prompt")?.to_owned();
    let story = Story::read(&prompt).with_context(|| format!("not a problem: {prompt}"))?;
    for side in ["chosen", "rejected"] {
        let text = row[side].as_str().context("an answer")?.to_owned();
        let is_right = story.check(&text);
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        // The answer begins with an empty line, which belongs to the first step.
        if lines.len() > 1 && lines[0] == "\n" {
            lines.remove(0);
            lines[0].insert(0, '\n');
        }
        let n = lines.len().max(1) as f64;
        let score = |(i, is_right): (usize, &bool)| {
            let score = if *is_right { 4.0 } else { 0.0 };
            // Helpfulness, correctness, safety, completeness, clarity.
            let done = (4.0 * (i + 1) as f64 / n).round();
            [score, score, 4.0, done, 4.0]
        };
        let scores: Vec<[f64; 5]> = is_right.iter().enumerate().map(score).collect();
        let segments = lines;
        let cut = text.rfind("\nA: ").unwrap_or(text.len());
        let mut parts = vec![json!({"label": "reasoning", "text": &text[..cut]})];
        if cut < text.len() {
            parts.push(json!({"label": "answer", "text": &text[cut..]}));
        }
        parts.retain(|part| part["text"] != "");
        row[format!("{side}_parts")] = json!(parts);
        row[format!("{side}_segments")] = json!(segments);
        row[format!("{side}_scores")] = json!(scores);
    }
    Ok(row)
}

/// The rows of a file of JSON Lines.
pub(crate) fn rows(path: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| path.display().to_string()))
        .collect()
}

pub(crate) fn write(path: &Path, rows: &[Value]) -> Result<()> {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let part = path.with_extension("part");
    fs::write(&part, text).with_context(|| part.display().to_string())?;
    fs::rename(&part, path).with_context(|| path.display().to_string())
}
