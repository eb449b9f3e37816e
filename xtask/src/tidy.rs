//! `cargo xtask tidy`: the workspace's files in, a list of complaints out.
//!
//! The checks are those that the compiler and clippy cannot make: that every path the pages name
//! exists, that a file opens by saying what it is for, that what `ARCHITECTURE.md` calls absent
//! is absent, and that the file tree in the README is the one on disk.

mod invariants;
mod pages;
mod sources;
mod tree;

use std::fmt;
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace;

/// Whether the README's file tree is compared or rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Check,
    Fix,
}

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    /// Relative to the workspace's root.
    path: String,
    /// From 1; `None` where the whole file is meant.
    line: Option<usize>,
    message: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// One text file of the workspace.
struct Text {
    /// Relative to the workspace's root, with `/`.
    path: String,
    text: String,
}

/// Runs every check and prints what each found.
pub(crate) fn run(mode: Mode) -> Result<ExitCode> {
    let root = workspace::root()?;
    let texts = read_texts(&root)?;
    let exists = |path: &str| root.join(path).exists();

    let mut complaints = Vec::new();
    for text in &texts {
        complaints.extend(sources::check(text));
        complaints.extend(pages::check(text, exists));
        complaints.extend(invariants::check(text));
    }

    let readme = "README.md";
    let drawn = tree::draw(&texts);
    match (texts.iter().find(|text| text.path == readme), mode) {
        (None, _) => complaints.push(Complaint {
            path: readme.to_owned(),
            line: None,
            message: "missing".to_owned(),
        }),
        (Some(page), Mode::Check) => complaints.extend(tree::check(page, &drawn)),
        (Some(page), Mode::Fix) => match tree::replace(&page.text, &drawn) {
            Some(text) if text == page.text => println!("{readme}: the file tree is current"),
            Some(text) => {
                let path = root.join(readme);
                fs::write(&path, text).with_context(|| path.display().to_string())?;
                println!("{readme}: file tree rewritten");
            }
            None => complaints.extend(tree::check(page, &drawn)),
        },
    }

    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: {} files, nothing to complain of", texts.len());
        return Ok(ExitCode::SUCCESS);
    }
    let n = complaints.len();
    println!("tidy: {n} complaint{}", if n == 1 { "" } else { "s" });
    Ok(ExitCode::FAILURE)
}

/// Every file of the workspace that is UTF-8 text.
fn read_texts(root: &std::path::Path) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    for path in workspace::files(root)? {
        let bytes = fs::read(root.join(&path)).with_context(|| path.clone())?;
        if let Ok(text) = String::from_utf8(bytes) {
            texts.push(Text { path, text });
        }
    }
    Ok(texts)
}
