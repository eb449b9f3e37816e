//! The `pref` program. In: words of a command line. Out: the files that the command writes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The program.
pub(crate) struct Pref {
    path: PathBuf,
}

impl Pref {
    pub(crate) fn new(path: &Path) -> Result<Self> {
        ensure!(
            path.is_file(),
            "{}: there is no such program",
            path.display()
        );
        let path = path
            .canonicalize()
            .with_context(|| path.display().to_string())?;
        Ok(Self { path })
    }

    /// Runs a command to its end. Its messages are shown only if it fails.
    pub(crate) fn run<W: AsRef<OsStr>>(&self, words: &[W]) -> Result<()> {
        let mut command = Command::new(&self.path);
        command.args(words).stdin(Stdio::null());
        let line = words
            .iter()
            .map(|word| word.as_ref().to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        let output = command.output().with_context(|| format!("pref {line}"))?;
        ensure!(
            output.status.success(),
            "pref {line}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}
