//! Helpers of the test files. In: arguments for `pref`. Out: its exit code, stdout and stderr.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]
#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

#[path = "../../../pref-train/tests/train/common/pairs.rs"]
mod pairs;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) use pairs::write_pairs;

/// The command that runs the built `pref`.
pub(crate) fn pref(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pref"));
    command.args(args).env("NO_COLOR", "1");
    command
}

/// Runs `pref` to its end.
pub(crate) fn run(args: &[&str]) -> Said {
    Said::new(&pref(args).output().unwrap())
}

/// Runs `pref` to its end with `input` on its stdin.
pub(crate) fn run_with_input(args: &[&str], input: &str) -> Said {
    let mut child = pref(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that fails early does not read it.
    match stdin.write_all(input.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        written => written.unwrap(),
    }
    drop(stdin);
    Said::new(&child.wait_with_output().unwrap())
}

/// The exit code and the output of a command.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn new(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Exit code and errors, without the names of temporary folders.
    pub(crate) fn failure(&self, folder: &Path) -> String {
        let code = self.code.map_or("killed".to_owned(), |c| c.to_string());
        let text = format!("[{code}] {}", self.err);
        let text = text.replace(&folder.display().to_string(), "[folder]");
        text.replace(&workspace("").display().to_string(), "[workspace]/")
    }

    /// The JSON lines on stdout.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap();
        self.out.lines().map(parse).collect()
    }
}

/// A path of the workspace.
pub(crate) fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

pub(crate) fn model(name: &str) -> String {
    let path = workspace("fixtures/models").join(name);
    path.display().to_string()
}

/// Pairs that differ, contradict each other and repeat each other.
pub(crate) const ROWS: [&str; 4] = [
    r#"{"prompt": "What is 2 + 2?\n", "chosen": "2 + 2 = 4\n#### 4", "rejected": "2 + 2 = 5\n#### 5"}"#,
    r#"{"prompt": "What is 2 + 2?\n", "chosen": "2 + 2 = 5\n#### 5", "rejected": "2 + 2 = 4\n#### 4"}"#,
    r#"{"prompt": "What is 1 + 1?\n", "chosen": "It is 2.", "rejected": "it is 2"}"#,
    r#"{"prompt": "What is 1 + 1?\n", "chosen": "It is 2.", "rejected": "it is 2"}"#,
];

/// Writes [`ROWS`] into a file.
pub(crate) fn rows(folder: &Path) -> String {
    let path = folder.join("pairs.jsonl");
    std::fs::write(&path, ROWS.join("\n")).unwrap();
    path.display().to_string()
}

/// Exit code, stdout and stderr of a command, without the folder's name.
pub(crate) fn said(folder: &Path, args: &[&str]) -> String {
    let said = run(args);
    let all = format!("exit {}\n{}--\n{}", said.code.unwrap(), said.out, said.err);
    all.replace(&folder.display().to_string(), "[folder]")
}
