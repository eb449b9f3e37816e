//! `pref iterate` and `pref eval` as processes: files, a run that goes on, numbers, and bad input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the tests of pref-annotate use the rest"
)]
#[path = "../../pref-annotate/tests/annotate/server.rs"]
mod server;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Said, model, pref, run, workspace};
use serde_json::{Value, json};
use server::{Server, judged};

/// Problems whose answer is the last vowel of a response, so that random text is right at times.
fn problems(folder: &Path) -> String {
    let path = folder.join("problems.jsonl");
    let row =
        |i: usize| json!({"prompt": format!("Question {i}: which vowel?\nAnswer:"), "answer": "e"});
    let rows: Vec<String> = (0..6).map(|i| row(i).to_string()).collect();
    fs::write(&path, rows.join("\n")).unwrap();
    path.display().to_string()
}

const SAMPLE: &str = "--n 6 --max-new-tokens 8 --temperature 1.5";
const CHECK: &str = "--answers regex:[aeiou]";
const TRAIN: &str = "--objective dpo --set train.batch-size=4 --set train.epochs=1";

fn iterate(folder: &Path, output: &str, rounds: &str, more: &[&str]) -> Said {
    let (data, output) = (problems(folder), folder.join(output).display().to_string());
    let model = model("llama");
    let args = [
        "iterate", &data, "--model", &model, "--output", &output, "--rounds", rounds, "--eval",
        &data, "--check", CHECK, "--json",
    ];
    run(&[&args[..], more].concat())
}

#[test]
fn rounds_follow_each_other_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--sample", SAMPLE, "--train", TRAIN];
    let first = iterate(folder.path(), "a", "1", &flags);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let second = iterate(folder.path(), "a", "2", &flags);
    assert_eq!(second.code, Some(0), "{}", second.err);
    let whole = iterate(folder.path(), "b", "2", &flags);
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    let result = |said: &Said| said.lines().pop().unwrap();
    assert_eq!(result(&second)["rounds"], result(&whole)["rounds"]);
    let rounds = result(&whole)["rounds"].as_array().unwrap().clone();
    assert_eq!(rounds.len(), 3);
    assert_eq!(rounds[0]["eval"]["n"], 6);
    assert_eq!(rounds[2]["samples"]["n"], 36);
    assert!(rounds[2]["pairs"].as_u64().unwrap() > 0);
    assert!(rounds[2]["gain"]["p"].is_number());
    let bytes = |run: &str| {
        let file = "round-2/train/model/model.safetensors";
        fs::read(folder.path().join(run).join(file)).unwrap()
    };
    assert!(
        bytes("a") == bytes("b"),
        "a run that goes on ends with the same bytes"
    );

    let other = ["--sample", SAMPLE, "--train", "--objective ipo"];
    let refused = iterate(folder.path(), "a", "2", &other);
    assert!(
        refused.err.contains("was begun with train"),
        "{}",
        refused.err
    );
}

#[test]
fn changed_data_and_a_changed_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("model");
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(model("llama")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let [output, shown] = [&folder.path().join("a"), &copy].map(|path| path.display().to_string());
    let data = problems(folder.path());
    let start = |rounds: &str| {
        let args = [
            "iterate", &data, "--model", &shown, "--output", &output, "--rounds", rounds,
        ];
        let flags = ["--check", CHECK, "--sample", SAMPLE, "--train", TRAIN];
        run(&[&args[..], &flags].concat())
    };
    let said = start("1");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rows = fs::read_to_string(&data).unwrap();
    fs::write(&data, rows.replace("Question 3", "Question 7")).unwrap();
    let refused = start("2").failure(folder.path());
    let changed = "the content of [folder]/problems.jsonl has changed since [folder]/a was begun";
    assert!(refused.contains(changed), "{refused}");
    // The same rows written in another way are the same data.
    fs::write(&data, rows.replace("\": ", "\":") + "\n\n").unwrap();
    let said = start("2");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let weights = copy.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let refused = start("3").failure(folder.path());
    assert!(
        refused.contains("the content of [folder]/model has changed"),
        "{refused}"
    );
}

/// Scores that differ between answers, and are the same in every run: a sum over the question.
fn score(body: &Value) -> i64 {
    let text = body["messages"].to_string();
    text.bytes().map(i64::from).sum::<i64>() % 5
}

#[test]
fn a_judge_ranks_the_answers_of_two_rounds_and_a_kill_changes_no_byte() {
    let killed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&killed);
    let server = Server::start(move |asked| match asked.total {
        n if n >= 20 && !flag.load(Ordering::SeqCst) => server::until(&flag),
        _ => judged(&asked.body, score(&asked.body)),
    });
    let folder = tempfile::tempdir().unwrap();
    // No answers are needed, as nothing is checked.
    let data = folder.path().join("prompts.jsonl");
    let row = |i: usize| json!({"prompt": format!("Question {i}: which vowel?\nAnswer:")});
    let rows: Vec<String> = (0..5).map(|i| row(i).to_string()).collect();
    fs::write(&data, rows.join("\n")).unwrap();
    let (data, model) = (data.display().to_string(), model("llama"));
    let train = TRAIN.replace("dpo", "2d-dpo");
    let run_of = |name: &str| folder.path().join(name).display().to_string();
    let args = |output: &str| {
        let words = [
            "iterate",
            &data,
            "--model",
            &model,
            "--output",
            output,
            "--rounds",
            "2",
            "--json",
            "--judge",
            &server.url,
            "--rank",
            "--judge-model judge --set concurrency.start=2",
            "--sample",
            SAMPLE,
            "--train",
            &train,
        ];
        words.map(str::to_owned).to_vec()
    };
    let words = args(&run_of("a"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut child = pref(&words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while server.total() < 20 && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    killed.store(true, Ordering::SeqCst);
    server.wait_for_the_end_of_connections();
    assert!(server.total() >= 20);
    assert!(!folder.path().join("a/round-1/pairs.jsonl").exists());
    let goes_on = run(&words);
    assert_eq!(goes_on.code, Some(0), "{}", goes_on.err);
    assert!(goes_on.err.contains("a: going on"), "{}", goes_on.err);

    let n_before = server.total();
    let words = args(&run_of("b"));
    let whole = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(whole.code, Some(0), "{}", whole.err);
    // The first run asked some questions twice at most: those that were on their way at the kill.
    let n_whole = server.total() - n_before;
    assert!(
        (n_whole..n_whole + 40).contains(&n_before),
        "{n_before} {n_whole}"
    );
    let rounds = whole.lines().pop().unwrap()["rounds"].clone();
    assert_eq!(rounds.as_array().unwrap().len(), 2);
    assert!(rounds[1]["pairs"].as_u64().unwrap() > 0, "{rounds}");
    for file in [
        "round-1/pairs.jsonl",
        "round-2/pairs.jsonl",
        "round-2/train/model/model.safetensors",
    ] {
        let bytes = |run: &str| fs::read(folder.path().join(run).join(file)).unwrap();
        assert!(bytes("a") == bytes("b"), "{file}");
    }
    let pairs = fs::read_to_string(folder.path().join("b/round-2/pairs.jsonl")).unwrap();
    let pair: Value = serde_json::from_str(pairs.lines().next().unwrap()).unwrap();
    let rating = |side: &str| pair[format!("{side}_rating")].as_f64().unwrap();
    assert!(rating("chosen") > rating("rejected"), "{pair}");
    assert_eq!(pair["chosen_scores"][0].as_array().unwrap().len(), 5);
}

#[test]
fn an_adapter_is_merged_for_the_next_round() {
    let folder = tempfile::tempdir().unwrap();
    let train = format!("{TRAIN} --set train.lora.rank=4");
    let said = iterate(
        folder.path(),
        "run",
        "1",
        &["--sample", SAMPLE, "--train", &train],
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let round = folder.path().join("run/round-1");
    assert!(round.join("train/model/adapter_config.json").is_file());
    assert!(round.join("model/model.safetensors").is_file());
}

#[test]
fn flags_of_a_command_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let failure = |output: &str, more: &[&str]| {
        let said = iterate(folder.path(), output, "1", more);
        assert_ne!(said.code, Some(0));
        said.failure(folder.path())
    };
    let unknown = failure("a", &["--sample", "--temprature 1"]);
    assert!(unknown.contains("the flags for `pref sample`"), "{unknown}");
    assert!(unknown.contains("--temprature"), "{unknown}");
    let quote = failure("b", &["--sample", "--stop 'x"]);
    assert!(quote.contains("a quotation mark is missing"), "{quote}");
    let rank = failure("c", &["--rank", "--one-order"]);
    assert!(rank.contains("name the judge with --judge"), "{rank}");
}

fn eval(folder: &Path, models: &[&str], more: &[&str]) -> Said {
    let output = folder.join("eval").display().to_string();
    run(&[&["eval"], models, &["--output", &output, "--json"], more].concat())
}

#[test]
fn an_evaluation_has_the_numbers_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = workspace("fixtures/adapters/lora").display().to_string();
    let (base, data) = (model("llama"), problems(folder.path()));
    let pairs = folder.path().join("pairs.jsonl");
    let text = fs::read_to_string(workspace("fixtures/gsm8k/dpo-llama.jsonl")).unwrap();
    let rows: Vec<&str> = text.lines().take(4).collect();
    fs::write(&pairs, rows.join("\n")).unwrap();
    let pairs = pairs.display().to_string();
    let flags = [
        "--data",
        &data,
        "--pairs",
        &pairs,
        "--n",
        "4",
        "--check",
        CHECK,
        "--sample",
        "--max-new-tokens 8",
    ];
    let said = eval(folder.path(), &[&base, &adapter], &flags);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let result = said.lines().pop().unwrap();
    let models = result["models"].as_array().unwrap();
    let value = |i: usize, name: &str| models[i]["metrics"][name]["value"].as_f64().unwrap();
    for (i, name) in ["model-1", "model-2"].into_iter().enumerate() {
        let path = folder
            .path()
            .join("eval")
            .join(name)
            .join("samples-checked.jsonl");
        let text = fs::read_to_string(path).unwrap();
        let right = text
            .lines()
            .filter(|line| line.contains("\"is_correct\":true"));
        let share = right.count() as f64 / text.lines().count() as f64;
        assert!((value(i, "pass@1") - share).abs() < 1e-12);
        assert!(value(i, "pass@4") >= value(i, "pass@2"));
    }
    assert_eq!(value(0, "rewards/margins"), 0.0);
    assert_eq!(value(0, "kl"), 0.0);
    assert!(value(1, "kl").abs() > 0.0);
    // The log-probs are those of `pref logprobs`.
    let scored = run(&["logprobs", "--model", &adapter, &pairs]);
    let sums = scored
        .lines()
        .iter()
        .map(|line| line["chosen"]["sum"].as_f64().unwrap())
        .sum::<f64>();
    assert!((value(1, "logps/chosen") - sums / 4.0).abs() < 1e-3);

    // Other rows in the same file.
    let rows = fs::read_to_string(&data).unwrap();
    fs::write(&data, rows.replace("Question 3", "Question 7")).unwrap();
    let other = eval(folder.path(), &[&base, &adapter], &flags);
    assert!(
        other.err.contains("another content of data"),
        "{}",
        other.err
    );
    fs::write(&data, rows).unwrap();
    let again = eval(folder.path(), &[&base, &adapter], &flags);
    assert_eq!(again.lines().pop().unwrap(), result);
    let changed = eval(folder.path(), &[&adapter, &base], &flags);
    assert!(
        changed.err.contains("was made with another model"),
        "{}",
        changed.err
    );
}

#[test]
fn an_empty_sample_counts_in_the_divergence() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = workspace("fixtures/adapters/lora").display().to_string();
    let (base, data) = (model("llama"), problems(folder.path()));
    let flags = [
        "--data",
        &data,
        "--n",
        "1",
        "--reference",
        &base,
        "--sample",
        "--max-new-tokens 4",
        "--check",
        CHECK,
    ];
    let first = eval(folder.path(), &[&adapter], &flags);
    assert_eq!(first.code, Some(0), "{}", first.err);
    let at = |name: &str| folder.path().join("eval/model-1").join(name);
    let samples = fs::read_to_string(at("samples.jsonl")).unwrap();
    let mut rows: Vec<serde_json::Value> = samples
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    rows[0]["response"] = json!("");
    rows[0]["finish_reason"] = json!("stop");
    let lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    fs::write(at("samples.jsonl"), lines.join("\n")).unwrap();
    for name in ["samples-checked.jsonl", "divergence.json"] {
        fs::remove_file(at(name)).unwrap();
    }
    let second = eval(folder.path(), &[&adapter], &flags);
    assert_eq!(second.code, Some(0), "{}", second.err);
    let kl = second.lines().pop().unwrap()["models"][0]["metrics"]["kl"]["value"].clone();
    assert!(kl.as_f64().unwrap().is_finite(), "{kl}");
}

#[test]
fn an_evaluation_without_rows_or_reference_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let base = model("llama");
    let nothing = eval(folder.path(), &[&base], &[]);
    assert!(
        nothing.err.contains("nothing to evaluate on"),
        "{}",
        nothing.err
    );
    let pairs = workspace("fixtures/gsm8k/dpo-llama.jsonl")
        .display()
        .to_string();
    let alone = eval(folder.path(), &[&base], &["--pairs", &pairs]);
    assert!(alone.err.contains("need a reference"), "{}", alone.err);
    let many = eval(
        folder.path(),
        &[&base],
        &["--data", &pairs, "--n", "2", "--k", "3"],
    );
    assert!(many.err.contains("raise --n"), "{}", many.err);
}
