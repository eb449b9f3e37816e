//! `pref check` and `pref pairs`: rows in, verdicts and pairs out.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{run, said};
use serde_json::{Value, json};

const SAMPLES: &str = r##"{"prompt": "7 * 6?", "response": "7 * 6 = 42\n#### 42", "answer": "42", "sample": 0, "finish_reason": "stop"}
{"prompt": "7 * 6?", "response": "The answer is \\boxed{48}.", "answer": "42", "sample": 1, "finish_reason": "stop"}
{"prompt": "7 * 6?", "response": "7 * 6 = 48\n#### 48", "answer": "42", "sample": 2, "finish_reason": "stop"}
{"prompt": "Half of 1?", "completion": [{"role": "assistant", "content": "It is $\\frac{1}{2}$"}], "answer": 0.5}
{"prompt": "Half of 1?", "response": "50\\%", "answer": 0.5}
{"prompt": "The capital?", "response": "I do not know that, sorry, because nobody ever told me", "answer": "Paris"}
"##;

fn samples(folder: &std::path::Path) -> String {
    let file = folder.join("samples.jsonl");
    std::fs::write(&file, SAMPLES).unwrap();
    file.display().to_string()
}

fn lines(file: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn answers_are_checked_and_paired() {
    let folder = tempfile::tempdir().unwrap();
    let file = samples(folder.path());
    let checked = folder.path().join("checked.jsonl");
    let pairs = folder.path().join("pairs.jsonl");
    let (checked_name, pairs_name) = (checked.display().to_string(), pairs.display().to_string());
    let summary = said(folder.path(), &["check", &file, "--output", &checked_name]);
    assert!(summary.contains("right: 3 of 6 rows, 0.5000"), "{summary}");
    assert!(summary.contains("different: 2, unknown: 1"), "{summary}");
    let rows = lines(&checked);
    let verdicts: Vec<&str> = rows
        .iter()
        .map(|row| row["verdict"].as_str().unwrap())
        .collect();
    let expected = [
        "equal",
        "different",
        "different",
        "equal",
        "equal",
        "unknown",
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(rows[0]["finish_reason"], "stop");
    assert_eq!(rows[0]["is_correct"], true);
    assert_eq!(rows[1]["extracted"], "48");
    let summary = run(&["check", &file, "--answers", "gsm8k", "--json"]);
    assert_eq!(summary.lines()[0]["equal"], 1);
    for (how, rejected) in [
        ("nearest", vec!["7 * 6 = 48\n#### 48"]),
        (
            "all",
            vec!["The answer is \\boxed{48}.", "7 * 6 = 48\n#### 48"],
        ),
    ] {
        let args = [
            "pairs",
            &checked_name,
            "--output",
            &pairs_name,
            "--choose",
            how,
        ];
        let report = said(folder.path(), &args);
        assert!(report.contains("all responses right: 1"), "{report}");
        let rows = lines(&pairs);
        let found: Vec<&str> = rows
            .iter()
            .map(|row| row["rejected"].as_str().unwrap())
            .collect();
        assert_eq!(found, rejected);
        assert_eq!(rows[0]["chosen"], "7 * 6 = 42\n#### 42");
        assert_eq!(rows[0]["answer"], "42");
    }
}

#[test]
fn what_cannot_be_checked_or_paired_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = samples(folder.path());
    let output = folder.path().join("pairs.jsonl").display().to_string();
    let cases: [(&[&str], &str); 6] = [
        (
            &["check", &file, "--column", "answer=solution"],
            "samples.jsonl:1: no field `solution`",
        ),
        (
            &["check", &file, "--answers", "best"],
            "no extraction `best`",
        ),
        (
            &["check", &file, "--answers", "regex:("],
            "is no regular expression",
        ),
        (
            &["check", &file, "--answers", "command:/no/such/program"],
            "cannot be started",
        ),
        (
            &["pairs", &file, "--output", &output],
            "rows need `is_correct`",
        ),
        (
            &["check", &file, "--output", &file],
            "is also an input file",
        ),
    ];
    for (args, expected) in cases {
        let said = run(args);
        assert_ne!(said.code, Some(0), "{args:?}");
        assert!(said.err.contains(expected), "{args:?}: {}", said.err);
    }
    assert_eq!(
        lines(std::path::Path::new(&file)).len(),
        6,
        "the input is unchanged"
    );
}

#[cfg(unix)]
#[test]
fn a_program_that_fails_is_recorded_and_started_again() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let file = samples(folder.path());
    let program = folder.path().join("check.sh");
    // It knows the first row, hangs at the second, ends at the third, and knows the others.
    let script = r#"#!/bin/sh
while read -r line; do
  case "$line" in
    *boxed*) while :; do sleep 0.05; done ;;
    *"= 48"*) exit 3 ;;
    *capital*) echo nonsense ;;
    *) echo '{"is_correct": true, "extracted": "x"}' ;;
  esac
done
"#;
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let checked = folder.path().join("checked.jsonl");
    let checked_name = checked.display().to_string();
    let command = format!("command:{}", program.display());
    let args = [
        "check",
        &file,
        "--output",
        &checked_name,
        "--answers",
        &command,
        "--time-limit",
        "2",
    ];
    let said = run(&args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let found: Vec<(bool, bool)> = lines(&checked)
        .iter()
        .map(|row| (row["is_correct"] == true, row.get("check_error").is_some()))
        .collect();
    let (right, failed) = ((true, false), (false, true));
    assert_eq!(found[..5], [right, failed, failed, right, right]);
}

#[test]
fn samples_with_and_without_thinking_become_two_sets() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut rows = Vec::new();
    for thinking in ["on", "off"] {
        for (text, is_correct) in [("right", true), ("wrong", false)] {
            let response = format!("{text} {thinking}");
            rows.push(json!({
                "prompt": "Q <think>", "response": response, "thinking": thinking, "is_correct": is_correct,
            }));
        }
    }
    let text: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(path("checked.jsonl"), text.join("\n")).unwrap();
    let pairs = |name: &str, more: &[&str]| {
        let (input, output) = (path("checked.jsonl"), path(name));
        run(&[&["pairs", &input, "--output", &output], more].concat())
    };
    let mixed = pairs("mixed.jsonl", &[]);
    assert_eq!(mixed.code, Some(1));
    assert!(
        mixed.err.contains("with and without thinking"),
        "{}",
        mixed.err
    );
    for (thinking, prompt) in [("on", "Q <think>"), ("off", "Q <think></think>")] {
        let name = format!("{thinking}.jsonl");
        let said = pairs(&name, &["--thinking", thinking]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let rows = lines(&folder.path().join(name));
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["prompt"], prompt);
        assert_eq!(rows[0]["chosen"], format!("right {thinking}"));
    }
}
