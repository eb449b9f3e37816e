//! `pref check` and `pref pairs`: rows in, verdicts and pairs out.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{run, said};
use serde_json::Value;

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
    let (checked, pairs) = (
        folder.path().join("checked.jsonl"),
        folder.path().join("pairs.jsonl"),
    );
    let (checked_name, pairs_name) = (checked.display().to_string(), pairs.display().to_string());
    insta::assert_snapshot!(said(
        folder.path(),
        &["check", &file, "--output", &checked_name]
    ));
    let rows = lines(&checked);
    let verdicts: Vec<&str> = rows
        .iter()
        .map(|row| row["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(
        verdicts,
        [
            "equal",
            "different",
            "different",
            "equal",
            "equal",
            "unknown"
        ]
    );
    assert_eq!(
        (&rows[0]["finish_reason"], &rows[0]["is_correct"]),
        (&Value::from("stop"), &Value::from(true))
    );
    assert_eq!(rows[1]["extracted"], "48");
    insta::assert_snapshot!(said(
        folder.path(),
        &["check", &file, "--answers", "gsm8k", "--json"]
    ));
    for how in ["random", "nearest", "all"] {
        let report = said(
            folder.path(),
            &[
                "pairs",
                &checked_name,
                "--output",
                &pairs_name,
                "--choose",
                how,
            ],
        );
        insta::assert_snapshot!(format!(
            "{how}\n{report}{}",
            std::fs::read_to_string(&pairs).unwrap()
        ));
    }
    insta::assert_snapshot!(said(folder.path(), &["lint", &pairs_name]));
}

#[test]
fn what_cannot_be_checked_or_paired_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let file = samples(folder.path());
    let output = folder.path().join("pairs.jsonl").display().to_string();
    let cases: [&[&str]; 6] = [
        &["check", &file, "--column", "answer=solution"],
        &["check", &file, "--answers", "best"],
        &["check", &file, "--answers", "regex:("],
        &["check", &file, "--answers", "command:/no/such/program"],
        &["pairs", &file, "--output", &output],
        &["check", &file, "--output", &file],
    ];
    let all: Vec<String> = cases.iter().map(|args| said(folder.path(), args)).collect();
    insta::assert_snapshot!(all.join("\n"));
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
