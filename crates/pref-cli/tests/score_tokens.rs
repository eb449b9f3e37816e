//! `pref score-tokens` as a process: the importance of tokens beside that of `transformers`, training on it, and bad
//! input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{Said, model, run, workspace};
use serde_json::Value;

fn adapter(name: &str) -> String {
    let folder = workspace("fixtures/adapters").join(name);
    folder.display().to_string()
}

/// The first rows of the pairs of the trajectories.
fn pairs(folder: &Path, n: usize) -> String {
    let text = fs::read_to_string(workspace("fixtures/gsm8k/dpo-llama.jsonl")).unwrap();
    let rows: Vec<&str> = text.lines().take(n).collect();
    let path = folder.join("pairs.jsonl");
    fs::write(&path, rows.join("\n")).unwrap();
    path.display().to_string()
}

fn score(data: &str, positive: &str, negative: &str, output: &Path, more: &[&str]) -> Said {
    let output = output.display().to_string();
    let args = [
        "score-tokens",
        "--data",
        data,
        "--positive",
        positive,
        "--negative",
        negative,
        "--output",
        &output,
    ];
    run(&[&args[..], more].concat())
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

#[test]
fn the_importance_is_that_of_transformers_and_cdpo_trains_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = pairs(folder.path(), 3);
    let text = fs::read_to_string(workspace("fixtures/importance/importance.jsonl")).unwrap();
    let expected: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (contrast, batch) in [("1.0", "8"), ("0.5", "1")] {
        let output = folder.path().join(format!("scored-{contrast}.jsonl"));
        let more = ["--contrast", contrast, "--batch-size", batch];
        let said = score(&data, &adapter("lora"), &adapter("dora"), &output, &more);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let found = rows(&output);
        assert_eq!(found.len(), expected.len());
        for (row, expected) in found.iter().zip(&expected) {
            assert!(row.get("chosen_importance").is_none());
            let values =
                |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
            let (found, expected) = (
                values(&row["rejected_importance"]),
                values(&expected[contrast]),
            );
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 2e-5, "{found} {expected}");
            }
        }
    }
    let scored = folder.path().join("scored-1.0.jsonl").display().to_string();
    for objective in ["cdpo", "cadpo"] {
        let output = folder.path().join(objective).display().to_string();
        let said = run(&[
            "train",
            "--objective",
            objective,
            "--model",
            &model("llama"),
            "--data",
            &scored,
            "--output",
            &output,
            "--set",
            "train.batch-size=3",
        ]);
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
}

#[test]
fn what_cannot_be_scored_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = pairs(folder.path(), 2);
    let output = folder.path().join("out.jsonl");
    let failure = |positive: &str, negative: &str, more: &[&str]| {
        let said = score(&data, positive, negative, &output, more);
        assert_ne!(said.code, Some(0));
        said.failure(folder.path())
    };
    let lora = adapter("lora");
    let other_vocabulary = failure(&lora, &model("qwen2"), &[]);
    assert!(
        other_vocabulary.contains("must come from one base model"),
        "{other_vocabulary}"
    );
    let contrast = failure(&lora, &lora, &["--contrast=-1"]);
    assert!(
        contrast.contains("--contrast must be 0 or above"),
        "{contrast}"
    );
    let parquet = score(&data, &lora, &lora, &folder.path().join("out.parquet"), &[]);
    assert!(
        parquet.err.contains("only JSON Lines allow"),
        "{}",
        parquet.err
    );
    assert!(!output.exists());
}
