//! Pairs in, for the commands that look at data: a file, its shape and columns, and a tokenizer.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use pref_data::{
    Pair, ReadOptions, Reading, Shape, TokenPair, TokenizeOptions, Tokenizer, read_with, tokenize,
};

use crate::progress;

/// How rows are read.
#[derive(clap::Args)]
pub(crate) struct ReadArgs {
    /// The rows' shape: pairs, implicit-prompt, share-gpt, rated, rated-rows, help-steer; found out if absent
    #[arg(long, value_name = "SHAPE", value_parser = parse_shape)]
    shape: Option<Shape>,
    /// A field by the name that the file has for it, such as prompt=question; may be repeated
    #[arg(long = "column", value_name = "FIELD=NAME", value_parser = parse_field)]
    columns: Vec<(String, String)>,
    /// What becomes of rows that are no pairs
    #[arg(long, value_name = "WHAT", default_value = "stop", value_parser = ["stop", "skip"])]
    on_error: String,
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    serde_json::from_value(serde_json::json!(text)).map_err(|e| e.to_string())
}

pub(crate) fn parse_field(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}

impl ReadArgs {
    /// The pairs of a file; says on stderr what was passed over, and what the rows were taken for.
    pub(crate) fn read(&self, path: &Path) -> Result<Reading> {
        let columns: BTreeMap<String, String> = self.columns.iter().cloned().collect();
        let options = ReadOptions {
            shape: self.shape,
            columns,
            skip_bad_rows: self.on_error == "skip",
        };
        let read = read_with(path, &options)?;
        if read.shape != Shape::Pairs {
            progress::note(&format!("{}: read as {}", path.display(), read.shape));
        }
        for error in &read.rejects {
            progress::note(&format!("passed over: {error}"));
        }
        Ok(read)
    }
}

/// Tokenizes without a limit, so that nothing is cut.
pub(crate) fn tokens(
    path: &Path,
    pairs: &[Pair],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Vec<TokenPair>> {
    let tokenized = tokenize(pairs, tokenizer, options);
    let tokenized = tokenized.map_err(|e| anyhow!("{}: {e}", path.display()))?;
    if !tokenized.report.boundary_mismatches.is_empty() {
        progress::note(&format!("{}: {}", path.display(), tokenized.report));
    }
    Ok(tokenized.rows)
}

/// Whether stdout takes colours.
pub(crate) fn has_colour() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_off
}

/// A file that takes a command's lines: written under a temporary name, then renamed.
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
        // half a file is no use, and its absence no second error
        let _ = std::fs::remove_file(&temporary);
    }
    written.with_context(|| path.display().to_string())
}

fn fill(path: &Path, lines: impl Iterator<Item = Result<String>>) -> Result<usize> {
    use std::io::Write;

    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut n = 0;
    for line in lines {
        writeln!(file, "{}", line?)?;
        n += 1;
    }
    file.into_inner()?.sync_all()?;
    Ok(n)
}

/// Lines to a file, counted on stderr, or to stdout.
pub(crate) fn put_lines(
    output: Option<&Path>,
    lines: impl Iterator<Item = Result<String>>,
) -> Result<()> {
    use std::io::Write;

    if let Some(output) = output {
        let n = write_lines(output, lines)?;
        progress::note(&format!("{}: {n} rows", output.display()));
        return Ok(());
    }
    let mut stdout = std::io::stdout().lock();
    for line in lines {
        writeln!(stdout, "{}", line?)?;
    }
    Ok(())
}
