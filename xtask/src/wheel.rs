//! `cargo xtask wheel`: builds a Python wheel. In: the workspace. Out: a file in `dist/`, from which
//! `pip install` installs the program `pref`.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::{forward, workspace};

/// Calls `maturin build` in release, or with the `--profile` that `arguments` give.
pub(crate) fn build(arguments: &[OsString]) -> Result<ExitCode> {
    let root = workspace::root()?;
    let found = Command::new("maturin").arg("--version").output();
    match found {
        Ok(output) if output.status.success() => {}
        Ok(output) => bail!(
            "maturin --version: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
            "maturin, which makes the wheel, is not installed; install it with \
             `pip install maturin` or `cargo install maturin --locked`"
        ),
        Err(error) => return Err(error).context("maturin --version"),
    }
    let mut command = workspace::program(OsStr::new("maturin"));
    command.current_dir(root).args(maturin_arguments(arguments));
    forward::become_child(command)
}

fn maturin_arguments(arguments: &[OsString]) -> Vec<OsString> {
    let is_profile = |argument: &OsString| argument.to_string_lossy().starts_with("--profile");
    let mut all: Vec<OsString> = ["build", "--out", "dist"].map(OsString::from).to_vec();
    if !arguments.iter().any(is_profile) {
        all.extend(["--release", "--strip"].map(OsString::from));
    }
    all.extend(arguments.iter().cloned());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let words =
            |line: &str| -> Vec<OsString> { line.split_whitespace().map(OsString::from).collect() };
        assert_eq!(maturin_arguments(&words(line)), words(expected), "{line}");
    }

    #[test]
    fn a_wheel_is_built_in_release_unless_a_profile_is_named() {
        check("", "build --out dist --release --strip");
        check(
            "--features cuda",
            "build --out dist --release --strip --features cuda",
        );
        check("--profile dev", "build --out dist --profile dev");
    }
}
