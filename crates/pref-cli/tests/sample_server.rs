//! `pref sample --server` as a process: a server that turns requests away, SIGKILL, failures, and bad input.

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

use common::{model, pref, run};
use serde_json::{Value, json};
use server::{Act, Asked, Server, chat, ok, status};

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn questions(folder: &Path, n: usize) -> String {
    let path = folder.join("questions.jsonl");
    let row = |i: usize| json!({"prompt": format!("What is {i} + 1?"), "answer": i + 1});
    let rows: Vec<String> = (0..n).map(|i| row(i).to_string()).collect();
    fs::write(&path, rows.join("\n")).unwrap();
    path.display().to_string()
}

fn read(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(parse).collect()
}

/// The number of answered questions of a store.
fn n_answered(store: &str) -> usize {
    let status = run(&["annotate", "status", "--store", store, "--json"]);
    let job = status.lines().remove(0);
    usize::try_from(job["units"]["answered"].as_u64().unwrap()).unwrap()
}

/// An answer that only the question decides: right for even seeds.
fn answer(asked: &Asked) -> Act {
    let question = asked.body["messages"][0]["content"].as_str().unwrap();
    let digits = question.split(' ').nth(2).unwrap();
    let n: u64 = digits.parse().unwrap();
    let seed = asked.body["seed"].as_u64().unwrap();
    ok(&chat(&format!("A: {} ({seed})", n + 1 + seed % 2)))
}

#[test]
fn a_command_that_was_killed_asks_only_for_what_is_missing() {
    let killed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&killed);
    let server = Server::start(move |asked| match asked.total {
        n if n >= 20 && !flag.load(Ordering::SeqCst) => server::until(&flag),
        // Some are turned away, in both runs.
        3 | 7 | 30 => status(429, "slow down"),
        _ => Act::After(Duration::from_millis(30), Box::new(answer(asked))),
    });
    let folder = tempfile::tempdir().unwrap();
    let data = questions(folder.path(), 12);
    let output = path(folder.path(), "out/samples.jsonl");
    let args = [
        "sample",
        &data,
        "--server",
        &server.url,
        "--n",
        "4",
        "--temperature",
        "0.8",
        "--output",
        &output,
        "--set",
        "concurrency.start=4",
        "--set",
        "concurrency.most=4",
        "--set",
        "retry.first-wait=0.01",
    ];
    let mut child = pref(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while server.total() < 20 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    killed.store(true, Ordering::SeqCst);
    server.wait_for_the_end_of_connections();
    assert!(!Path::new(&output).exists());
    let before = server.total();
    assert!(before >= 20, "{before}");
    let store = path(folder.path(), "out/annotations.sqlite");
    let n_stored = n_answered(&store);
    assert!((1..=before).contains(&n_stored), "{n_stored} {before}");

    let said = run(&args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("48 questions to judge: "), "{}", said.err);
    assert!(said.err.contains("48 of 48 rows written"), "{}", said.err);
    // What is in the store is not asked again.
    let n_turned_away = [3, 7, 30].iter().filter(|&&n| n >= before).count();
    assert_eq!(server.total() - before, 48 - n_stored + n_turned_away);
    let found = read(&output);
    let seeds: std::collections::HashSet<&str> = found
        .iter()
        .filter_map(|row| row["response"].as_str())
        .collect();
    assert_eq!(seeds.len(), 48);
    assert_eq!(found[5]["prompt"], "What is 1 + 1?");
    assert_eq!(
        (&found[5]["sample"], &found[5]["n_tokens"]),
        (&json!(1), &json!(20))
    );

    // A run without a break has the same bytes.
    let other = path(folder.path(), "other/samples.jsonl");
    let same: Vec<&str> = args
        .iter()
        .map(|&word| if word == output { &other } else { word })
        .collect();
    assert_eq!(run(&same).code, Some(0));
    assert_eq!(fs::read(&output).unwrap(), fs::read(&other).unwrap());

    // The answers are read as those of a decoder.
    let [checked, pairs] = ["checked.jsonl", "pairs.jsonl"].map(|name| path(folder.path(), name));
    let said = run(&[
        "check",
        &output,
        "--answers",
        "regex:A: ([0-9]+)",
        "--output",
        &checked,
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = run(&["pairs", &checked, "--output", &pairs]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(read(&pairs).len() > 3, "{}", said.err);
    let again = run(&args).failure(folder.path());
    assert!(again.contains("already exists; move it away"), "{again}");
}

#[test]
fn what_failed_is_counted_and_asked_again_by_retry() {
    let server = Server::start(|asked| match asked.n {
        // The first answer to each question is refused.
        0 => status(400, "the content is not allowed"),
        _ => answer(asked),
    });
    let folder = tempfile::tempdir().unwrap();
    let data = questions(folder.path(), 3);
    let output = path(folder.path(), "samples.jsonl");
    let store = path(folder.path(), "annotations.sqlite");
    let args = [
        "sample",
        &data,
        "--server",
        &server.url,
        "--n",
        "2",
        "--output",
        &output,
    ];
    let dry = run(&[&args[..], &["--dry-run"]].concat());
    assert!(
        dry.err.contains("6 questions to judge: 0 answered"),
        "{}",
        dry.err
    );
    assert!(dry.err.contains("expected: "), "{}", dry.err);
    assert_eq!(server.total(), 0);
    let said = run(&args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("3 of 6 rows written"), "{}", said.err);
    assert!(
        said.err.contains("3 rows left out: a question has failed"),
        "{}",
        said.err
    );
    assert_eq!(read(&output).len(), 3);
    let status = run(&["annotate", "status", "--store", &store]).out;
    assert!(
        status.contains("job 1: samples of 3 rows by judge"),
        "{status}"
    );
    assert!(
        status.contains("3 questions answered, 0 open, 3 failed"),
        "{status}"
    );
    assert!(status.contains("the content is not allowed"), "{status}");
    let url = &server.url;
    let retry = [
        "annotate", "retry", "--store", &store, "--judge", url, "--output", &output,
    ];
    let said = run(&retry);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("6 of 6 rows written"), "{}", said.err);
    assert_eq!(read(&output).len(), 6);
}

#[test]
fn what_a_server_does_not_take_is_refused_before_anything_is_asked() {
    let server = Server::start(answer);
    let folder = tempfile::tempdir().unwrap();
    let data = questions(folder.path(), 1);
    let output = path(folder.path(), "samples.jsonl");
    let failure = |more: &[&str]| {
        let args = ["sample", &data, "--output", &output];
        let said = run(&[&args[..], more].concat());
        said.failure(folder.path()).replace(&server.url, "[url]")
    };
    let url = ["--server", server.url.as_str()];
    let llama = model("llama");
    let cases: [&[&str]; 9] = [
        &[],
        &["--server", "localhost:8000"],
        &["--server", &server.url, "--model", &llama],
        &["--model", &llama, "--dry-run"],
        &["--top-k", "20"],
        &["--ignore-eos"],
        &["--top-p", "2"],
        &["--set", "request.temperature=0.5"],
        &["--set", "judge.server=vlm"],
    ];
    let failures: Vec<String> = cases
        .iter()
        .map(|case| match case.first() {
            Some(&"--server" | &"--model") | None => failure(case),
            Some(_) => failure(&[&url, *case].concat()),
        })
        .collect();
    assert_eq!(server.total(), 0);
    insta::assert_snapshot!(failures.join(""));
}
