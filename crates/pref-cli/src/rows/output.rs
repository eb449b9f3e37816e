//! Where a command's rows and lines go. In: rows or lines. Out: a file, or JSON Lines on stdout.

use std::io::{BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pref_data::{RowWriter, is_input};
use serde_json::Value;

use crate::progress;

/// Writes lines to a file and gives their number. The lines are written under a temporary name,
/// which is then renamed, so the file is either complete or absent.
pub(crate) fn write_lines(
    path: &Path,
    lines: impl Iterator<Item = Result<String>>,
) -> Result<usize> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary: PathBuf = path.with_file_name(name);
    let written = fill(&temporary, lines).and_then(|n| {
        std::fs::rename(&temporary, path)?;
        Ok(n)
    });
    if written.is_err() {
        // The first error is the one to report, so an error of the removal is dropped.
        let _ = std::fs::remove_file(&temporary);
    }
    written.with_context(|| path.display().to_string())
}

fn fill(path: &Path, lines: impl Iterator<Item = Result<String>>) -> Result<usize> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    let mut n = 0;
    for line in lines {
        writeln!(file, "{}", line?)?;
        n += 1;
    }
    file.into_inner()?.sync_all()?;
    Ok(n)
}

/// A file in the format that its name says, or JSON Lines on stdout.
pub(crate) enum Output {
    File(PathBuf, Box<RowWriter>),
    Stdout(BufWriter<StdoutLock<'static>>),
}

impl Output {
    /// Opens the file `output`, or stdout if there is none.
    ///
    /// # Errors
    ///
    /// `output` is one of the files that `inputs` name, or cannot be written.
    pub(crate) fn new(output: Option<&Path>, inputs: &[PathBuf]) -> Result<Self> {
        let Some(path) = output else {
            let stdout = std::io::stdout().lock();
            return Ok(Self::Stdout(BufWriter::new(stdout)));
        };
        ensure!(
            !is_input(path, inputs),
            "{}: the output file is also an input file; give the output another name",
            path.display()
        );
        let rows = Box::new(RowWriter::create(path)?);
        Ok(Self::File(path.to_owned(), rows))
    }

    pub(crate) fn write(&mut self, row: &Value) -> Result<()> {
        match self {
            Self::File(_, rows) => rows.write(row)?,
            Self::Stdout(stdout) => writeln!(stdout, "{row}")?,
        }
        Ok(())
    }

    /// Completes the file, and prints the number of its rows on stderr.
    pub(crate) fn finish(self, noun: &str) -> Result<()> {
        match self {
            Self::File(path, rows) => {
                let n = rows.finish()?;
                progress::note(&format!("{}: {n} {noun}", path.display()));
            }
            Self::Stdout(mut stdout) => stdout.flush()?,
        }
        Ok(())
    }
}
