//! `cargo xtask tidy`: checks the workspace's files. In: all text files. Out: a list of complaints.
//!
//! It checks what the compiler and clippy cannot check:
//! - every path in the pages exists,
//! - every source file begins with `//!`,
//! - no two files of a crate import each other,
//! - the invariants of `ARCHITECTURE.md` hold,
//! - the list of files in `ARCHITECTURE.md` is current.

mod circles;
mod complaint;
mod invariants;
mod pages;
mod sources;
mod tree;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace;
use complaint::{Complaint, Text};

/// The page with the list of files.
const LISTED_IN: &str = "ARCHITECTURE.md";

/// Whether the list of files is compared with the page or written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Check,
    Fix,
}

/// Runs every check and prints the complaints; the exit code is 1 if there are any.
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
    complaints.extend(circles::check(&texts));

    let drawn = tree::draw(&texts);
    match (texts.iter().find(|text| text.path == LISTED_IN), mode) {
        (None, _) => complaints.push(Complaint {
            path: LISTED_IN.to_owned(),
            line: None,
            message: "missing".to_owned(),
        }),
        (Some(page), Mode::Check) => complaints.extend(tree::check(page, &drawn)),
        (Some(page), Mode::Fix) => match tree::replace(&page.text, &drawn) {
            Some(text) if text == page.text => {
                println!("{LISTED_IN}: the list of files is current");
            }
            Some(text) => {
                let path = root.join(LISTED_IN);
                fs::write(&path, text).with_context(|| path.display().to_string())?;
                println!("{LISTED_IN}: list of files rewritten");
            }
            None => complaints.extend(tree::check(page, &drawn)),
        },
    }

    for complaint in &complaints {
        println!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: {} files, no complaints", texts.len());
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
