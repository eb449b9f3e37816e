//! Checks the dependencies with cargo-deny. In: `deny.toml` and the lock file. Out: whether licences, sources,
//! crates and known vulnerabilities are accepted.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The result of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// Passed, but the database of vulnerabilities could not be fetched, so it was not consulted.
    PassedWithoutAdvisories,
    Failed,
}

/// Runs cargo-deny. The database of vulnerabilities is on the network. If it cannot be fetched, only the other
/// checks decide.
///
/// # Errors
/// If cargo-deny is not installed.
pub(crate) fn check(root: &Path) -> Result<Verdict> {
    if !succeeds(root, &["--version"])? {
        bail!("cargo-deny is not installed; install it with `cargo install cargo-deny --locked`");
    }
    if !succeeds(root, &["check", "bans", "licenses", "sources"])? {
        return Ok(Verdict::Failed);
    }
    if !succeeds(root, &["fetch", "db"])? {
        return Ok(Verdict::PassedWithoutAdvisories);
    }
    match succeeds(root, &["check", "advisories"])? {
        true => Ok(Verdict::Passed),
        false => Ok(Verdict::Failed),
    }
}

fn succeeds(root: &Path, arguments: &[&str]) -> Result<bool> {
    println!("$ cargo deny {}", arguments.join(" "));
    let mut command = workspace::cargo();
    let status = command
        .current_dir(root)
        .arg("deny")
        .args(arguments)
        .status()
        .context("cargo deny")?;
    Ok(status.success())
}
