//! `pref segment`: divides answers into segments. In: pairs. Out: the same pairs with the segments of
//! each answer, to which another program can add scores.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use pref_data::{
    Annotation, FixedTokens, ItemSentences, Lines, PartMarker, PartRules, Segmenter, Sentences,
    Tokenizer,
};

use crate::model::model_folder;
use crate::rows::{Output, ReadArgs, Rows, parse_field};

/// Divide answers into sentences, lines, parts or runs of tokens
///
/// The rows are written with two more fields, chosen_segments and rejected_segments; the segments of
/// an answer joined together are the answer. The method 2d-dpo needs a score for each of them. With
/// --by parts the rows also get chosen_parts and rejected_parts, in which each part has a label.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of pairs (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What a segment is
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Unit::Sentences)]
    by: Unit,
    /// With --by parts: a label and the regular expression at which such a part begins; may be repeated
    #[arg(long = "part", value_name = "LABEL=PATTERN", value_parser = parse_part)]
    parts: Vec<PartMarker>,
    /// With --by sentences: also divide a list item that has several sentences
    #[arg(long)]
    divide_items: bool,
    /// With --by tokens: number of tokens in a segment
    #[arg(long, value_name = "N", default_value_t = 32)]
    size: usize,
    /// With --by tokens: folder of the model
    #[arg(long, value_name = "FOLDER", required_if_eq("by", "tokens"))]
    model: Option<PathBuf>,
    /// Output file; the ending of its name says the format. JSON Lines on stdout by default
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// A sentence, or a list item
    Sentences,
    /// A line
    Lines,
    /// A part with a label, such as reasoning or answer
    Parts,
    /// A run of --size tokens
    Tokens,
}

fn parse_part(text: &str) -> Result<PartMarker, String> {
    let (label, pattern) = parse_field(text)?;
    Ok(PartMarker { pattern, label })
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tokenizer = args
        .model
        .as_deref()
        .map(|path| anyhow::Ok(Tokenizer::from_folder(&model_folder(path)?)?))
        .transpose()?;
    let by = match args.by {
        Unit::Sentences if args.divide_items => By::Segmenter(Box::new(ItemSentences)),
        Unit::Sentences => By::Segmenter(Box::new(Sentences)),
        Unit::Lines => By::Segmenter(Box::new(Lines)),
        Unit::Parts => {
            let default = PartRules::default_markers();
            let markers = match args.parts.is_empty() {
                true => &default,
                false => &args.parts,
            };
            By::Parts(PartRules::new("reasoning", markers)?)
        }
        Unit::Tokens => {
            let tokenizer = tokenizer.as_ref().context("--by tokens needs --model")?;
            By::Segmenter(Box::new(FixedTokens::new(tokenizer, args.size)))
        }
    };
    let mut output = Output::new(args.output.as_deref(), &args.files)?;
    let rejects = args.read.each(&args.files, |rows| {
        let Rows::Pairs(mut pairs) = rows else {
            bail!("the rows are single answers, but only pairs can be divided into segments; give pairs");
        };
        for pair in &mut pairs {
            let answers = [pair.chosen.to_string(), pair.rejected.to_string()];
            for (answer, annotation) in answers.iter().zip(&mut pair.annotations) {
                let old = annotation.take().map(|old| *old).unwrap_or_default();
                *annotation = Some(Box::new(divided(answer, &by, old)));
            }
            output.write(&pair.to_value())?;
        }
        Ok(())
    })?;
    args.read.report_skipped(&rejects)?;
    output.finish("rows")?;
    Ok(ExitCode::SUCCESS)
}

/// How an answer is divided.
enum By<'a> {
    Segmenter(Box<dyn Segmenter + 'a>),
    /// Each segment gets a label.
    Parts(PartRules),
}

/// The annotation of an answer with its new segments, and with labelled parts if it is divided into parts.
fn divided(answer: &str, by: &By<'_>, old: Annotation) -> Annotation {
    let (segments, parts) = match by {
        By::Segmenter(segmenter) => (segmenter.segment(answer), old.parts),
        By::Parts(rules) => {
            let parts = rules.parts(answer);
            let labelled = parts
                .iter()
                .map(|part| (part.label.clone(), answer[part.range.clone()].to_owned()));
            let labelled = labelled.collect();
            (
                parts.into_iter().map(|part| part.range).collect(),
                Some(labelled),
            )
        }
    };
    let segments = segments.into_iter().map(|range| answer[range].to_owned());
    Annotation {
        segments: Some(segments.collect()),
        // The old scores belong to the old segments.
        scores: None,
        parts,
        ..old
    }
}
