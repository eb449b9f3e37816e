//! Models and data sets of the hub through the command, from a server in this process.

#![cfg(feature = "hub")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Said, model, pref, write_pairs};
use serde_json::json;

/// Answers as the hub does, with `me/tiny`, a model, and `me/pairs`, a data set; keeps what was
/// asked for.
struct Hub {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What `main` is.
const COMMIT: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffee1234";

type Files = BTreeMap<String, Vec<u8>>;

impl Hub {
    fn new(model: Files, data: Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let list = |files: &Files| {
            let names: Vec<_> = files
                .keys()
                .map(|name| json!({"rfilename": name}))
                .collect();
            json!({"sha": COMMIT, "siblings": names})
                .to_string()
                .into_bytes()
        };
        let mut bodies = Files::new();
        bodies.insert("/api/models/me/tiny/revision/main".to_owned(), list(&model));
        for revision in ["main", COMMIT] {
            let path = format!("/api/datasets/me/pairs/revision/{revision}");
            bodies.insert(path, list(&data));
        }
        for (folder, files) in [("me/tiny", model), ("datasets/me/pairs", data)] {
            for revision in ["main", COMMIT] {
                for (name, bytes) in &files {
                    bodies.insert(
                        format!("/{folder}/resolve/{revision}/{name}"),
                        bytes.clone(),
                    );
                }
            }
        }
        let (bodies, log) = (Arc::new(bodies), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (bodies, log) = (Arc::clone(&bodies), Arc::clone(&log));
                std::thread::spawn(move || answer(stream, &bodies, &log));
            }
        });
        Self { address, asked }
    }

    /// Runs a command that knows this hub, with its cache in a folder.
    fn run(&self, folder: &Path, args: &[&str]) -> Said {
        let mut command = pref(args);
        command
            .env("HF_ENDPOINT", &self.address)
            .env("HF_HOME", folder.join("home"));
        Said::new(&command.output().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn answer(mut stream: TcpStream, bodies: &Files, log: &Mutex<Vec<String>>) {
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
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
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
        let (status, body) = match bodies.get(&path) {
            Some(body) if path.starts_with("/api") => ("200 OK", &body[..]),
            Some(body) => ("206 Partial Content", &body[..]),
            None => ("404 Not Found", &b""[..]),
        };
        let end = body.len().min(range.1.saturating_add(1));
        let part = &body[range.0.min(end)..end];
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\
             ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Type: application/json\r\n\r\n",
            part.len(),
            range.0,
            end.saturating_sub(1),
            body.len(),
            path.replace('/', "-"),
        );
        if stream.write_all(&[head.as_bytes(), part].concat()).is_err() {
            return;
        }
    }
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
    // sharded, with files that no run needs
    let mut model_files = files(Path::new(&model("llama3-scaled")));
    model_files.insert("pytorch_model.bin".to_owned(), vec![0; 1000]);
    let hub = Hub::new(
        model_files,
        Files::from([("data/train.jsonl".to_owned(), pairs)]),
    );

    let row = folder.path().join("row.jsonl");
    fs::write(&row, json!({"text": "Question: two"}).to_string()).unwrap();
    let row = row.to_str().unwrap();
    let said = hub.run(folder.path(), &["logprobs", "--model", "hub:me/tiny", row]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let local = common::run(&["logprobs", "--model", &model("llama3-scaled"), row]);
    assert_eq!(said.out, local.out);
    assert_eq!(said.lines().len(), 1);
    let asked = hub.asked();
    let shards = asked
        .iter()
        .filter(|path| path.contains("-of-00003.safetensors"));
    assert!(shards.count() >= 3, "{asked:?}");
    assert!(
        !asked.iter().any(|path| path.contains("pytorch_model")),
        "{asked:?}"
    );

    // what is there is not asked for again, only the list
    let again = hub.run(
        folder.path(),
        &["generate", "--model", "hub:me/tiny@main", row],
    );
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert_eq!(hub.asked(), ["/api/models/me/tiny/revision/main"]);

    let output = folder.path().join("run").display().to_string();
    let train = |more: &[&str]| {
        let set = ["--model", "hub:me/tiny", "--data", "hub:me/pairs"];
        let all = [&["train"], &set[..], &["--output", &output], more].concat();
        hub.run(folder.path(), &all)
    };
    let said = train(&["--set", "train.steps=1"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(Path::new(&output).join("model/model.safetensors").is_file());
    assert!(Path::new(&output).join("model/tokenizer.json").is_file());

    // the rows are those of one commit, also for a run that goes on after `main` has moved
    let plan = fs::read_to_string(Path::new(&output).join("plan.toml")).unwrap();
    let pin = format!("hub:me/pairs@{COMMIT}");
    assert!(plan.contains(&format!("train = \"{pin}\"")), "{plan}");
    assert!(said.err.contains(&pin), "{}", said.err);
    hub.asked();
    let said = train(&["--set", "train.steps=2", "--resume"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let asked = hub.asked();
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
    let hub = Hub::new(only_bin, Files::new());
    let said = |name: &str| {
        let said = hub.run(folder.path(), &["generate", "--model", name]);
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
