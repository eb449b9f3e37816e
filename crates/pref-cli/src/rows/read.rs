//! Flags for reading files. In: flags and files. Out: rows, in chunks of some hundreds.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use pref_data::{ReadError, ReadOptions, Reader, Reading, Shape, read_with};
use serde_json::json;

use super::kinds::{Rows, noun};
use super::output::write_lines;
use crate::progress::{self, Counter};

/// How rows are read.
#[derive(clap::Args)]
pub(crate) struct ReadArgs {
    /// Layout of the rows: pairs, implicit-prompt, share-gpt, rated, rated-rows, help-steer, unpaired, prompt-completion, samples, messages or text; found out from the first rows by default
    #[arg(long, value_name = "SHAPE", value_parser = parse_shape)]
    shape: Option<Shape>,
    #[command(flatten)]
    rows: RowArgs,
}

/// Which columns rows are read from, and what happens to bad rows.
#[derive(clap::Args)]
pub(crate) struct RowArgs {
    /// The file's own name for a field, such as prompt=question; may be repeated
    #[arg(long = "column", value_name = "FIELD=NAME", value_parser = parse_field)]
    columns: Vec<(String, String)>,
    /// What to do with a row that cannot be used
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnError::Stop)]
    on_error: OnError,
    /// File for the errors of skipped rows, one a line; they go to stderr by default
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// What is done with a row that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnError {
    /// End the command with the row's error
    Stop,
    /// Leave the row out, and report it at the end
    Skip,
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

pub(crate) fn parse_field(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}

impl RowArgs {
    /// For each field, the name of its column.
    pub(crate) fn columns(&self) -> BTreeMap<String, String> {
        self.columns.iter().cloned().collect()
    }

    /// Whether rows that cannot be used are skipped.
    pub(crate) fn skips(&self) -> bool {
        match self.on_error {
            OnError::Stop => false,
            OnError::Skip => true,
        }
    }

    /// The error of a row, if the row is skipped. Else the error that ends the command.
    pub(crate) fn may_skip(&self, error: anyhow::Error) -> Result<anyhow::Error> {
        let is_of_row = error
            .downcast_ref::<ReadError>()
            .is_none_or(|e| e.row().is_some());
        match self.skips() {
            true if is_of_row => Ok(error),
            false if is_of_row => bail!(
                "{}; --on-error skip leaves such rows out",
                progress::text_of(&error)
            ),
            _ => Err(error),
        }
    }

    /// Reports skipped rows: each one in the file of `--rejects` or on stderr, and their number on
    /// stderr.
    pub(crate) fn report_skipped(&self, errors: &[impl Display]) -> Result<()> {
        if errors.is_empty() {
            return Ok(());
        }
        let n = errors.len();
        let rows = if n == 1 { "row" } else { "rows" };
        if let Some(file) = &self.rejects {
            write_lines(file, errors.iter().map(|error| Ok(error.to_string())))?;
            let file = file.display();
            progress::note(&format!("{n} {rows} skipped, listed in {file}"));
            return Ok(());
        }
        for error in errors {
            progress::note(&format!("skipped: {error}"));
        }
        progress::note(&format!("{n} {rows} skipped"));
        Ok(())
    }
}

impl ReadArgs {
    fn options(&self) -> ReadOptions {
        ReadOptions {
            shape: self.shape,
            columns: self.rows.columns(),
            skip_bad_rows: self.skips(),
        }
    }

    /// Whether rows that cannot be used are skipped.
    pub(crate) fn skips(&self) -> bool {
        self.rows.skips()
    }

    /// Reports skipped rows, as [`RowArgs::report_skipped`].
    pub(crate) fn report_skipped(&self, errors: &[impl Display]) -> Result<()> {
        self.rows.report_skipped(errors)
    }

    /// All pairs of a file. Prints on stderr which rows were skipped, and the rows' layout.
    pub(crate) fn read(&self, path: &Path) -> Result<Reading> {
        let read = read_with(path, &self.options())?;
        note_shape(&[path], Some(read.shape));
        self.report_skipped(&read.rejects)?;
        Ok(read)
    }

    /// Opens files, and prints the rows' layout on stderr.
    pub(crate) fn open(&self, files: &[PathBuf]) -> Result<Reader> {
        self.open_with(files, self.skips())
    }

    fn open_with(&self, files: &[PathBuf], skip_bad_rows: bool) -> Result<Reader> {
        let options = ReadOptions {
            skip_bad_rows,
            ..self.options()
        };
        let reader = Reader::open(files, &options)?;
        note_shape(files, reader.shape());
        Ok(reader)
    }

    /// Gives the rows of files to `sink` in chunks of some hundreds, with progress on stderr. Returns the
    /// errors of skipped rows, which the caller must report.
    pub(crate) fn each(
        &self,
        files: &[PathBuf],
        sink: impl FnMut(Rows) -> Result<()>,
    ) -> Result<Vec<ReadError>> {
        each_of(self.open(files)?, sink)
    }

    /// As [`each`](Self::each), but always skips rows that cannot be used, whatever `--on-error` is.
    pub(crate) fn each_usable(
        &self,
        files: &[PathBuf],
        sink: impl FnMut(Rows) -> Result<()>,
    ) -> Result<Vec<ReadError>> {
        each_of(self.open_with(files, true)?, sink)
    }
}

fn each_of(reader: Reader, mut sink: impl FnMut(Rows) -> Result<()>) -> Result<Vec<ReadError>> {
    let mut counter = Counter::new(noun(reader.shape()));
    let mut take = |rows: Rows| {
        let n = rows.len();
        sink(rows)?;
        counter.add(n);
        anyhow::Ok(())
    };
    let summary = if reader.shape().is_some_and(Shape::is_single) {
        reader.each_example(|rows| take(Rows::Examples(rows)))?
    } else {
        reader.each_pair(|rows| take(Rows::Pairs(rows)))?
    };
    Ok(summary.rejects)
}

fn note_shape(paths: &[impl AsRef<Path>], shape: Option<Shape>) {
    let Some(shape) = shape.filter(|shape| *shape != Shape::Pairs) else {
        return;
    };
    let paths = paths.iter().map(|path| path.as_ref().display().to_string());
    let paths: Vec<String> = paths.collect();
    progress::note(&format!("{}: read as {shape}", paths.join(", ")));
}
