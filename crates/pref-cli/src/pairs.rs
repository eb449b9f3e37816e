//! Rows in and out, for the commands that look at data. In: files, their shape and columns, and a
//! tokenizer. Out: pairs or answers chunk by chunk, and files of rows.

use std::fmt::Display;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pref_data::{
    Boundary, ContentHash, Example, Pair, Place, ReadError, ReadOptions, Reader, Reading, Record,
    RowWriter, Shape, TemplateKwargs, Text, TokenExample, TokenPair, TokenizeError,
    TokenizeOptions, Tokenized, Tokenizer, is_input, read_with, tokenize, tokenize_examples,
};
use serde_json::{Value, json};

use crate::progress::{self, Counter};

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

impl From<Record> for Rows {
    fn from(record: Record) -> Self {
        match record {
            Record::Pair(pair) => Rows::Pairs(vec![pair]),
            Record::Example(example) => Rows::Examples(vec![example]),
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

    /// The content hash of each row.
    pub(crate) fn content_hashes(&self) -> Vec<ContentHash> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(Pair::content_hash).collect(),
            Rows::Examples(rows) => rows.iter().map(Example::content_hash).collect(),
        }
    }

    /// Rows that read back as themselves.
    pub(crate) fn values(&self) -> Vec<Value> {
        match self {
            Rows::Pairs(rows) => rows.iter().map(Pair::to_value).collect(),
            Rows::Examples(rows) => rows.iter().map(|row| json!(row)).collect(),
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

    /// All pairs of a file; says on stderr what was passed over, and what the rows were taken for.
    pub(crate) fn read(&self, path: &Path) -> Result<Reading> {
        let read = read_with(path, &self.options())?;
        note_shape(&[path], Some(read.shape));
        self.list(&read.rejects)?;
        Ok(read)
    }

    /// Opens files; says on stderr what the rows are taken for.
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

    /// Hands on the rows of files, some hundreds at a time, with progress on stderr; what was passed
    /// over is for the caller to list.
    pub(crate) fn each(
        &self,
        files: &[PathBuf],
        sink: impl FnMut(Rows) -> Result<()>,
    ) -> Result<Vec<ReadError>> {
        each_of(self.open(files)?, sink)
    }

    /// The same of all rows that can be read, with what is wrong with the others.
    pub(crate) fn each_good(
        &self,
        files: &[PathBuf],
        sink: impl FnMut(Rows) -> Result<()>,
    ) -> Result<Vec<ReadError>> {
        each_of(self.open_with(files, true)?, sink)
    }
}

fn each_of(reader: Reader, mut sink: impl FnMut(Rows) -> Result<()>) -> Result<Vec<ReadError>> {
    let noun = noun(reader.shape());
    let mut counter = Counter::new(noun);
    let mut take = |rows: Rows| {
        let n = rows.len();
        sink(rows)?;
        counter.add(n);
        anyhow::Ok(())
    };
    let summary = match reader.shape() {
        Some(Shape::Unpaired) => reader.each_example(|rows| take(Rows::Examples(rows)))?,
        _ => reader.each_pair(|rows| take(Rows::Pairs(rows)))?,
    };
    Ok(summary.rejects)
}

/// What rows of a shape are called.
pub(crate) fn noun(shape: Option<Shape>) -> &'static str {
    match shape {
        Some(Shape::Unpaired) => "answers",
        _ => "pairs",
    }
}

fn note_shape(paths: &[impl AsRef<Path>], shape: Option<Shape>) {
    let Some(shape) = shape.filter(|shape| *shape != Shape::Pairs) else {
        return;
    };
    let paths = paths.iter().map(|path| path.as_ref().display().to_string());
    let paths: Vec<String> = paths.collect();
    progress::note(&format!("{}: read as {shape}", paths.join(", ")));
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

/// Where a command's rows go: a file of the format that its name says, or JSON Lines on stdout.
pub(crate) enum Output {
    File(PathBuf, Box<RowWriter>),
    Stdout(std::io::BufWriter<std::io::StdoutLock<'static>>),
}

impl Output {
    /// Refuses a file that is read from as well.
    pub(crate) fn new(output: Option<&Path>, inputs: &[PathBuf]) -> Result<Self> {
        let Some(path) = output else {
            let stdout = std::io::stdout().lock();
            return Ok(Self::Stdout(std::io::BufWriter::new(stdout)));
        };
        ensure!(
            !is_input(path, inputs),
            "{}: the output is a file that is read from; give it another name",
            path.display()
        );
        let rows = Box::new(RowWriter::create(path)?);
        Ok(Self::File(path.to_owned(), rows))
    }

    pub(crate) fn write(&mut self, row: &Value) -> Result<()> {
        use std::io::Write;

        match self {
            Self::File(_, rows) => rows.write(row)?,
            Self::Stdout(stdout) => writeln!(stdout, "{row}")?,
        }
        Ok(())
    }

    /// Completes the file, and counts its rows on stderr.
    pub(crate) fn finish(self, noun: &str) -> Result<()> {
        use std::io::Write;

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
