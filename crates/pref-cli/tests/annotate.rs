//! `pref annotate` as a process: from worked solutions to a trained 2d-dpo model, the store's commands, and bad input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{model, run};
use serde_json::Value;

const ROWS: [&str; 3] = [
    r#"{"prompt": "Question: Ann has 3 pens and buys 4. How many?\nAnswer:", "chosen": " She has 3 + 4 = <<3+4=7>>7 pens.\nA: 7", "rejected": " She has 3 * 4 = <<3*4=12>>12 pens.\nA: 12", "answer": "7", "id": 1}"#,
    r#"{"prompt": "Question: Ben has 9 pens and loses 2. How many?\nAnswer:", "chosen": " He has 9 - 2 = 7 pens.\nA: 7", "rejected": " He has 9 - 2 = 8 pens.\nA: 8", "answer": "7", "id": 2}"#,
    r#"{"prompt": "Question: Cleo buys 2 packs of 6. How many?\nAnswer:", "chosen": " There are 2 * 6 = 12.\nA: 12", "rejected": " There are 2 + 6 = 8.\nA: 8", "answer": "12", "id": 3}"#,
];

fn rows(folder: &Path) -> String {
    let path = folder.join("pairs.jsonl");
    fs::write(&path, ROWS.join("\n")).unwrap();
    path.display().to_string()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn lines(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn worked_solutions_become_a_2d_dpo_model() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = rows(folder.path());
    let scored = path(folder.path(), "scored.jsonl");
    let args = [
        "annotate",
        "scores",
        &pairs,
        "--judge",
        "rules:gsm8k",
        "--output",
        &scored,
    ];
    let said = run(&args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let first = &lines(&scored)[0];
    assert_eq!(first["id"], 1);
    assert_eq!(first["chosen_scores"][0][1], 4.0);
    assert_eq!(first["rejected_scores"][1][1], 0.0);
    let asked = "30 questions to rules:gsm8k/1: 0 answered before, 0 failed before, 30 to ask";
    assert!(said.err.contains(asked), "{}", said.err);
    assert!(said.err.contains("3 of 3 rows written"), "{}", said.err);

    // A second time nothing is asked, and the rows are the same.
    let again = path(folder.path(), "again.jsonl");
    let said = run(&[&args[..6], &[again.as_str()]].concat());
    assert!(
        said.err
            .contains("30 answered before, 0 failed before, 0 to ask"),
        "{}",
        said.err
    );
    assert_eq!(lines(&again), lines(&scored));

    let llama = model("llama");
    let output = path(folder.path(), "run");
    let said = run(&[
        "train",
        "--data",
        &scored,
        "--model",
        &llama,
        "--output",
        &output,
        "--set",
        "objective.method=2d-dpo",
        "--set",
        "train.steps=2",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let metrics = lines(&path(folder.path(), "run/metrics.jsonl"));
    assert!(metrics[0]["loss"].as_f64().is_some_and(f64::is_finite));
}

#[test]
fn a_store_is_shown_exported_compared_and_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = rows(folder.path());
    let store = path(folder.path(), "annotations.sqlite");
    let parts = path(folder.path(), "parts.jsonl");
    let scored = path(folder.path(), "scored.jsonl");
    for (command, output) in [("parts", &parts), ("scores", &scored)] {
        let said = run(&[
            "annotate",
            command,
            &pairs,
            "--judge",
            "rules:gsm8k",
            "--output",
            output,
        ]);
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    assert_eq!(lines(&parts)[0]["chosen_parts"][1]["text"], "A: 7");
    let page = path(folder.path(), "page.html");
    let shown = |args: &[&str]| {
        let said = run(&[&["annotate"], args, &["--store", &store]].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        format!("{}{}", said.out, said.err)
    };
    let status = shown(&["status"]);
    assert!(
        status.contains("job 1: parts of 3 rows by rules:gsm8k/1"),
        "{status}"
    );
    assert!(
        status.contains("30 questions answered, 0 open, 0 failed"),
        "{status}"
    );
    let agreement = shown(&["agreement", "--labels", &scored, "--page", &page]);
    assert!(agreement.contains("3 rows judged"), "{agreement}");
    assert!(
        agreement.contains("0 of these were not judged"),
        "{agreement}"
    );
    let of_parts = run(&["annotate", "agreement", "--store", &store, "--job", "1"]);
    assert!(
        of_parts.err.contains("only scores can be compared"),
        "{}",
        of_parts.err
    );
    let cleaned = shown(&["gc"]);
    assert!(
        cleaned.contains("0 jobs and 0 replies removed"),
        "{cleaned}"
    );
    assert!(
        fs::read_to_string(page)
            .unwrap()
            .starts_with("<!doctype html>")
    );
    let exported = path(folder.path(), "exported.jsonl");
    let said = run(&[
        "annotate", "export", "--store", &store, "--output", &exported,
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(lines(&exported), lines(&scored));
}

/// A short question, which fits into the positions of the tiny models.
const LABELS: &str = r#"
name = "parts"
version = 1
system = "{{ labels }}"
user = "{{ question }} {{ answer }} {{ n }}"
repair = "{{ complaint }}"
"#;

#[test]
fn a_decoder_with_random_weights_is_held_to_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = rows(folder.path());
    let template = path(folder.path(), "template.toml");
    fs::write(&template, LABELS).unwrap();
    // The vocabularies write bytes in different ways.
    for name in ["llama", "llama2"] {
        let judge = format!("local:{}", model(name));
        let output = path(folder.path(), name);
        let output = format!("{output}.jsonl");
        let store = path(folder.path(), &format!("{name}.sqlite"));
        let args = [
            "annotate",
            "parts",
            &pairs,
            "--judge",
            &judge,
            "--template",
            &template,
            "--store",
            &store,
            "--output",
            &output,
            "--set",
            "request.temperature=2",
        ];
        let said = run(&args);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.contains("6 questions to local:"), "{}", said.err);
        assert!(said.err.contains("3 of 3 rows written"), "{}", said.err);
        let status = run(&["annotate", "status", "--store", &store]);
        assert!(
            status
                .out
                .contains("6 questions answered, 0 open, 0 failed, 0 of them repairs"),
            "{}",
            status.out
        );
        let labels = ["context", "reasoning", "answer"];
        for row in lines(&output) {
            for part in row["chosen_parts"].as_array().unwrap() {
                assert!(labels.contains(&part["label"].as_str().unwrap()), "{part}");
            }
        }
    }
}

#[test]
fn what_cannot_be_asked_is_explained_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = rows(folder.path());
    let store = path(folder.path(), "store.sqlite");
    let text = path(folder.path(), "text.sqlite");
    fs::write(&text, "x".repeat(2000)).unwrap();
    let template = path(folder.path(), "template.toml");
    let printed = run(&["annotate", "template", "scores"]).out;
    fs::write(
        &template,
        printed.replace("{{ question }}", "{{ qestion }}"),
    )
    .unwrap();
    let unknown = path(folder.path(), "scored.xyz");
    let ask = |more: &[&str]| {
        let args = ["annotate", "scores", &pairs];
        let has_store = more.contains(&"--store");
        let store: &[&str] = if has_store { &[] } else { &["--store", &store] };
        run(&[&args, store, more].concat()).failure(folder.path())
    };
    let key = "judge.key-variable=PREF_NO_SUCH_KEY";
    let url = "http://127.0.0.1:1/v1";
    let cases: [(&[&str], &str); 11] = [
        (&[], "no judge; give --judge"),
        (&["--judge", "gpt"], "gpt is no judge"),
        (&["--judge", "rules:gsm"], "did you mean `rules:gsm8k`?"),
        (&["--judge", "replay"], "no replies of a model to replay"),
        (&["--judge", url], "no connection"),
        (&["--judge", url, "--set", key], "PREF_NO_SUCH_KEY"),
        (
            &["--judge", "rules:gsm8k", "--store", &text],
            "no SQLite file",
        ),
        (
            &["--judge", "rules:gsm8k", "--template", &template],
            "unknown variable `qestion`",
        ),
        (
            &["--judge", "rules:gsm8k", "--output", &unknown],
            "`xyz` is not the ending",
        ),
        (
            &["--judge", "rules:gsm8k", "--set", "budget.money=1"],
            "price.input",
        ),
        (
            &["--judge", "rules:gsm8k", "--set", "work.order=one"],
            "unknown field `order`",
        ),
    ];
    for (args, part) in cases {
        let failure = ask(args);
        assert!(failure.starts_with("[1] error: "), "{failure}");
        assert!(failure.contains(part), "{failure}");
    }
    let none = store.replace("store.sqlite", "none.sqlite");
    let failure = run(&["annotate", "status", "--store", &none]).failure(folder.path());
    assert!(failure.contains("there is no such file"), "{failure}");
}
