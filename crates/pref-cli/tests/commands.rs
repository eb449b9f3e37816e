//! Each command as a person meets it: what it prints, where, and its exit code.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{model, run, run_with_input, workspace};
use serde_json::{Value, json};

fn losses(path: &str) -> String {
    let path = workspace("fixtures/losses").join(path);
    path.display().to_string()
}

#[test]
fn every_reference_case_passes_on_both_backends() {
    for device in ["flex", "ndarray"] {
        if device == "ndarray" && !cfg!(feature = "ndarray") {
            println!("skipped: built without ndarray");
            continue;
        }
        let said = run(&["loss", &losses(""), "--device", device]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let lines = said.lines();
        assert_eq!(lines.len(), 59);
        assert!(lines.iter().all(|line| line["ok"] == true));
        assert!(said.err.ends_with("59 cases, 0 failed\n"), "{}", said.err);
    }
}

#[test]
fn a_loss_line_holds_the_values() {
    let said = run(&["loss", &losses("dpo/undecided.json")]);
    let line = &said.lines()[0];
    assert_eq!(line["name"], "dpo/undecided");
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "name",
            "loss",
            "per_pair",
            "grad",
            "rewards",
            "granule_accuracies",
            "kl",
            "ok"
        ]
    );
}

#[test]
fn a_wrong_expectation_fails_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.json");
    let text = std::fs::read_to_string(losses("dpo/undecided.json")).unwrap();
    let mut case: Value = serde_json::from_str(&text).unwrap();
    case["expect"]["grad"][1]["chosen"][2] = json!(-0.026);
    std::fs::write(&path, case.to_string()).unwrap();
    let said = run(&["loss", path.to_str().unwrap()]);
    insta::assert_snapshot!(said.failure(folder.path()));
}

#[test]
fn cases_that_are_none_are_named_and_the_others_run() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let pair = r#"{"chosen":{"policy":[-1.0]},"rejected":{"policy":[-2.0]}}"#;
    write("a-malformed.json", "{\"objective\": ");
    write(
        "b-typo.json",
        &format!(r#"{{"objective":{{"method":"simpo","gama":1}},"data":{{"pairs":[{pair}]}}}}"#),
    );
    write(
        "c-missing.json",
        &format!(r#"{{"objective":{{"method":"dpo"}},"data":{{"pairs":[{pair}]}}}}"#),
    );
    write(
        "d-empty.json",
        r#"{"objective":{"method":"dpo"},"data":{"pairs":[]}}"#,
    );
    write(
        "e-good.json",
        &format!(r#"{{"objective":{{"method":"simpo"}},"data":{{"pairs":[{pair}]}}}}"#),
    );
    let said = run(&["loss", folder.path().to_str().unwrap()]);
    assert_eq!(said.lines().len(), 1);
    insta::assert_snapshot!(said.failure(folder.path()));
}

fn expected(name: &str) -> Value {
    let path = workspace("fixtures/models")
        .join(name)
        .join("expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn log_probs_of_ids_are_the_reference_s() {
    let expected = expected("mistral");
    let rows: String = expected["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| format!("{}\n", json!({"input_ids": case["input_ids"]})))
        .collect();
    let said = run_with_input(&["logprobs", "--model", &model("mistral")], &rows);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let cases = expected["cases"].as_array().unwrap();
    assert_eq!(said.lines().len(), cases.len());
    assert_eq!(cases.len(), 3);
    for (line, case) in said.lines().iter().zip(cases) {
        let found = line["log_probs"].as_array().unwrap();
        let wanted = case["log_probs"].as_array().unwrap();
        assert_eq!(found.len(), wanted.len());
        assert!(!found.is_empty());
        for (a, b) in found.iter().zip(wanted) {
            assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 2e-4);
        }
    }
}

#[test]
fn a_response_is_scored_after_its_prompt() {
    let rows = concat!(
        r#"{"prompt": "Question: two and two?", "response": " It is four."}"#,
        "\n",
        r#"{"text": "Question: two and two? It is four."}"#,
        "\n"
    );
    let said = run_with_input(&["logprobs", "--model", &model("llama")], rows);
    let lines = said.lines();
    let (response, whole) = (&lines[0], &lines[1]);
    assert_eq!(response["input_ids"], whole["input_ids"]);
    let n_prompt = response["n_prompt"].as_u64().unwrap() as usize;
    let whole = whole["log_probs"].as_array().unwrap();
    let found = response["log_probs"].as_array().unwrap();
    // the text is scored from its second token on
    assert_eq!(found.len(), whole.len() + 1 - n_prompt);
    assert!(!found.is_empty());
    for (a, b) in found.iter().zip(&whole[n_prompt - 1..]) {
        assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-4);
    }
}

#[test]
fn greedy_text_is_the_reference_s() {
    let expected = expected("gemma3");
    let row = json!({"input_ids": expected["greedy"]["prompt"]}).to_string();
    let gemma = model("gemma3");
    let args = [
        "generate",
        "--model",
        &gemma,
        "--max-new-tokens",
        "24",
        "--ignore-eos",
    ];
    let said = run_with_input(&args, &row);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let line = &said.lines()[0];
    assert_eq!(line["output_ids"], expected["greedy"]["continuation"]);
    assert!(line["text"].is_string());
}

#[test]
fn bad_rows_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let llama = model("llama");
    let rows = [
        "{\"input_ids\": [5, 6",
        "\n{\"input_ids\": [5, 99999]}",
        "{\"ids\": [5, 6]}",
        "{\"input_ids\": [5]}",
        "{\"text\": 3}",
        "",
    ];
    let failures: Vec<String> = rows
        .iter()
        .map(|row| run_with_input(&["logprobs", "--model", &llama], row).failure(folder.path()))
        .collect();
    insta::assert_snapshot!(failures.join(""));
}

#[test]
fn an_absent_model_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let args = ["generate", "--model", absent.to_str().unwrap()];
    let said = run_with_input(&args, "{\"text\": \"a\"}");
    insta::assert_snapshot!(said.failure(folder.path()));
}

#[test]
fn devices_that_are_not_there_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let case = losses("dpo/plain.json");
    let said = run(&["loss", &case, "--device", "tpu"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err
            .contains("known devices are flex, ndarray, cuda:N and wgpu")
    );
    if cfg!(feature = "cuda") {
        println!("skipped: built with cuda");
        return;
    }
    let said = run(&["loss", &case, "--device", "cuda:0"]);
    insta::assert_snapshot!(said.failure(folder.path()));
}

#[test]
fn objectives_are_listed() {
    insta::assert_snapshot!(run(&["objectives"]).out);
    insta::assert_snapshot!(run(&["objectives", "adpo"]).out);
    let unknown = run(&["objectives", "apdo"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.err.contains("did you mean `adpo`?"),
        "{}",
        unknown.err
    );
}
