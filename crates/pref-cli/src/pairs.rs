//! Pairs in, for the commands that look at data: a file, its shape and columns, and a tokenizer.

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pref_data::{
    Boundary, Example, Pair, Place, ReadError, ReadOptions, Reading, Shape, TemplateKwargs, Text,
    TokenExample, TokenPair, TokenizeError, TokenizeOptions, Tokenized, Tokenizer, read_examples,
    read_with, shape_of, tokenize, tokenize_examples,
};
use serde_json::{Value, json};

use crate::progress;

/// How rows are read.
#[derive(clap::Args)]
pub(crate) struct ReadArgs {
    /// The rows' shape: pairs, implicit-prompt, share-gpt, rated, rated-rows, help-steer, unpaired; found out if absent
    #[arg(long, value_name = "SHAPE", value_parser = parse_shape)]
    shape: Option<Shape>,
    /// A field by the name that the file has for it, such as prompt=question; may be repeated
    #[arg(long = "column", value_name = "FIELD=NAME", value_parser = parse_field)]
    columns: Vec<(String, String)>,
    /// What becomes of rows that are no pairs
    #[arg(long, value_name = "WHAT", default_value = "stop", value_parser = ["stop", "skip"])]
    on_error: String,
    /// Where what was wrong with the rows passed over is listed, a line each; stderr if absent
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

/// How prompts and answers become tokens.
#[derive(clap::Args)]
pub(crate) struct TokenArgs {
    /// Where prompt and answer part: joint, tokenized together as TRL does it, or separate
    #[arg(long, value_name = "HOW", default_value = "joint", value_parser = parse_boundary)]
    boundary: Boundary,
    /// Settings of the chat template as a JSON object, such as '{"enable_thinking": false}'
    #[arg(long, value_name = "JSON", value_parser = parse_template_kwargs)]
    chat_template_kwargs: Option<TemplateKwargs>,
}

impl TokenArgs {
    pub(crate) fn options(&self) -> TokenizeOptions {
        TokenizeOptions {
            boundary: self.boundary,
            template_kwargs: self.chat_template_kwargs.clone().unwrap_or_default(),
            ..TokenizeOptions::default()
        }
    }
}

fn parse_boundary(text: &str) -> Result<Boundary, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

fn parse_template_kwargs(text: &str) -> Result<TemplateKwargs, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

fn parse_shape(text: &str) -> Result<Shape, String> {
    serde_json::from_value(serde_json::json!(text)).map_err(|e| e.to_string())
}

pub(crate) fn parse_field(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((field.to_owned(), value.to_owned()))
}

/// What a file holds.
pub(crate) enum Rows {
    Pairs(Vec<Pair>),
    /// Single answers, wanted or not.
    Examples(Vec<Example>),
}

/// The same as ids.
pub(crate) enum TokenRows {
    Pairs(Tokenized<TokenPair>),
    Examples(Tokenized<TokenExample>),
}

impl TokenRows {
    /// What was wrong with the rows that were passed over.
    pub(crate) fn rejects(&self) -> &[TokenizeError] {
        match self {
            TokenRows::Pairs(all) => &all.rejects,
            TokenRows::Examples(all) => &all.rejects,
        }
    }
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Rows::Pairs(rows) => rows.len(),
            Rows::Examples(rows) => rows.len(),
        }
    }

    /// What the rows are called.
    pub(crate) fn noun(&self) -> &'static str {
        match self {
            Rows::Pairs(_) => "pairs",
            Rows::Examples(_) => "answers",
        }
    }

    /// The prompts, and where they are.
    pub(crate) fn prompts(&self) -> Vec<(&Text, &Place)> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(|row| (&row.prompt, &row.place)).collect(),
            Rows::Examples(rows) => rows.iter().map(|row| (&row.prompt, &row.place)).collect(),
        }
    }

    /// Rows that read back as themselves.
    pub(crate) fn values(&self) -> Vec<Value> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(Pair::to_value).collect(),
            Rows::Examples(rows) => rows.iter().map(|row| json!(row)).collect(),
        }
    }

    /// One of the rows.
    pub(crate) fn only(self, index: usize) -> Self {
        match self {
            Rows::Pairs(mut rows) => Rows::Pairs(vec![rows.swap_remove(index)]),
            Rows::Examples(mut rows) => Rows::Examples(vec![rows.swap_remove(index)]),
        }
    }

    pub(crate) fn tokens(
        &self,
        tokenizer: &Tokenizer,
        options: &TokenizeOptions,
    ) -> Result<TokenRows, TokenizeError> {
        Ok(match self {
            Rows::Pairs(rows) => TokenRows::Pairs(tokenize(rows, tokenizer, options)?),
            Rows::Examples(rows) => {
                TokenRows::Examples(tokenize_examples(rows, tokenizer, options)?)
            }
        })
    }
}

impl ReadArgs {
    fn options(&self) -> ReadOptions {
        ReadOptions {
            shape: self.shape,
            columns: self.columns.iter().cloned().collect(),
            skip_bad_rows: self.skips(),
        }
    }

    /// Whether bad rows are passed over.
    pub(crate) fn skips(&self) -> bool {
        self.on_error == "skip"
    }

    /// Lists what was passed over, and counts it on stderr.
    pub(crate) fn list(&self, rejects: &[impl Display]) -> Result<()> {
        if rejects.is_empty() {
            return Ok(());
        }
        let n = rejects.len();
        let rows = if n == 1 { "row" } else { "rows" };
        if let Some(file) = &self.rejects {
            write_lines(file, rejects.iter().map(|error| Ok(error.to_string())))?;
            let file = file.display();
            progress::note(&format!("{n} {rows} passed over, listed in {file}"));
            return Ok(());
        }
        for error in rejects {
            progress::note(&format!("passed over: {error}"));
        }
        progress::note(&format!("{n} {rows} passed over"));
        Ok(())
    }

    /// The pairs of a file; says on stderr what was passed over, and what the rows were taken for.
    pub(crate) fn read(&self, path: &Path) -> Result<Reading> {
        let read = read_with(path, &self.options())?;
        note_shape(path, read.shape);
        self.list(&read.rejects)?;
        Ok(read)
    }

    /// The pairs of a file, or its single answers.
    pub(crate) fn read_any(&self, path: &Path) -> Result<Rows> {
        let (rows, rejects) = self.read_unlisted(path)?;
        self.list(&rejects)?;
        Ok(rows)
    }

    /// The rows of a file, and what was passed over, for the caller to list.
    pub(crate) fn read_unlisted(&self, path: &Path) -> Result<(Rows, Vec<ReadError>)> {
        read_rows_of(path, &self.options())
    }

    /// All rows of a file that can be read, and what is wrong with the others.
    pub(crate) fn read_all(&self, path: &Path) -> Result<(Rows, Vec<ReadError>)> {
        let options = ReadOptions {
            skip_bad_rows: true,
            ..self.options()
        };
        read_rows_of(path, &options)
    }
}

fn read_rows_of(path: &Path, options: &ReadOptions) -> Result<(Rows, Vec<ReadError>)> {
    let shape = shape_of(path, options)?;
    if let Some(shape) = shape {
        note_shape(path, shape);
    }
    if shape == Some(Shape::Unpaired) {
        let read = read_examples(path, options)?;
        return Ok((Rows::Examples(read.rows), read.rejects));
    }
    let read = read_with(path, options)?;
    Ok((Rows::Pairs(read.rows), read.rejects))
}

fn note_shape(path: &Path, shape: Shape) {
    if shape != Shape::Pairs {
        progress::note(&format!("{}: read as {shape}", path.display()));
    }
}

/// Tokenizes without a limit, so that nothing is cut.
pub(crate) fn tokens(
    path: &Path,
    pairs: &[Pair],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Vec<TokenPair>> {
    let tokenized = tokenize(pairs, tokenizer, options)?;
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
