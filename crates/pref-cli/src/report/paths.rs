//! The folders of runs, as a user gives them. In: paths. Out: a name for each run, or an error that says where runs are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::folder::is_run;

/// The names of folders, with as many parts of the paths as tell them apart.
pub(super) fn names(paths: &[PathBuf]) -> Vec<String> {
    let parts = |path: &Path, n: usize| -> String {
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let parts: Vec<String> = full
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        parts[parts.len().saturating_sub(n)..].join("/")
    };
    for n in 1..4 {
        let names: Vec<String> = paths.iter().map(|path| parts(path, n)).collect();
        if names.iter().collect::<BTreeSet<_>>().len() == names.len() {
            return names;
        }
    }
    let shown = |path: &PathBuf| path.display().to_string();
    paths.iter().map(shown).collect()
}

/// The error for a folder that holds no run. It names the runs in its folders.
fn no_run(path: &Path) -> anyhow::Error {
    let inner = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut runs: Vec<String> = inner
        .map(|entry| entry.path())
        .filter(|path| is_run(path))
        .map(|path| path.display().to_string())
        .collect();
    runs.sort();
    let hint = match runs.is_empty() {
        true => "give the folder of a run, which is `output.folder` of its plan".to_owned(),
        false => format!("there are runs in {}", runs.join(" and ")),
    };
    let path = path.display();
    anyhow::anyhow!("{path}: not a run: there is neither metrics.jsonl nor plan.toml; {hint}")
}

/// Checks that a path is the folder of a run.
pub(super) fn check_run(path: &Path) -> Result<()> {
    if !path.exists() {
        bail!("{}: there is no such folder", path.display());
    }
    if !path.is_dir() {
        bail!(
            "{}: this is a file; give the folder of a run",
            path.display()
        );
    }
    match is_run(path) {
        true => Ok(()),
        false => Err(no_run(path)),
    }
}
