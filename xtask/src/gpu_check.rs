//! `cargo xtask gpu-check`: a folder to carry to a machine with a GPU. In: the workspace, and the backends to build. Out:
//! one stripped program, the fixtures that it is compared with, and a script that checks and measures everything.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{forward, workspace};

/// What the script reads beside the program.
const FILES: [&str; 5] = [
    "benches/gpu_check.py",
    "benches/dpo_peer.py",
    "fixtures/losses",
    "fixtures/models",
    "fixtures/gsm8k",
];

/// Builds the folder. With `run`, also runs the script in it, with the arguments.
pub(crate) fn build(
    features: &str,
    folder: Option<&Path>,
    run: bool,
    arguments: &[OsString],
) -> Result<ExitCode> {
    let root = workspace::root()?;
    let target = root.join("target");
    let folder = folder.map_or_else(|| target.join("gpu-check"), Path::to_path_buf);
    let mut cargo = workspace::cargo();
    cargo.current_dir(&root).args([
        "build",
        "--release",
        "--package",
        "pref-cli",
        "--features",
        features,
    ]);
    let status = cargo.status().context("cargo build")?;
    ensure!(status.success(), "cargo build: {status}");

    let built = workspace::release_folder()?.join("pref");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let program = folder.join("pref");
    strip(&built, &program)?;
    for file in FILES {
        copy(&root.join(file), &folder.join(below_benches(file)))?;
    }
    let megabytes = std::fs::metadata(&program)?.len() / 1_000_000;
    println!(
        "{}: the program has {megabytes} MB. On the machine with the GPU, in this folder: python3 gpu_check.py",
        folder.display()
    );
    if !run {
        return Ok(ExitCode::SUCCESS);
    }
    let mut script = Command::new("python3");
    script
        .arg(folder.join("gpu_check.py"))
        .args(arguments)
        .current_dir(&folder);
    forward::become_child(script)
}

/// The name in the folder: scripts lie beside the program.
fn below_benches(file: &str) -> PathBuf {
    Path::new(file)
        .strip_prefix("benches")
        .unwrap_or(Path::new(file))
        .to_path_buf()
}

/// Copies a program without its symbols, which are half of it.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let mut command = Command::new("strip");
    command.arg("-o").arg(to).arg(from);
    let status = command
        .status()
        .context("strip, which is part of binutils")?;
    ensure!(status.success(), "strip {}: {status}", from.display());
    Ok(())
}

/// Copies a file, or a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
        for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let copied = std::fs::copy(from, to);
    copied.with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_copied_with_all_that_is_in_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("below")).expect("created");
        std::fs::write(from.join("below/file"), "text").expect("written");
        copy(&from, &to).expect("copied");
        let text = std::fs::read_to_string(to.join("below/file"));
        assert_eq!(text.expect("readable"), "text");
    }

    #[test]
    fn everything_that_the_script_reads_is_there() {
        let root = workspace::root().expect("a workspace");
        for file in FILES {
            assert!(root.join(file).exists(), "{file}");
        }
        assert_eq!(
            below_benches("benches/gpu_check.py"),
            Path::new("gpu_check.py")
        );
        assert_eq!(
            below_benches("fixtures/losses"),
            Path::new("fixtures/losses")
        );
    }
}
