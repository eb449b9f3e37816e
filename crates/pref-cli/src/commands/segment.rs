//! `pref segment`: the answers of pairs in pieces. In: pairs. Out: the same rows with
//! `chosen_segments` and `rejected_segments`, as JSON Lines, ready to be scored.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pref_data::{
    Annotation, FixedTokens, Lines, PartMarker, PartRules, Segmenter, Sentences, Tokenizer,
};

use crate::pairs::{ReadArgs, parse_field, put_lines};

/// Divide answers into sentences, lines, parts or runs of tokens
///
/// Joined, the segments of an answer are the answer. Rows come out as JSON Lines with
/// chosen_segments and rejected_segments, to which scores can be added for 2d-dpo.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pairs: JSON Lines, JSON, CSV or Parquet, a folder of them, a pattern, or hub:OWNER/NAME
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What a segment is
    #[arg(long, value_name = "WHAT", default_value = "sentences", value_parser = ["sentences", "lines", "parts", "tokens"])]
    by: String,
    /// Of parts: where one begins, LABEL=PATTERN with a regular expression; may be repeated
    #[arg(long = "part", value_name = "LABEL=PATTERN", value_parser = parse_part)]
    parts: Vec<PartMarker>,
    /// Of tokens: how many a segment has
    #[arg(long, value_name = "N", default_value_t = 32)]
    size: usize,
    /// Of tokens: folder of the model
    #[arg(long, value_name = "FOLDER", required_if_eq("by", "tokens"))]
    model: Option<PathBuf>,
    /// Where to; stdout if absent
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

fn parse_part(text: &str) -> Result<PartMarker, String> {
    let (label, pattern) = parse_field(text)?;
    Ok(PartMarker { pattern, label })
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tokenizer = args
        .model
        .as_deref()
        .map(Tokenizer::from_folder)
        .transpose()?;
    let segmenter: Box<dyn Segmenter + '_> = match args.by.as_str() {
        "lines" => Box::new(Lines),
        "parts" => {
            let default = PartRules::default_markers();
            let markers = match args.parts.is_empty() {
                true => &default,
                false => &args.parts,
            };
            Box::new(PartRules::new("reasoning", markers)?)
        }
        "tokens" => {
            let tokenizer = tokenizer.as_ref().context("--by tokens needs --model")?;
            Box::new(FixedTokens::new(tokenizer, args.size))
        }
        _ => Box::new(Sentences),
    };
    let mut pairs = args.read.read(&args.file)?.rows;
    for pair in &mut pairs {
        let answers = [pair.chosen.to_string(), pair.rejected.to_string()];
        for (answer, annotation) in answers.iter().zip(&mut pair.annotations) {
            let segments = segmenter.segment(answer).into_iter();
            let segments = segments.map(|range| answer[range].to_owned()).collect();
            // scores of other segments say nothing of these
            *annotation = Some(Box::new(Annotation {
                segments: Some(segments),
                scores: None,
                ..annotation.take().map(|old| *old).unwrap_or_default()
            }));
        }
    }
    let lines = pairs.iter().map(|pair| Ok(pair.to_value().to_string()));
    put_lines(args.output.as_deref(), lines)?;
    Ok(ExitCode::SUCCESS)
}
