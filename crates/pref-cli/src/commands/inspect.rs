//! `pref inspect`: a row as the model will see it. In: pairs, a tokenizer, a row. Out: every token
//! with its id and what objectives know of it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use pref_data::{
    DiffAlgorithm, LongPrompts, PartRules, TokenDiff, TokenFeatures, TokenizeOptions, Tokenizer,
};
use serde_json::{Value, json};

use crate::pairs::{ReadArgs, TokenArgs, TokenRows};

/// Show a row exactly as the model will see it: tokens, ids, masks, segments, weights
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pairs: JSON Lines, JSON, CSV or Parquet, a folder of them, a pattern, or hub:OWNER/NAME
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the model
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// The row, from 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    row: usize,
    /// Cut to this many tokens, as training does
    #[arg(long, value_name = "N")]
    max_length: Option<usize>,
    /// One JSON object a token
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let rows = args.read.read_any(&args.file)?;
    let (n, noun) = (rows.len(), rows.noun());
    ensure!(
        (1..=n).contains(&args.row),
        "--row {} is not one of the {n} {noun}",
        args.row
    );
    let tokenizer = Tokenizer::from_folder(&args.model)?;
    let options = TokenizeOptions {
        max_length: args.max_length,
        // a row that is dropped cannot be shown
        long_prompts: LongPrompts::Refuse,
        parts: Some(PartRules::new("reasoning", &PartRules::default_markers())?),
        ..args.tokens.options()
    };
    let row = rows.only(args.row - 1).tokens(&tokenizer, &options)?;
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
            let side = ["undesirable", "desirable"][usize::from(example.desirable)];
            let mask = vec![false; example.completion.len()];
            let answer = (side, example.completion, mask, None);
            (example.prompt, vec![answer])
        }
    };

    let mut stdout = std::io::stdout().lock();
    let mut show = |side: &str, t: usize, id: u32, seen: Value| -> Result<()> {
        let piece = tokenizer.decode(&[id], false)?;
        if args.json {
            let mut line = json!({"side": side, "position": t, "id": id, "text": piece});
            if let (Value::Object(line), Value::Object(seen)) = (&mut line, seen) {
                line.extend(seen);
            }
            writeln!(stdout, "{line}")?;
            return Ok(());
        }
        let known: Vec<String> = seen
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
            known.join(", ")
        );
        writeln!(stdout, "{}", line.trim_end())?;
        Ok(())
    };
    for (t, &id) in prompt.iter().enumerate() {
        show("prompt", t, id, json!({}))?;
    }
    for (side, ids, mask, features) in &answers {
        for (t, &id) in ids.iter().enumerate() {
            let seen = seen(t, mask[t], features.as_deref());
            show(side, prompt.len() + t, id, seen)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What objectives know of a token.
fn seen(t: usize, is_varied: bool, features: Option<&TokenFeatures>) -> Value {
    let mut seen = json!({});
    if is_varied {
        seen["varied"] = json!(true);
    }
    let Some(features) = features else {
        return seen;
    };
    if let Some(parts) = &features.parts {
        seen["part"] = json!(parts[t]);
    }
    let segment = features
        .segments
        .iter()
        .position(|range| range.contains(&t));
    if let Some(k) = segment {
        seen["segment"] = json!(k);
        seen["scores"] = json!(features.scores[k]);
    }
    if let Some(weights) = &features.weights {
        seen["weight"] = json!(weights[t]);
    }
    if let Some(importance) = &features.importance {
        seen["importance"] = json!(importance[t]);
    }
    seen
}
