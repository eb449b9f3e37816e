//! The workspace. In: the folder of xtask. Out: the root, the crates and the files of the workspace, and
//! commands that call cargo.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

/// The workspace's root folder.
pub(crate) fn root() -> Result<PathBuf> {
    Ok(metadata()?.workspace_root.into_std_path_buf())
}

/// The folder of the programs that a release build makes.
pub(crate) fn release_folder() -> Result<PathBuf> {
    Ok(metadata()?
        .target_directory
        .into_std_path_buf()
        .join("release"))
}

/// Names of the crates that may be published, sorted.
pub(crate) fn crates() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = metadata.workspace_packages().into_iter();
    let is_published =
        |publish: &Option<Vec<String>>| publish.as_ref().is_none_or(|to| !to.is_empty());
    let mut names: Vec<String> = packages
        .filter(|package| is_published(&package.publish))
        .map(|package| package.name.to_string())
        .collect();
    names.sort();
    Ok(names)
}

/// Cargo's metadata of the workspace in which this program was built. The current folder may be outside of it.
fn metadata() -> Result<Metadata> {
    let own_manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => Path::new(&folder).join("Cargo.toml"),
        None => own_manifest,
    };
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .context("cannot read the workspace; call this as `cargo xtask` in it")
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    program(&std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command without the variables that cargo sets for the package `xtask`. Build scripts of the next build would
/// read them as variables of their own package.
pub(crate) fn program(name: &OsStr) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Paths of all files that git tracks, or would track after `git add`, relative to the root, with
/// `/`, sorted.
pub(crate) fn files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        // In a container the files may belong to another user, which git refuses otherwise.
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
        // Git still lists a file that was deleted without `git rm`.
        .filter(|path| root.join(path).is_file())
        .collect();
    files.sort();
    Ok(files)
}
