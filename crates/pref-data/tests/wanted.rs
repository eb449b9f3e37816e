//! Rows for sft: their shapes, their errors, and their tokens beside those of TRL's `SFTTrainer`.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::path::Path;

use common::Folder;
use pref_data::{
    Example, ReadError, ReadOptions, Shape, TokenizeOptions, Tokenizer, each_wanted, read_examples,
    tokenize_examples,
};
use serde_json::Value;

fn fixture(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(path)
}

fn wanted(path: &Path) -> Vec<Example> {
    let mut rows = Vec::new();
    each_wanted(path, &ReadOptions::default(), |chunk| {
        rows.extend(chunk);
        Ok::<(), ReadError>(())
    })
    .unwrap();
    rows
}

#[test]
fn rows_of_every_shape_become_the_tokens_of_trl() {
    let folder = Folder::new();
    let cases = std::fs::read_to_string(fixture("sft/tokens.jsonl")).unwrap();
    let mut n_cases = 0;
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let file = folder.write("row.jsonl", case["row"].to_string());
        let model = format!("models/{}", case["model"].as_str().unwrap());
        let tokenizer = Tokenizer::from_folder(&fixture(&model)).unwrap();
        let options = TokenizeOptions {
            all_turns: case["all_turns"].as_bool().unwrap(),
            ..TokenizeOptions::default()
        };
        let row = tokenize_examples(&wanted(&file), &tokenizer, &options).unwrap();
        let row = &row.rows[0];
        let ids = [&row.prompt[..], &row.completion].concat();
        let numbers = |key: &str| -> Vec<i64> {
            let list = case[key].as_array().unwrap();
            list.iter().map(|id| id.as_i64().unwrap()).collect()
        };
        let expected = numbers("input_ids");
        assert_eq!(
            ids.iter().map(|&id| i64::from(id)).collect::<Vec<_>>(),
            expected
        );
        let is_counted = |t: usize| {
            let t = t.checked_sub(row.prompt.len());
            t.is_some_and(|t| row.counted.as_ref().is_none_or(|counted| counted[t]))
        };
        let counted: Vec<bool> = (0..ids.len()).map(is_counted).collect();
        let mut theirs: Vec<bool> = numbers("labels").iter().map(|&id| id >= 0).collect();
        // no token predicts the first one, so its label has no effect
        theirs[0] = false;
        assert_eq!(counted, theirs, "{case}");
        n_cases += 1;
    }
    assert_eq!(n_cases, 8);
}

#[test]
fn rows_are_read_by_their_fields_and_written_as_the_same_rows() {
    let chat = r#"[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]"#;
    let share_gpt = r#"[{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]"#;
    let folder = Folder::new();
    for (row, shape) in [
        (
            r#"{"prompt": "p", "completion": "c", "id": 3}"#.to_owned(),
            Shape::PromptCompletion,
        ),
        (
            r#"{"prompt": "p", "response": "r", "sample": 0, "finish_reason": "stop"}"#.to_owned(),
            Shape::Samples,
        ),
        (
            r#"{"prompt": [{"role": "user", "content": "Hi"}], "response": "Hello"}"#.to_owned(),
            Shape::Samples,
        ),
        (
            format!(r#"{{"messages": {chat}, "response": "Good day"}}"#),
            Shape::Samples,
        ),
        (format!(r#"{{"messages": {chat}}}"#), Shape::Messages),
        (
            format!(r#"{{"prompt": "Hi", "messages": {chat}}}"#),
            Shape::Messages,
        ),
        (
            format!(r#"{{"conversations": {share_gpt}}}"#),
            Shape::Messages,
        ),
        (
            r#"{"text": "[{\"role\": \"user\"", "tools": []}"#.to_owned(),
            Shape::Text,
        ),
    ] {
        let file = folder.write("row.jsonl", &row);
        let read = read_examples(&file, &ReadOptions::default()).unwrap();
        assert_eq!(read.shape, shape, "{row}");
        assert!(shape.is_single());
        let written = folder.write("written.jsonl", read.rows[0].to_value().to_string());
        let again = read_examples(&written, &ReadOptions::default()).unwrap();
        assert_eq!(again.rows[0].content_hash(), read.rows[0].content_hash());
        assert_eq!(again.rows[0].more, read.rows[0].more);
        assert_eq!(again.rows[0].label, None);
    }
    // The answer is the sampled one, and not the one of the data.
    let row = format!(r#"{{"messages": {chat}, "response": "Good day"}}"#);
    let sampled = read_examples(&folder.write("row.jsonl", row), &ReadOptions::default()).unwrap();
    let turns = serde_json::json!([{"role": "assistant", "content": "Good day"}]);
    assert_eq!(sampled.rows[0].to_value()["completion"], turns);
    // A rating that is null is a rating.
    let row = r#"{"prompt": "p", "response": "r", "rating": null}"#;
    let rated = read_examples(&folder.write("row.jsonl", row), &ReadOptions::default());
    assert!(rated.is_err());
    let table = folder.write("rows.csv", "text,id\n[1],7\n");
    let read = read_examples(&table, &ReadOptions::default()).unwrap();
    assert_eq!(read.rows[0].completion.to_string(), "[1]");
}

#[test]
fn the_wanted_answers_of_pairs_and_of_labelled_answers_are_taken() {
    let folder = Folder::new();
    let answers = |name: &str, rows: &str| -> Vec<String> {
        let rows = wanted(&folder.write(name, rows));
        rows.iter().map(|row| row.completion.to_string()).collect()
    };
    let pairs = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;
    assert_eq!(answers("pairs.jsonl", pairs), ["a"]);
    let labelled = "{\"prompt\": \"p\", \"completion\": \"a\", \"label\": false}\n{\"prompt\": \"p\", \"completion\": \"b\", \"label\": true}";
    assert_eq!(answers("labelled.jsonl", labelled), ["b"]);
}

#[test]
fn rows_without_an_answer_are_refused() {
    let folder = Folder::new();
    let user = r#"{"role": "user", "content": "Hi"}"#;
    let assistant = r#"{"role": "assistant", "content": "Hello"}"#;
    let errors = [
        format!(r#"{{"messages": [{user}]}}"#),
        format!(r#"{{"messages": [{assistant}]}}"#),
        format!(r#"{{"messages": [{user}, {assistant}, {user}]}}"#),
        format!(r#"{{"messages": [{user}, {{"role": "assistant", "content": ""}}]}}"#),
        r#"{"messages": []}"#.to_owned(),
        r#"{"text": ""}"#.to_owned(),
        r#"{"text": 3}"#.to_owned(),
        r#"{"prompt": "p", "completion": ""}"#.to_owned(),
        r#"{"prompt": "p", "text": "t"}"#.to_owned(),
        r#"{"prompt": "p", "chosen": "c", "text": "t"}"#.to_owned(),
    ]
    .map(|row| {
        let file = folder.write("row.jsonl", &row);
        let error = read_examples(&file, &ReadOptions::default()).unwrap_err();
        error.to_string()
    });
    let pairs_needed = folder.write("row.jsonl", r#"{"text": "t"}"#);
    let error = folder.error(&pairs_needed, &ReadOptions::default());
    let folder = folder.0.path().display().to_string();
    let all = errors.join("\n").replace(&folder, "[folder]");
    insta::assert_snapshot!(format!("{all}\n{error}"));
}
