//! Models and data sets of the hub through the command, from a server in this process.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;
#[path = "../../pref-data/tests/common/hub_server.rs"]
mod hub_server;

use std::fs;
use std::path::Path;

use common::{Said, model, pref, write_pairs};
use hub_server::{COMMIT, Files, HubServer};
use serde_json::json;

/// A hub with the model `me/tiny` and the data set `me/pairs`.
fn hub_with(model: Files, data: Files) -> HubServer {
    HubServer::new(&[("models/me/tiny", model), ("datasets/me/pairs", data)])
}

/// Runs a command that uses this hub, with its cache in a folder.
fn run_with(hub: &HubServer, folder: &Path, args: &[&str]) -> Said {
    let mut command = pref(args);
    command
        .env("HF_ENDPOINT", &hub.address)
        .env("HF_HOME", folder.join("home"));
    Said::new(&command.output().unwrap())
}

/// The files of a folder.
fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(&path).unwrap())
    };
    entries.map(file).collect()
}

#[test]
fn a_model_and_pairs_of_the_hub_are_trained_on_and_scored() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = fs::read(write_pairs(folder.path(), 4)).unwrap();
    // weights in several files, and a file that no run needs
    let mut model_files = files(Path::new(&model("llama3-scaled")));
    model_files.insert("pytorch_model.bin".to_owned(), vec![0; 1000]);
    let hub = hub_with(
        model_files,
        Files::from([("data/train.jsonl".to_owned(), pairs)]),
    );

    let row = folder.path().join("row.jsonl");
    fs::write(&row, json!({"text": "Question: two"}).to_string()).unwrap();
    let row = row.to_str().unwrap();
    let said = run_with(
        &hub,
        folder.path(),
        &["logprobs", "--model", "hub:me/tiny", row],
    );
    assert_eq!(said.code, Some(0), "{}", said.err);
    let local = common::run(&["logprobs", "--model", &model("llama3-scaled"), row]);
    assert_eq!(said.out, local.out);
    assert_eq!(said.lines().len(), 1);
    let asked = hub.take_requests();
    let shards = asked
        .iter()
        .filter(|path| path.contains("-of-00003.safetensors"));
    assert!(shards.count() >= 3, "{asked:?}");
    assert!(
        !asked.iter().any(|path| path.contains("pytorch_model")),
        "{asked:?}"
    );

    // the second time only the list is requested
    let again = run_with(
        &hub,
        folder.path(),
        &["generate", "--model", "hub:me/tiny@main", row],
    );
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(hub.take_requests(), ["/api/models/me/tiny/revision/main"]);

    let output = folder.path().join("run").display().to_string();
    let train = |more: &[&str]| {
        let set = ["--model", "hub:me/tiny", "--data", "hub:me/pairs"];
        let all = [&["train"], &set[..], &["--output", &output], more].concat();
        run_with(&hub, folder.path(), &all)
    };
    let said = train(&["--set", "train.steps=1"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(Path::new(&output).join("model/model.safetensors").is_file());
    assert!(Path::new(&output).join("model/tokenizer.json").is_file());

    // A resumed run reads the rows of the same commit, even if `main` has moved.
    let plan = fs::read_to_string(Path::new(&output).join("plan.toml")).unwrap();
    let pin = format!("hub:me/pairs@{COMMIT}");
    assert!(plan.contains(&format!("train = \"{pin}\"")), "{plan}");
    assert!(said.err.contains(&pin), "{}", said.err);
    hub.take_requests();
    let said = train(&["--set", "train.steps=2", "--resume"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let asked = hub.take_requests();
    assert!(!asked.is_empty());
    let unpinned = "/api/datasets/me/pairs/revision/main";
    assert!(!asked.iter().any(|path| path == unpinned), "{asked:?}");
}

#[test]
fn models_that_are_not_to_be_had_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let only_bin = Files::from([
        ("config.json".to_owned(), b"{}".to_vec()),
        ("pytorch_model.bin".to_owned(), vec![0; 10]),
    ]);
    let hub = hub_with(only_bin, Files::new());
    let said = |name: &str| {
        let said = run_with(&hub, folder.path(), &["generate", "--model", name]);
        said.failure(folder.path()).replace(&hub.address, "[hub]")
    };
    let names = [
        "hub:me/tiny",
        "hub:me/other",
        "hub:tiny",
        "me/tiny",
        "some/where/else",
    ];
    let all: Vec<String> = names.iter().map(|name| said(name)).collect();
    insta::assert_snapshot!(all.join(""));
}

#[test]
fn a_repository_with_restricted_access_is_read_with_the_token_of_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = fs::read(write_pairs(folder.path(), 3)).unwrap();
    let data = Files::from([("data/train.jsonl".to_owned(), pairs)]);
    let hub = hub_with(Files::new(), data);
    hub.require_token("hf_mine");
    let stats = |token: &str| {
        let mut command = pref(&["data", "stats", "hub:me/pairs", "--json"]);
        command
            .env("HF_ENDPOINT", &hub.address)
            .env("HF_HOME", folder.path().join("home"))
            .env("HF_TOKEN", token);
        Said::new(&command.output().unwrap())
    };
    let refused = stats("hf_other");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("401"), "{}", refused.err);
    let read = stats("hf_mine");
    assert_eq!(read.code, Some(0), "{}", read.err);
}
