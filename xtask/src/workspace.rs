//! Where the workspace is, what it holds, and how to call cargo in it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The workspace's root folder: where this crate's folder lies.
pub(crate) fn root() -> Result<PathBuf> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    let root = Path::new(&here)
        .parent()
        .context("xtask lies in no folder")?;
    if !root.join("Cargo.toml").is_file() {
        bail!(
            "{}: no Cargo.toml; call this as `cargo xtask` in the workspace",
            root.display()
        );
    }
    Ok(root.to_owned())
}

/// The cargo that runs this program, without the variables it set for this program alone:
/// inherited, they would name the wrong package to the build scripts of the next build.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Names of the published crates, which are the folders under `crates/`, sorted.
pub(crate) fn crates(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("crates");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Paths of every file that git tracks or would track, relative to the root, with `/`, sorted.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        // A clone that belongs to another user, as in a container, is still worth checking.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args([
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ])
        .current_dir(root)
        .output()
        .context("git is needed to list the workspace's files")?;
    if !output.status.success() {
        bail!(
            "git ls-files: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let mut files: Vec<String> = output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        // Deleted in the work tree and not yet in the index.
        .filter(|path| root.join(path).is_file())
        .collect();
    files.sort();
    Ok(files)
}
