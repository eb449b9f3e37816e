//! Data sets of the hub, from a server in this process: what is asked for, what is kept, what is
//! said when it goes wrong.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pref_data::{HubOptions, ReadOptions, hub_files, read_with};

const ROW: &str = r#"{"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}"#;

/// Answers as the hub does; keeps the paths that were asked for.
struct Hub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn new(files: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let owned = files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let files: BTreeMap<String, String> = owned.collect();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (files, log) = (files.clone(), Arc::clone(&log));
                std::thread::spawn(move || answer(stream, &files, &log));
            }
        });
        Self { address, asked }
    }

    fn options(&self, cache: &tempfile::TempDir) -> HubOptions {
        HubOptions {
            endpoint: Some(self.address.clone()),
            cache: Some(cache.path().to_owned()),
        }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, String>, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let mut range = (0, usize::MAX);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let header = header.trim().to_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("range: bytes=") {
                let (start, end) = value.split_once('-').unwrap();
                range = (start.parse().unwrap(), end.parse().unwrap_or(usize::MAX));
            }
        }
        log.lock().unwrap().push(path.clone());
        let names: Vec<_> = files
            .keys()
            .map(|n| serde_json::json!({"rfilename": n}))
            .collect();
        let list = serde_json::json!({"sha": "c0ffee", "siblings": names}).to_string();
        let file = path.strip_prefix("/datasets/me/pairs/resolve/main/");
        let (status, body) = match file.and_then(|name| files.get(name)) {
            Some(text) => ("206 Partial Content", text.as_str()),
            None if path == "/api/datasets/me/pairs/revision/main" => ("200 OK", list.as_str()),
            None => ("404 Not Found", ""),
        };
        let end = body.len().min(range.1.saturating_add(1));
        let part = &body[range.0.min(end)..end];
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\
             ETag: \"{}\"\r\nX-Repo-Commit: c0ffee\r\nContent-Type: application/json\r\n\r\n",
            part.len(),
            range.0,
            end.saturating_sub(1),
            body.len(),
            path.replace('/', "-"),
        );
        stream
            .write_all(format!("{head}{part}").as_bytes())
            .unwrap();
    }
}

fn is_data(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|ending| ending == "jsonl")
}

#[test]
fn files_are_downloaded_once_and_read() {
    let hub = Hub::new(&[
        ("README.md", "about"),
        ("data/train-1.jsonl", ROW),
        ("data/train-0.jsonl", ROW),
        ("data/test.jsonl", "no pair"),
        ("../outside-train.jsonl", "no pair"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let files = hub_files("me/pairs", is_data, &hub.options(&cache)).unwrap();
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
    assert!(hub.asked().len() > 2);
    // what is there is not asked for again, only the list
    assert_eq!(
        hub_files("me/pairs", is_data, &hub.options(&cache)).unwrap(),
        files
    );
    assert_eq!(hub.asked(), ["/api/datasets/me/pairs/revision/main"]);

    let test = hub_files("me/pairs@main:data/te*", is_data, &hub.options(&cache)).unwrap();
    assert_eq!(test.len(), 1);
}

#[test]
fn several_splits_of_the_hub_are_a_question() {
    let hub = Hub::new(&[
        ("data/constrained.jsonl", "no pair"),
        ("data/test_prefs.jsonl", "no pair"),
        ("data/train_prefs.jsonl", ROW),
        ("data/train_sft.jsonl", "no pair"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let error = hub_files("me/pairs", is_data, &hub.options(&cache)).unwrap_err();
    insta::assert_snapshot!(error.to_string());
    let chosen = hub_files("me/pairs:data/train_prefs*", is_data, &hub.options(&cache)).unwrap();
    assert_eq!(chosen.len(), 1);
}

#[test]
fn what_the_hub_has_not_is_said() {
    let hub = Hub::new(&[("README.md", "about")]);
    let cache = tempfile::tempdir().unwrap();
    let error = |spec: &str| {
        let error = hub_files(spec, is_data, &hub.options(&cache)).unwrap_err();
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
