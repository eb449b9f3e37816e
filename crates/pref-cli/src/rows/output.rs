//! The output of a command. In: rows or lines. Out: a file, or JSON Lines on stdout.

use std::io::{BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pref_data::{RowWriter, is_input};
use pref_model::replace_file;
use serde_json::Value;

use crate::progress;

/// Writes lines to a file and returns their number. The file is complete or absent at any moment.
pub(crate) fn write_lines(
    path: &Path,
    lines: impl Iterator<Item = Result<String>>,
) -> Result<usize> {
    let mut n = 0;
    let written = replace_file(path, |file| -> Result<()> {
        let mut file = BufWriter::new(file);
        for line in lines {
            writeln!(file, "{}", line?)?;
            n += 1;
        }
        Ok(file.flush()?)
    });
    written.with_context(|| path.display().to_string())?;
    Ok(n)
}

/// A file in the format of its name's ending, or JSON Lines on stdout.
pub(crate) enum Output {
    File(PathBuf, Box<RowWriter>),
    Stdout(BufWriter<StdoutLock<'static>>),
}

impl Output {
    /// Opens the file `output`, or stdout if there is none.
    ///
    /// # Errors
    ///
    /// An error if `output` is one of the files that `inputs` name, or cannot be written.
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
