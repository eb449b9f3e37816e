//! `cargo xtask reference`: refreshes `fixtures/`. In: the reference folder. Out: files that differ are
//! copied.
//!
//! Only files that differ are written. Files that only `fixtures/` has, such as its README and the
//! project's own cases, are not changed but listed. The folder beside the reference has pairs of GSM8K; the
//! rows that a trajectory was made with are copied.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use serde_json::Value;

use crate::workspace;

/// The folders of the reference that are copied.
const COPIED: [&str; 4] = ["adapters", "losses", "models", "trajectories"];

/// The folder of GSM8K's pairs, beside the reference and in `fixtures/`.
const GSM8K: &str = "gsm8k";

/// What was done with one file. The path is relative to `fixtures/`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Added(PathBuf),
    Updated(PathBuf),
    /// In `fixtures/`, but not in the reference.
    OnlyHere(PathBuf),
}

/// Copies from the folder `from`, or from `../shared/reference` beside the workspace.
pub(crate) fn run(from: Option<&Path>) -> Result<ExitCode> {
    let root = workspace::root()?;
    let from = match from {
        Some(folder) => folder.to_owned(),
        None => root.join("../shared/reference"),
    };
    let mut changes = Vec::new();
    for folder in COPIED {
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
    changes.extend(cut_pairs(&from, &root.join("fixtures"))?);
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

/// Copies every file of `source` that differs to `target`. The paths of the changes begin with
/// `label`.
fn refresh(source: &Path, target: &Path, label: &Path) -> Result<Vec<Change>> {
    let wanted = files(source)?;
    let mut changes = Vec::new();
    for path in &wanted {
        let from = source.join(path);
        let to = target.join(path);
        let bytes = fs::read(&from).with_context(|| from.display().to_string())?;
        changes.extend(update(&to, &bytes, label.join(path))?);
    }
    if target.is_dir() {
        let extra = files(target)?
            .into_iter()
            .filter(|path| !wanted.contains(path));
        changes.extend(extra.map(|path| Change::OnlyHere(label.join(path))));
    }
    Ok(changes)
}

/// Writes `bytes` to a file, unless the file already has this content.
fn update(to: &Path, bytes: &[u8], label: PathBuf) -> Result<Option<Change>> {
    let change = match fs::read(to) {
        Ok(present) if present == bytes => return Ok(None),
        Ok(_) => Change::Updated(label),
        Err(_) => Change::Added(label),
    };
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(to, bytes).with_context(|| to.display().to_string())?;
    Ok(Some(change))
}

/// Copies the licence of GSM8K, and for each trajectory the rows that it was made with. The rows go into a file
/// with the name of the trajectory. `pairs` in the trajectory is their range, `[start, end)`.
fn cut_pairs(reference: &Path, fixtures: &Path) -> Result<Vec<Change>> {
    let source = reference.join("..").join(GSM8K);
    let read = |name: &str| {
        let path = source.join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let target = fixtures.join(GSM8K);
    let label = Path::new(GSM8K);
    let licence = read("LICENSE")?;
    let to = target.join("LICENSE");
    let mut changes = Vec::from_iter(update(&to, licence.as_bytes(), label.join("LICENSE"))?);
    let pairs = read("pairs.jsonl")?;
    let trajectories = reference.join("trajectories");
    for path in files(&trajectories)? {
        let from = trajectories.join(&path);
        let text = fs::read_to_string(&from).with_context(|| from.display().to_string())?;
        let trajectory: Value =
            serde_json::from_str(&text).with_context(|| from.display().to_string())?;
        let bound = |i: usize| trajectory["pairs"][i].as_u64().map(|n| n as usize);
        let (start, end) = bound(0)
            .zip(bound(1))
            .with_context(|| format!("{}: no `pairs` [start, end)", from.display()))?;
        ensure!(start < end, "{}: `pairs` holds no row", from.display());
        let rows: Vec<&str> = pairs.lines().skip(start).take(end - start).collect();
        ensure!(
            rows.len() == end - start,
            "{}: rows {start} to {end} are not all in {}",
            from.display(),
            source.join("pairs.jsonl").display()
        );
        let name = path.with_extension("jsonl");
        let text = rows.join("\n") + "\n";
        changes.extend(update(
            &target.join(&name),
            text.as_bytes(),
            label.join(&name),
        )?);
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

    /// Refreshes a folder with the files `present` from a folder with the files `source`. The result is the
    /// changes, and the changes of a second refresh.
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
    fn a_trajectory_keeps_its_rows_of_the_pairs() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (
            folder.path().join("reference"),
            folder.path().join("fixtures"),
        );
        write(
            &from,
            "trajectories/dpo.json",
            r#"{"pairs": [1, 3], "steps": 8}"#,
        );
        write(folder.path(), "gsm8k/pairs.jsonl", "a\nb\nc\nd\n");
        write(folder.path(), "gsm8k/LICENSE", "free");
        let expected = [
            Change::Added("gsm8k/LICENSE".into()),
            Change::Added("gsm8k/dpo.jsonl".into()),
        ];
        assert_eq!(cut_pairs(&from, &to).unwrap(), expected);
        let kept = fs::read_to_string(to.join("gsm8k/dpo.jsonl")).unwrap();
        assert_eq!(kept, "b\nc\n");
        assert_eq!(cut_pairs(&from, &to).unwrap(), []);
        write(&from, "trajectories/dpo.json", r#"{"pairs": [3, 5]}"#);
        assert!(cut_pairs(&from, &to).is_err());
    }

    #[test]
    fn the_projects_own_file_is_kept_and_named() {
        let [first, second] = refreshed(&[("a.json", "1")], &[("a.json", "1"), ("own.json", "2")]);
        let expected = [Change::OnlyHere("losses/own.json".into())];
        assert_eq!(first, expected);
        assert_eq!(second, expected);
    }
}
