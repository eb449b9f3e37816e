//! `pref rollouts` as a process: the places from which the model goes on, a whole walk from scores to the table, and bad
//! input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{Said, model, run, workspace};
use serde_json::{Value, json};

/// A pair whose rejected answer says `answer 5`, which no continuation of random weights says by chance.
fn pair() -> Value {
    json!({"prompt": "Question: 2 + 3?\nAnswer:", "chosen": " answer 5", "rejected": " the answer 5 it is", "answer": "5"})
}

const ANSWERS: &str = "regex:answer ([0-9])";

fn write(folder: &Path, rows: &[Value]) -> String {
    let path = folder.join("scored.jsonl");
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    path.display().to_string()
}

/// The pairs with the importance of their tokens, from two adapters.
fn scored(folder: &Path, rows: &[Value]) -> Vec<Value> {
    let data = write(folder, rows);
    let output = folder.join("importance.jsonl");
    let shown = output.display().to_string();
    let [positive, negative] = ["lora", "dora"].map(|name| {
        workspace("fixtures/adapters")
            .join(name)
            .display()
            .to_string()
    });
    let said = run(&[
        "score-tokens",
        "--data",
        &data,
        "--positive",
        &positive,
        "--negative",
        &negative,
        "--output",
        &shown,
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let text = fs::read_to_string(output).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn rollouts(data: &str, more: &[&str]) -> Said {
    let llama = model("llama");
    let args = [
        "rollouts",
        data,
        "--model",
        &llama,
        "--n",
        "4",
        "--max-new-tokens",
        "6",
    ];
    run(&[&args[..], more].concat())
}

#[test]
fn the_model_goes_on_directly_before_and_after_the_critical_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut row = scored(folder.path(), &[pair()]).remove(0);
    let n = row["rejected_importance"].as_array().unwrap().len() - 1;
    assert!(n >= 5, "{row}");
    let mut shares = Vec::new();
    for critical in 0..n {
        let importance: Vec<f64> = (0..=n)
            .map(|i| if i == critical { 0.1 } else { 0.9 })
            .collect();
        row["rejected_importance"] = json!(importance);
        let data = write(folder.path(), std::slice::from_ref(&row));
        let said = rollouts(&data, &["--answers", ANSWERS, "--json"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let found = &said.lines()[0];
        assert_eq!(
            (&found["rows"], &found["continuations"]),
            (&json!(1), &json!(4))
        );
        let share = |token: &str, place: &str| found[token][place]["mean"].as_f64().unwrap();
        let both = [
            share("critical_token", "before"),
            share("critical_token", "after"),
        ];
        let difference = found["critical_token"]["difference"]["difference"]
            .as_f64()
            .unwrap();
        assert_eq!(difference, both[1] - both[0]);
        if both == [0.0, 1.0] {
            // Any other token is before the number, or after it.
            let other = [
                share("another_token", "before"),
                share("another_token", "after"),
            ];
            assert_eq!(other[0], other[1]);
        }
        shares.push(both);
    }
    // Nothing is right up to the token with the number, and everything is after it.
    let at = shares.iter().position(|both| *both == [0.0, 1.0]);
    let at = at.unwrap_or_else(|| panic!("{shares:?}"));
    assert!(
        shares[..at].iter().all(|both| *both == [0.0, 0.0]),
        "{shares:?}"
    );
    assert!(
        shares[at + 1..].iter().all(|both| *both == [1.0, 1.0]),
        "{shares:?}"
    );
}

#[test]
fn a_walk_from_pairs_to_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Value> = (0..4)
        .map(|i| {
            let mut row = pair();
            row["prompt"] = json!(format!("Question: {i} + 3?\nAnswer:"));
            row
        })
        .collect();
    let data = write(folder.path(), &scored(folder.path(), &rows));
    let said = rollouts(&data, &["--answers", ANSWERS, "--rows", "3"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].contains("before the token"), "{}", said.out);
    assert!(lines[1].starts_with("critical token"), "{}", said.out);
    assert!(lines[2].starts_with("another token"), "{}", said.out);
    assert!(
        lines[3].starts_with("3 answers, 4 continuations"),
        "{}",
        said.out
    );
    let again = rollouts(&data, &["--answers", ANSWERS, "--rows", "3"]);
    assert_eq!(again.out, said.out);
}

#[test]
fn rows_that_cannot_be_tested_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let failure = |row: &Value| {
        let data = write(folder.path(), std::slice::from_ref(row));
        let said = rollouts(&data, &[]);
        assert_ne!(said.code, Some(0));
        said.failure(folder.path())
    };
    let importance = failure(&pair());
    assert!(
        importance.contains("scored.jsonl:1: `rejected_importance` is missing"),
        "{importance}"
    );
    let mut row = scored(folder.path(), &[pair()]).remove(0);
    row.as_object_mut().unwrap().remove("answer");
    let answer = failure(&row);
    assert!(answer.contains("`answer` is missing"), "{answer}");
    row["rejected"] = json!("5");
    row["rejected_importance"] = json!([0.5, 0.5]);
    row["answer"] = json!(5);
    let short = failure(&row);
    assert!(short.contains("expected two at least"), "{short}");
}
