//! Pairs in, for the commands that look at data: a file, its shape and columns, and a tokenizer.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
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
    #[arg(long = "column", value_name = "FIELD=NAME", value_parser = parse_column)]
    columns: Vec<(String, String)>,
    /// What becomes of rows that are no pairs
    #[arg(long, value_name = "WHAT", default_value = "stop", value_parser = ["stop", "skip"])]
    on_error: String,
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    serde_json::from_value(serde_json::json!(text)).map_err(|e| e.to_string())
}

fn parse_column(text: &str) -> Result<(String, String), String> {
    let (field, name) = text.split_once('=').ok_or("expected FIELD=NAME")?;
    Ok((field.to_owned(), name.to_owned()))
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
pub(crate) fn write_lines(path: &Path, lines: impl Iterator<Item = String>) -> Result<usize> {
    use std::io::Write;

    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary: PathBuf = path.with_file_name(name);
    let describe = |e: std::io::Error| anyhow!("{}: {e}", path.display());
    let mut file = std::io::BufWriter::new(std::fs::File::create(&temporary).map_err(describe)?);
    let mut n = 0;
    for line in lines {
        writeln!(file, "{line}").map_err(describe)?;
        n += 1;
    }
    let file = file.into_inner().map_err(|e| describe(e.into_error()))?;
    file.sync_all().map_err(describe)?;
    std::fs::rename(&temporary, path).map_err(describe)?;
    Ok(n)
}
