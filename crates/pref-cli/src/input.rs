//! JSON Lines in, for `logprobs` and `generate`. In: a file or stdin. Out: rows of token ids, each
//! with its line.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pref_data::Tokenizer;
use serde::Deserialize;

/// One line: `input_ids`, or `text`, or `prompt` with or without `response`.
#[derive(Debug, Deserialize)]
struct Line {
    input_ids: Option<Vec<u32>>,
    text: Option<String>,
    prompt: Option<String>,
    response: Option<String>,
}

/// A line as tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// All tokens.
    pub(crate) ids: Vec<u32>,
    /// How many of them are the prompt.
    pub(crate) n_prompt: usize,
    /// From 1.
    pub(crate) line: usize,
}

#[derive(clap::Args)]
pub(crate) struct InputArgs {
    /// Folder of the model, in Hugging Face's layout
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    /// JSON Lines with `input_ids`, or `text`, or `prompt` and `response`; `-` is stdin
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) input: PathBuf,
}

/// A file's name as messages have it.
pub(crate) fn shown(path: &Path) -> String {
    match path == Path::new("-") {
        true => "stdin".to_owned(),
        false => path.display().to_string(),
    }
}

/// The text of a file, or of stdin for `-`.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).context("stdin")?;
    } else {
        bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let line = 1 + e.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count();
        anyhow::anyhow!("{}:{line}: not UTF-8 at byte {at}", shown(path))
    })
}

/// The rows of the input.
pub(crate) fn read_rows(args: &InputArgs, vocab_size: usize) -> Result<Vec<Row>> {
    let text = read_text(&args.input)?;
    let mut tokenizer = LazyTokenizer {
        folder: &args.model,
        loaded: None,
    };
    let mut rows = Vec::new();
    for (index, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let line = index + 1;
        let at = || format!("{}:{line}", shown(&args.input));
        let parsed: Line = serde_json::from_str(text).with_context(at)?;
        let (ids, n_prompt) = tokens(parsed, &mut tokenizer).with_context(at)?;
        if let Some(id) = ids.iter().find(|&&id| id as usize >= vocab_size) {
            bail!(
                "{}: token id {id} is outside the model's vocabulary of {vocab_size}",
                at()
            );
        }
        rows.push(Row {
            ids,
            n_prompt,
            line,
        });
    }
    ensure!(!rows.is_empty(), "{} holds no row", shown(&args.input));
    Ok(rows)
}

fn tokens(line: Line, tokenizer: &mut LazyTokenizer<'_>) -> Result<(Vec<u32>, usize)> {
    match line {
        Line {
            input_ids: Some(ids),
            text: None,
            prompt: None,
            response: None,
        } => {
            let n_prompt = ids.len();
            Ok((ids, n_prompt))
        }
        Line {
            input_ids: None,
            text: Some(text),
            prompt: None,
            response: None,
        } => {
            let ids = tokenizer.get()?.encode(&text)?;
            let n_prompt = ids.len();
            Ok((ids, n_prompt))
        }
        Line {
            input_ids: None,
            text: None,
            prompt: Some(prompt),
            response,
        } => {
            let tokenizer = tokenizer.get()?;
            let n_prompt = tokenizer.encode(&prompt)?.len();
            let response = response.unwrap_or_default();
            let ids = tokenizer.encode(&format!("{prompt}{response}"))?;
            Ok((ids, n_prompt))
        }
        _ => bail!("give one of `input_ids`, `text`, or `prompt` (with `response`)"),
    }
}

/// Rows of ids need no tokenizer; it is loaded when the first text comes.
struct LazyTokenizer<'a> {
    folder: &'a Path,
    loaded: Option<Tokenizer>,
}

impl LazyTokenizer<'_> {
    fn get(&mut self) -> Result<&Tokenizer> {
        if self.loaded.is_none() {
            self.loaded = Some(Tokenizer::from_folder(self.folder)?);
        }
        Ok(self.loaded.as_ref().expect("loaded just above"))
    }
}
