//! `pref sample`: rows and their answers, the same bytes with any batch and after a kill, and bad input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Said, model, pref, run, run_with_input};
use serde_json::{Value, json};

/// Rows with prompts of three kinds, and other fields.
fn rows(n: usize) -> Vec<Value> {
    let row = |i: usize| {
        let question = format!("What is {i} + {}?", i * 7 % 11);
        let turns = json!([{"role": "user", "content": question}]);
        match i % 3 {
            0 => json!({"prompt": question, "answer": i}),
            1 => json!({"id": i, "prompt": turns}),
            _ => {
                let answer = json!({"role": "assistant", "content": "no"});
                json!({"messages": [turns[0], answer], "id": i})
            }
        }
    };
    (0..n).map(row).collect()
}

fn write(folder: &Path, name: &str, rows: &[Value]) -> String {
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let path = folder.join(name);
    fs::write(&path, lines).unwrap();
    path.display().to_string()
}

fn args(data: &str, output: &Path, more: &[&str]) -> Vec<String> {
    let output = output.display().to_string();
    let model = model("llama");
    let first = ["sample", data, "--model", &model, "--output", &output];
    let all = [&first[..], &["--max-new-tokens", "24"], more].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn sample(data: &str, output: &Path, more: &[&str]) -> Said {
    let args = args(data, output, more);
    run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn rows_keep_their_fields_and_get_answers() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), "rows.jsonl", &rows(5));
    let output = folder.path().join("samples.jsonl");
    let said = sample(&data, &output, &["--n", "3", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let found = read(&output);
    assert_eq!(found.len(), 15);
    for (i, row) in found.iter().enumerate() {
        for (name, value) in rows(5)[i / 3].as_object().unwrap() {
            assert_eq!(&row[name], value);
        }
        assert_eq!(row["sample"], i % 3);
        let n = row["n_tokens"].as_u64().unwrap();
        let is_whole = row["finish_reason"] == "length";
        assert!(n == 24 || !is_whole && n < 24, "{row}");
        assert!(row["response"].is_string() && row.get("thinking").is_none());
    }
    let mut answers: Vec<&Value> = found[..3].iter().map(|row| &row["response"]).collect();
    answers.dedup();
    assert_eq!(answers.len(), 3, "samples differ");
    let summary = &said.lines()[0];
    assert_eq!(
        (&summary["answers"], &summary["rows"]),
        (&json!(15), &json!(5))
    );
    let n_tokens: u64 = found
        .iter()
        .map(|row| row["n_tokens"].as_u64().unwrap())
        .sum();
    assert_eq!(summary["new_tokens"], n_tokens);

    // Greedy answers are those of `pref generate`.
    let greedy = folder.path().join("greedy.jsonl");
    assert_eq!(sample(&data, &greedy, &["--greedy"]).code, Some(0));
    let input: String = rows(2).iter().map(|row| format!("{row}\n")).collect();
    let generate = [
        "generate",
        "--model",
        &model("llama"),
        "--max-new-tokens",
        "24",
    ];
    let said = run_with_input(&generate, &input);
    for (row, line) in read(&greedy).iter().zip(said.lines()) {
        assert_eq!(row["response"], line["text"]);
    }
}

#[test]
fn the_batch_and_a_kill_change_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), "rows.jsonl", &rows(150));
    let path = |name: &str| folder.path().join(name);
    let flags = ["--n", "4", "--seed", "3", "--thinking", "both"];
    let whole = path("whole.jsonl");
    assert_eq!(sample(&data, &whole, &flags).code, Some(0));
    let expected = fs::read(&whole).unwrap();
    assert_eq!(read(&whole).len(), 1200);

    let killed = path("killed.jsonl");
    let part = path("killed.jsonl.part");
    let n_lines = || fs::read_to_string(&part).map_or(0, |text| text.lines().count());
    let mut n_kills = 0;
    let batches = ["3", "64", "17"];
    for batch in batches {
        let more = [&flags[..], &["--batch-size", batch]].concat();
        let all = args(&data, &killed, &more);
        let mut child = pref(&all.iter().map(String::as_str).collect::<Vec<_>>())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let enough = n_lines() + 100;
        let started = Instant::now();
        while n_lines() < enough && child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(120), "no answers");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap(); // SIGKILL
        n_kills += usize::from(!child.wait().unwrap().success());
        assert!(!killed.exists());
    }
    assert_eq!(n_kills, batches.len());

    // Other settings and other rows are refused.
    let said = sample(
        &data,
        &killed,
        &["--n", "4", "--seed", "4", "--thinking", "both"],
    );
    assert!(said.err.contains("other settings"), "{}", said.err);
    let mut changed = rows(150);
    changed[0]["answer"] = json!("another");
    let changed = write(folder.path(), "changed.jsonl", &changed);
    let said = sample(&changed, &killed, &flags);
    assert!(said.err.contains("differs from the row"), "{}", said.err);
    let fewer = write(folder.path(), "fewer.jsonl", &rows(1));
    let said = sample(&fewer, &killed, &flags);
    assert!(said.err.contains("that are not in"), "{}", said.err);

    let said = sample(&data, &killed, &flags);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(
        said.err.contains("answers were drawn before"),
        "{}",
        said.err
    );
    assert!(fs::read(&killed).unwrap() == expected, "the bytes differ");
    assert!(!part.exists() && !path("killed.jsonl.part.json").exists());
}

#[test]
fn an_empty_thought_follows_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), "rows.jsonl", &rows(2));
    let both = folder.path().join("both.jsonl");
    let said = sample(
        &data,
        &both,
        &["--thinking", "both", "--n", "2", "--greedy"],
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let found = read(&both);
    let order: Vec<(&Value, &Value)> = found
        .iter()
        .map(|r| (&r["thinking"], &r["sample"]))
        .collect();
    let of_row = [("on", 0), ("on", 1), ("off", 0), ("off", 1)];
    let expected: Vec<(Value, Value)> = [of_row, of_row]
        .concat()
        .into_iter()
        .map(|(thinking, sample)| (json!(thinking), json!(sample)))
        .collect();
    let expected: Vec<(&Value, &Value)> = expected.iter().map(|(a, b)| (a, b)).collect();
    assert_eq!(order, expected);
    // The same answer as to a prompt that was written with the empty thought.
    let prompt = format!("{}<think></think>", rows(1)[0]["prompt"].as_str().unwrap());
    let written = write(folder.path(), "written.jsonl", &[json!({"prompt": prompt})]);
    let output = folder.path().join("written-samples.jsonl");
    assert_eq!(sample(&written, &output, &["--greedy"]).code, Some(0));
    assert_eq!(read(&output)[0]["response"], found[2]["response"]);
}

#[test]
fn a_stop_string_ends_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), "rows.jsonl", &rows(1));
    let whole = folder.path().join("whole.jsonl");
    assert_eq!(sample(&data, &whole, &["--greedy"]).code, Some(0));
    let text = read(&whole)[0]["response"].as_str().unwrap().to_owned();
    let middle: Vec<char> = text
        .chars()
        .skip(text.chars().count() / 2)
        .take(3)
        .collect();
    let stop: String = middle.into_iter().collect();
    let output = folder.path().join("stopped.jsonl");
    assert_eq!(
        sample(&data, &output, &["--greedy", "--stop", &stop]).code,
        Some(0)
    );
    let row = &read(&output)[0];
    assert_eq!(row["response"], text[..text.find(&stop).unwrap()]);
    assert_eq!(row["finish_reason"], "stop");
}

#[test]
fn bad_input_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("samples.jsonl");
    let long = "a b c d e f g h ".repeat(200);
    let cases = [
        json!({"question": "2 + 2?"}),
        json!({"prompt": ""}),
        json!({"prompt": "2 + 2?", "response": "4"}),
        json!({"messages": [{"role": "assistant", "content": "4"}]}),
        json!({"prompt": long}),
        json!({"prompt": 3}),
    ];
    let mut failures: Vec<String> = cases
        .iter()
        .map(|row| {
            let data = write(folder.path(), "row.jsonl", std::slice::from_ref(row));
            sample(&data, &output, &[]).failure(folder.path())
        })
        .collect();
    let mut all = rows(2);
    all.extend(cases);
    let data = write(folder.path(), "all.jsonl", &all);
    let skipped = folder.path().join("skipped.jsonl");
    let said = sample(&data, &skipped, &["--on-error", "skip"]);
    let speed = without_speed(&said.failure(folder.path()));
    failures.push(speed);
    assert_eq!(read(&skipped).len(), 2);
    failures.push(sample(&data, &skipped, &[]).failure(folder.path()));
    for more in [
        &["--temperature", "-1"][..],
        &["--top-p", "0"],
        &["--min-p", "2"],
        &["--stop", ""],
        &["--max-new-tokens", "0"],
    ] {
        failures.push(sample(&data, &output, more).failure(folder.path()));
    }
    let csv = folder.path().join("samples.csv");
    failures.push(sample(&data, &csv, &[]).failure(folder.path()));
    insta::assert_snapshot!(failures.join(""));
}

/// A message without its last number, the speed.
fn without_speed(text: &str) -> String {
    let line = |line: &str| match line.strip_suffix(" tokens/s") {
        Some(before) => {
            let end = before.rfind(' ').map_or(0, |i| i + 1);
            format!("{}N tokens/s\n", &before[..end])
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}
