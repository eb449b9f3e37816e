//! `pref loss`, `logprobs`, `generate` and `objectives`: what they print on stdout and stderr, and
//! their exit codes.

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
        assert_eq!(lines.len(), 60);
        assert!(lines.iter().all(|line| line["ok"] == true));
        assert!(said.err.ends_with("60 cases, 0 failed\n"), "{}", said.err);
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
    // The first token of a text has no log-prob.
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

#[test]
fn conversations_and_texts_are_the_tokens_of_the_reference() {
    let expected = expected("llama2");
    let score = |rows: &[Value]| {
        let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        run_with_input(&["logprobs", "--model", &model("llama2")], &rows.join("\n"))
    };
    // The first token of a text has no log-prob, so the empty text is left out.
    let texts = expected["texts"].as_array().unwrap().iter();
    let texts: Vec<&Value> = texts.filter(|text| text["text"] != "").collect();
    assert_eq!(texts.len(), 5);
    let rows: Vec<Value> = texts.iter().map(|t| json!({"text": t["text"]})).collect();
    let said = score(&rows);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.lines().len(), 5);
    for (line, text) in said.lines().iter().zip(&texts) {
        assert_eq!(line["input_ids"], text["input_ids"]);
    }
    // The template writes the BOS token, so the tokenizer must not add another one.
    let chats = expected["chats"].as_array().unwrap();
    assert_eq!(chats.len(), 2);
    let rows: Vec<Value> = chats
        .iter()
        .map(|c| json!({"prompt": c["messages"]}))
        .collect();
    let said = score(&rows);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.lines().len(), 2);
    for (line, chat) in said.lines().iter().zip(chats) {
        assert_eq!(line["input_ids"], chat["input_ids"]);
    }
    // Messages and their tokens are continued in the same way.
    let row = |value: &Value| {
        let llama2 = model("llama2");
        let args = ["generate", "--model", &llama2, "--max-new-tokens", "8"];
        let said = run_with_input(&args, &value.to_string());
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.lines()[0]["output_ids"].clone()
    };
    let ids = row(&json!({"input_ids": chats[1]["input_ids"]}));
    assert!(!ids.as_array().unwrap().is_empty());
    assert_eq!(row(&json!({"prompt": chats[1]["messages"]})), ids);
    assert_eq!(row(&json!({"messages": chats[1]["messages"]})), ids);
}

#[test]
fn both_answers_of_a_pair_are_scored() {
    let llama = model("llama");
    let score = |row: &Value| {
        let said = run_with_input(&["logprobs", "--model", &llama], &row.to_string());
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(said.lines().len(), 1);
        said.lines().remove(0)
    };
    for prompt in [
        json!("Question: two and two?"),
        json!([{"role": "user", "content": "two and two?"}]),
    ] {
        let pair = score(&json!({"prompt": prompt, "chosen": " It is four.", "rejected": " Five"}));
        for side in ["chosen", "rejected"] {
            let answer = &pair[side];
            let n_prompt = answer["n_prompt"].as_u64().unwrap() as usize;
            let ids = answer["input_ids"].as_array().unwrap();
            let found = answer["log_probs"].as_array().unwrap();
            assert_eq!(found.len(), ids.len() - n_prompt);
            assert!(found.len() > 1);
            // The same tokens as a row of ids have the same log-probs.
            let whole = score(&json!({"input_ids": ids}));
            let whole = &whole["log_probs"].as_array().unwrap()[n_prompt - 1..];
            assert_eq!(whole.len(), found.len());
            for (a, b) in found.iter().zip(whole) {
                assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-4);
            }
        }
        assert_ne!(pair["chosen"]["sum"], pair["rejected"]["sum"]);
        assert!(pair.get("log_probs").is_none());
    }
}

#[test]
fn rows_that_are_no_conversation_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let llama = model("llama");
    let rows = [
        json!({"prompt": 3}),
        json!({"prompt": []}),
        json!({"messages": "text"}),
        json!({"prompt": [{"role": "user"}]}),
        json!({"prompt": "a", "chosen": "b"}),
        json!({"chosen": "a", "rejected": "b"}),
        json!({"text": "a", "response": "b"}),
        json!({"prompt": "a", "chosen": "", "rejected": {"role": "user"}}),
    ];
    let said = |command: &str, row: &Value| {
        let said = run_with_input(&[command, "--model", &llama], &row.to_string());
        said.failure(folder.path())
    };
    let mut all: Vec<String> = rows.iter().map(|row| said("logprobs", row)).collect();
    let turns = json!([{"role": "user", "content": "a"}]);
    all.push(said("generate", &json!({"prompt": turns, "response": "b"})));
    insta::assert_snapshot!(all.join(""));
}

#[test]
fn a_sentencepiece_model_alone_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        let bytes = std::fs::read(workspace("fixtures/models/llama2").join(name)).unwrap();
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    std::fs::write(folder.path().join("tokenizer.model"), "").unwrap();
    let args = ["logprobs", "--model", folder.path().to_str().unwrap()];
    let said = run_with_input(&args, &json!({"text": "a"}).to_string());
    insta::assert_snapshot!(said.failure(folder.path()));
}

#[test]
fn an_unknown_setting_is_ignored_when_the_user_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(model("llama")).unwrap() {
        let path = entry.unwrap().path();
        let target = folder.path().join(path.file_name().unwrap());
        std::fs::write(target, std::fs::read(&path).unwrap()).unwrap();
    }
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    config["unheard_of"] = json!(3);
    std::fs::write(&path, config.to_string()).unwrap();
    let score = |more: &[&str]| {
        let start = ["logprobs", "--model", folder.path().to_str().unwrap()];
        run_with_input(&[&start[..], more].concat(), "{\"input_ids\": [5, 6, 7]}")
    };
    let said = score(&[]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("--ignore-config unheard_of"),
        "{}",
        said.err
    );
    let said = score(&["--ignore-config", "unheard_of"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.lines()[0]["log_probs"].as_array().unwrap().len(), 2);
}

#[test]
fn a_token_across_the_boundary_is_scored_with_the_response() {
    let llama = model("llama");
    let score = |row: Value| {
        let said = run_with_input(&["logprobs", "--model", &llama], &row.to_string());
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.lines().remove(0)
    };
    let ids = |line: &Value| line["input_ids"].as_array().unwrap().clone();
    let both = score(json!({"prompt": "Question: two and two? f", "response": "our"}));
    let whole = score(json!({"text": "Question: two and two? four"}));
    assert_eq!(ids(&both), ids(&whole));
    let alone = ids(&score(json!({"text": "Question: two and two? f"})));
    let n_prompt = both["n_prompt"].as_u64().unwrap() as usize;
    assert!(n_prompt < alone.len(), "{n_prompt} of {alone:?}");
    assert_eq!(ids(&both)[..n_prompt], alone[..n_prompt]);
    let scored = both["log_probs"].as_array().unwrap();
    assert_eq!(scored.len(), ids(&both).len() - n_prompt);
}
