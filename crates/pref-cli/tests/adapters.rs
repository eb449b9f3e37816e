//! Adapters on the command line: `pref logprobs` and `generate` with `--adapter`, `pref merge`, and the folder of
//! an adapter in the place of a model.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{model, run, workspace};
use serde_json::{Value, json};

fn adapter(name: &str) -> String {
    let path = workspace("fixtures/adapters").join(name);
    path.canonicalize().unwrap().display().to_string()
}

/// A file with the sequences of the adapter's reference values, and the expected log-probs.
fn sequences(folder: &Path, name: &str) -> (String, Vec<Vec<f64>>) {
    let read = |path: String| -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let cases = read(format!("{}/expected.json", model("llama")));
    let lines = cases["cases"].as_array().unwrap().iter();
    let lines: Vec<String> = lines
        .map(|case| json!({"input_ids": case["input_ids"]}).to_string())
        .collect();
    let path = folder.join("rows.jsonl");
    fs::write(&path, lines.join("\n")).unwrap();
    let expected = read(format!("{}/expected.json", adapter(name)));
    let expected = serde_json::from_value(expected["log_probs"].clone()).unwrap();
    (path.display().to_string(), expected)
}

#[track_caller]
fn check(args: &[&str], expected: &[Vec<f64>], allowed: f64) {
    let said = run(args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines = said.lines();
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.iter().zip(expected) {
        let found: Vec<f64> = serde_json::from_value(line["log_probs"].clone()).unwrap();
        assert_eq!(found.len(), expected.len());
        let far = found
            .iter()
            .zip(expected)
            .any(|(a, b)| (a - b).abs() > allowed);
        assert!(!far, "{found:?}\n{expected:?}");
    }
}

#[test]
fn an_adapter_is_used_merged_and_named_in_the_place_of_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, expected) = sequences(folder.path(), "dora");
    let (base, dora) = (model("llama"), adapter("dora"));
    check(
        &["logprobs", "--model", &base, "--adapter", &dora, &rows],
        &expected,
        2e-4,
    );
    // PEFT's settings name the base, relative to the adapter.
    check(&["logprobs", "--model", &dora, &rows], &expected, 2e-4);

    let merged = folder.path().join("merged").display().to_string();
    let said = run(&[
        "merge",
        "--model",
        &base,
        "--adapter",
        &dora,
        "--output",
        &merged,
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    check(&["logprobs", "--model", &merged, &rows], &expected, 2e-4);
    let greedy = |args: &[&str]| {
        let all = [&["generate", "--max-new-tokens", "8", &rows], args].concat();
        let said = run(&all);
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.out
    };
    assert_eq!(
        greedy(&["--model", &merged]),
        greedy(&["--model", &base, "--adapter", &dora])
    );
    let names = |folder: &str| {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name()).collect();
        names.retain(|n| n != "expected.json" && n != "XXH128SUMS");
        names.sort();
        names
    };
    assert_eq!(names(&merged), names(&base));
    let second = run(&["merge", "--adapter", &dora, "--output", &merged]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("already exists"), "{}", second.err);
}

#[test]
fn what_an_adapter_cannot_be_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, _) = sequences(folder.path(), "lora");
    let (base, lora) = (model("llama"), adapter("lora"));
    let lost = folder.path().join("lost");
    fs::create_dir(&lost).unwrap();
    let settings = fs::read_to_string(format!("{lora}/adapter_config.json")).unwrap();
    let settings = settings.replace("../../models/llama", "someone/llama");
    fs::write(lost.join("adapter_config.json"), settings).unwrap();
    let lost = lost.display().to_string();
    let gemma = model("gemma3");
    let said = |args: &[&str]| {
        let said = run(args).failure(folder.path());
        let fixtures = workspace("fixtures").canonicalize().unwrap();
        said.replace(&fixtures.display().to_string(), "[fixtures]")
    };
    let messages = [
        said(&["logprobs", "--model", &lost, &rows]),
        said(&["logprobs", "--model", &lora, "--adapter", &lora, &rows]),
        said(&["logprobs", "--model", &base, "--adapter", &base, &rows]),
        said(&["logprobs", "--model", &gemma, "--adapter", &lora, &rows]),
        said(&[
            "merge",
            "--model",
            &lora,
            "--adapter",
            &lora,
            "--output",
            "x",
        ]),
        said(&["train", "--model", &lora, "--data", &rows]),
    ];
    insta::assert_snapshot!(messages.join(""));
}
