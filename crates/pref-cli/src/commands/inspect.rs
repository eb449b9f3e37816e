//! `pref inspect`: shows one row as the model will see it. In: a file, a tokenizer and the number of
//! a row. Out: the row's content hash, and every token with the features that objectives use.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use pref_data::{
    DiffAlgorithm, LongPrompts, PartRules, Reader, Record, TokenDiff, TokenFeatures,
    TokenizeOptions, Tokenizer,
};
use serde_json::{Value, json};

use crate::model::model_folder;
use crate::progress;
use crate::rows::{ReadArgs, Rows, TokenArgs, TokenRows, noun};

/// Show one row as the model will see it: tokens, ids, differences, segments, weights
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the model whose tokenizer and chat template are used
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// Number of the row, counted from 1; rows that cannot be used count as well
    #[arg(long, value_name = "N", default_value_t = 1)]
    row: usize,
    /// Line of the row in the file, as messages name it; use it instead of --row
    #[arg(long, value_name = "N", conflicts_with = "row")]
    line: Option<usize>,
    /// Most tokens of prompt and answer together; longer rows are cut as in training
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// Print one JSON object for the row with its content hash, then one for each token
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut reader = args.read.open(std::slice::from_ref(&args.file))?;
    let noun = noun(reader.shape());
    let record = match args.line {
        Some(line) => at_line(&mut reader, line)?,
        None => at_row(&mut reader, args.row, noun)?,
    };
    progress::note(&record.place().to_string());
    let content_hash = record.content_hash();
    let tokenizer = Tokenizer::from_folder(&model_folder(&args.model)?)?;
    let options = TokenizeOptions {
        max_length: args.max_length,
        // Training may drop a long row. Here a dropped row would leave nothing to show, so it is an error.
        long_prompts: LongPrompts::Refuse,
        parts: Some(PartRules::new("reasoning", &PartRules::default_markers())?),
        ..args.tokens.options()
    };
    let row = Rows::from(record).tokens(&tokenizer, &options)?;
    let (prompt, answers) = match row {
        TokenRows::Pairs(mut pairs) => {
            let pair = pairs.rows.remove(0);
            let diff = TokenDiff::new(&pair.chosen, &pair.rejected, DiffAlgorithm::Levenshtein);
            let [of_chosen, of_rejected] = pair.features;
            let chosen = ("chosen", pair.chosen, diff.chosen, of_chosen);
            let rejected = ("rejected", pair.rejected, diff.rejected, of_rejected);
            (pair.prompt, vec![chosen, rejected])
        }
        TokenRows::Examples(mut examples) => {
            let example = examples.rows.remove(0);
            let side = match example.label {
                Some(true) => "desirable",
                Some(false) => "undesirable",
                None => "answer",
            };
            let mask = vec![false; example.completion.len()];
            let answer = (side, example.completion, mask, example.features);
            (example.prompt, vec![answer])
        }
    };

    let mut stdout = std::io::stdout().lock();
    match args.json {
        true => writeln!(
            stdout,
            "{}",
            json!({"side": "row", "content_hash": content_hash})
        )?,
        false => writeln!(stdout, "content hash {content_hash}")?,
    }
    let mut show = |side: &str, t: usize, id: u32, facts: Value| -> Result<()> {
        let piece = tokenizer.decode(&[id], false)?;
        if args.json {
            let mut line = json!({"side": side, "position": t, "id": id, "text": piece});
            if let (Value::Object(line), Value::Object(facts)) = (&mut line, facts) {
                line.extend(facts);
            }
            writeln!(stdout, "{line}")?;
            return Ok(());
        }
        let remarks: Vec<String> = facts
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| match value {
                Value::Bool(true) => key.clone(),
                Value::String(text) => text.clone(),
                other => format!("{key} {other}"),
            })
            .collect();
        let line = format!(
            "{side:<12}{t:>6}{id:>9}  {:<20}{}",
            format!("{piece:?}"),
            remarks.join(", ")
        );
        writeln!(stdout, "{}", line.trim_end())?;
        Ok(())
    };
    for (t, &id) in prompt.iter().enumerate() {
        show("prompt", t, id, json!({}))?;
    }
    for (side, ids, mask, features) in &answers {
        for (t, &id) in ids.iter().enumerate() {
            let facts = token_features(t, mask[t], features.as_deref());
            show(side, prompt.len() + t, id, facts)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The row with this number. Errors of the rows before it are ignored.
fn at_row(reader: &mut Reader, row: usize, noun: &str) -> Result<Record> {
    ensure!(
        row > 0,
        "--row 0 is out of range; {noun} are counted from 1"
    );
    let mut n = 0;
    for record in reader {
        n += 1;
        if n == row {
            return Ok(record?);
        }
        if let Err(error) = record
            && error.row().is_none()
        {
            return Err(error.into());
        }
    }
    bail!("--row {row} is out of range; there are {n} {noun}")
}

/// The row that begins on this line.
fn at_line(reader: &mut Reader, line: usize) -> Result<Record> {
    let mut file = None;
    let mut found = None;
    for record in reader {
        let place = match &record {
            Ok(record) => record.place().clone(),
            Err(error) => match error.row() {
                Some(place) => place,
                None => return Ok(record?),
            },
        };
        let first = file.get_or_insert_with(|| place.file.clone());
        ensure!(
            *first == place.file,
            "--line {line} could be in any of several files; give one file"
        );
        if place.line == line {
            found = Some(record);
        }
    }
    match found {
        Some(record) => Ok(record?),
        None => bail!("--line {line}: no row begins on this line"),
    }
}

/// What objectives use of the token `t` of an answer, besides its id.
fn token_features(t: usize, is_varied: bool, features: Option<&TokenFeatures>) -> Value {
    let mut facts = json!({});
    if is_varied {
        facts["varied"] = json!(true);
    }
    let Some(features) = features else {
        return facts;
    };
    if let Some(parts) = &features.parts {
        facts["part"] = json!(parts[t]);
    }
    let segment = features
        .segments
        .iter()
        .position(|range| range.contains(&t));
    if let Some(k) = segment {
        facts["segment"] = json!(k);
        facts["scores"] = json!(features.scores[k]);
    }
    if let Some(weights) = &features.weights {
        facts["weight"] = json!(weights[t]);
    }
    if let Some(importance) = &features.importance {
        facts["importance"] = json!(importance[t]);
    }
    facts
}
