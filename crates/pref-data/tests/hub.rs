//! Data sets of the hub, from a server inside this process: the requests, the downloaded files, and
//! the errors.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

#[path = "common/hub_server.rs"]
mod hub_server;

use hub_server::{Files, HubServer};
use pref_data::{HubOptions, ReadOptions, hub_files, read_with};

const ROW: &str = r#"{"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}"#;

/// A hub with the data set `me/pairs`.
fn hub_with(files: &[(&str, &str)]) -> HubServer {
    let files = files.iter();
    let files: Files = files
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
        .collect();
    HubServer::new(&[("datasets/me/pairs", files)])
}

fn options(hub: &HubServer, cache: &tempfile::TempDir) -> HubOptions {
    HubOptions {
        endpoint: Some(hub.address.clone()),
        cache: Some(cache.path().to_owned()),
    }
}

fn is_data(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jsonl")
}

#[test]
fn files_are_downloaded_once_and_read() {
    let hub = hub_with(&[
        ("README.md", "about"),
        ("data/train-1.jsonl", ROW),
        ("data/train-0.jsonl", ROW),
        ("data/test.jsonl", "no pair"),
        ("../outside-train.jsonl", "no pair"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let files = hub_files("me/pairs", is_data, &options(&hub, &cache)).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|f| f.file_name().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["train-0.jsonl", "train-1.jsonl"]);
    for file in &files {
        assert!(file.starts_with(cache.path()));
        let read = read_with(file, &ReadOptions::default()).unwrap();
        assert_eq!(read.rows[0].chosen.to_string(), "4");
    }
    assert!(hub.take_requests().len() > 2);
    // the second time only the list is requested
    assert_eq!(
        hub_files("me/pairs", is_data, &options(&hub, &cache)).unwrap(),
        files
    );
    assert_eq!(
        hub.take_requests(),
        ["/api/datasets/me/pairs/revision/main"]
    );

    let test = hub_files("me/pairs@main:data/te*", is_data, &options(&hub, &cache)).unwrap();
    assert_eq!(test.len(), 1);
}

#[test]
fn several_splits_of_the_hub_are_an_error() {
    let hub = hub_with(&[
        ("data/constrained.jsonl", "no pair"),
        ("data/test_prefs.jsonl", "no pair"),
        ("data/train_prefs.jsonl", ROW),
        ("data/train_sft.jsonl", "no pair"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let error = hub_files("me/pairs", is_data, &options(&hub, &cache)).unwrap_err();
    insta::assert_snapshot!(error.to_string());
    let chosen = hub_files(
        "me/pairs:data/train_prefs*",
        is_data,
        &options(&hub, &cache),
    )
    .unwrap();
    assert_eq!(chosen.len(), 1);
}

#[test]
fn missing_data_sets_and_files_are_errors() {
    let hub = hub_with(&[("README.md", "about")]);
    let cache = tempfile::tempdir().unwrap();
    let error = |spec: &str| {
        let error = hub_files(spec, is_data, &options(&hub, &cache)).unwrap_err();
        error.to_string().replace(&hub.address, "[hub]")
    };
    insta::assert_snapshot!(
        [
            error("pairs"),
            error("me/pairs"),
            error("me/pairs:*.csv"),
            error("me/pairs:[z-a"),
            error("you/pairs"),
        ]
        .join("\n")
    );
}
