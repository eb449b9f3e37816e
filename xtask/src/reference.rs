//! `cargo xtask reference`: the reference folder in, up-to-date `fixtures/` out.
//!
//! Only files that differ are written. What `fixtures/` holds beyond the reference, its README
//! and the project's own cases, is left alone and named.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The folders that the project keeps; the rest of the reference is read where it lies.
const KEPT: [&str; 2] = ["losses", "models"];

/// What happened to one file, by its path below `fixtures/`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Added(PathBuf),
    Updated(PathBuf),
    /// In `fixtures/`, but not in the reference.
    OnlyHere(PathBuf),
}

/// Copies the kept folders from `from`, or from `../shared/reference` beside the workspace.
pub(crate) fn run(from: Option<&Path>) -> Result<ExitCode> {
    let root = workspace::root()?;
    let from = match from {
        Some(folder) => folder.to_owned(),
        None => root.join("../shared/reference"),
    };
    let mut changes = Vec::new();
    for folder in KEPT {
        let source = from.join(folder);
        if !source.is_dir() {
            bail!(
                "{}: no such folder; name the reference with `--from DIR`",
                source.display()
            );
        }
        let target = root.join("fixtures").join(folder);
        changes.extend(refresh(&source, &target, Path::new(folder))?);
    }
    for change in &changes {
        match change {
            Change::Added(path) => println!("added    fixtures/{}", path.display()),
            Change::Updated(path) => println!("updated  fixtures/{}", path.display()),
            Change::OnlyHere(path) => println!(
                "kept     fixtures/{} (not in the reference)",
                path.display()
            ),
        }
    }
    if changes.is_empty() {
        println!("fixtures/ agrees with {}", from.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes `target` hold every file of `source`; `label` names both in the changes.
fn refresh(source: &Path, target: &Path, label: &Path) -> Result<Vec<Change>> {
    let wanted = files(source)?;
    let mut changes = Vec::new();
    for path in &wanted {
        let from = source.join(path);
        let to = target.join(path);
        let bytes = fs::read(&from).with_context(|| from.display().to_string())?;
        let change = match fs::read(&to) {
            Ok(present) if present == bytes => continue,
            Ok(_) => Change::Updated(label.join(path)),
            Err(_) => Change::Added(label.join(path)),
        };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&to, bytes).with_context(|| to.display().to_string())?;
        changes.push(change);
    }
    if target.is_dir() {
        let extra = files(target)?
            .into_iter()
            .filter(|path| !wanted.contains(path));
        changes.extend(extra.map(|path| Change::OnlyHere(label.join(path))));
    }
    Ok(changes)
}

/// Every file below `folder`, relative to it.
fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let here = folder.join(&below);
        for entry in fs::read_dir(&here).with_context(|| here.display().to_string())? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Refreshes a folder holding `present` from one holding `source`; gives the changes, and
    /// what a second refresh would change.
    fn refreshed(source: &[(&str, &str)], present: &[(&str, &str)]) -> [Vec<Change>; 2] {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(&from).unwrap();
        source
            .iter()
            .for_each(|(path, text)| write(&from, path, text));
        present
            .iter()
            .for_each(|(path, text)| write(&to, path, text));
        let first = refresh(&from, &to, Path::new("losses")).unwrap();
        for (path, text) in source {
            assert_eq!(fs::read_to_string(to.join(path)).unwrap(), *text, "{path}");
        }
        [first, refresh(&from, &to, Path::new("losses")).unwrap()]
    }

    #[test]
    fn a_missing_file_is_added_and_an_old_one_updated() {
        let source = [
            ("dpo/plain.json", "1"),
            ("dpo/smoothed.json", "2"),
            ("ipo/sum.json", "3"),
        ];
        let present = [("dpo/plain.json", "0"), ("ipo/sum.json", "3")];
        let [first, second] = refreshed(&source, &present);
        let expected = [
            Change::Updated("losses/dpo/plain.json".into()),
            Change::Added("losses/dpo/smoothed.json".into()),
        ];
        assert_eq!(first, expected);
        assert_eq!(second, []);
    }

    #[test]
    fn the_projects_own_file_is_kept_and_named() {
        let [first, second] = refreshed(&[("a.json", "1")], &[("a.json", "1"), ("own.json", "2")]);
        let expected = [Change::OnlyHere("losses/own.json".into())];
        assert_eq!(first, expected);
        assert_eq!(second, expected);
    }
}
