//! Helpers for the tests: files of rows, the tokenizers of the fixtures, pairs from short texts.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

use pref_data::{Message, Pair, ReadOptions, Reading, Shape, Text, Tokenizer, read_with};

pub(crate) fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

pub(crate) fn tokenizer(name: &str) -> Tokenizer {
    Tokenizer::from_folder(&workspace("fixtures/models").join(name)).unwrap()
}

pub(crate) fn plain(prompt: &str, chosen: &str, rejected: &str) -> Pair {
    let [prompt, chosen, rejected] = [prompt, chosen, rejected].map(|t| Text::Plain(t.to_owned()));
    Pair::new(prompt, chosen, rejected, 1)
}

pub(crate) fn conversation(prompt: Vec<Message>, chosen: &str, rejected: &str) -> Pair {
    let answer = |text| Text::Conversation(vec![turn("assistant", text)]);
    Pair::new(
        Text::Conversation(prompt),
        answer(chosen),
        answer(rejected),
        1,
    )
}

pub(crate) fn turn(role: &str, content: &str) -> Message {
    Message::new(role, content)
}

pub(crate) const ROWS: &str = r#"{"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}
{"prompt": "Größe?", "chosen": "groß 🐘", "rejected": "klein"}
"#;

/// A temporary folder.
pub(crate) struct Folder(pub(crate) tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The error of reading a file, with `[folder]` in place of the folder's random name.
    pub(crate) fn error(&self, path: &Path, options: &ReadOptions) -> String {
        let error = read_with(path, options).unwrap_err().to_string();
        error.replace(&self.0.path().display().to_string(), "[folder]")
    }
}

pub(crate) fn texts(pairs: &[Pair]) -> Vec<[String; 3]> {
    let of = |p: &Pair| [&p.prompt, &p.chosen, &p.rejected].map(ToString::to_string);
    pairs.iter().map(of).collect()
}

pub(crate) fn read(path: &Path) -> Reading {
    read_with(path, &ReadOptions::default()).unwrap()
}

#[track_caller]
pub(crate) fn shape(text: &str, shape: Shape) -> Vec<[String; 3]> {
    let folder = Folder::new();
    let read = read(&folder.write("rows.jsonl", text));
    assert_eq!(read.shape, shape);
    texts(&read.rows)
}
