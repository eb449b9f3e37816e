//! `pref segment`: the answers of pairs in pieces. In: pairs. Out: the same rows with
//! `chosen_segments` and `rejected_segments`, ready to be scored, and with labelled parts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use pref_data::{
    Annotation, FixedTokens, ItemSentences, Lines, PartMarker, PartRules, Segmenter, Sentences,
    Tokenizer,
};

use crate::model::model_folder;
use crate::pairs::{Output, ReadArgs, Rows, parse_field};

/// Divide answers into sentences, lines, parts or runs of tokens
///
/// Joined, the segments of an answer are the answer. Rows come out with chosen_segments and
/// rejected_segments, to which scores can be added for 2d-dpo, and of parts with chosen_parts and
/// rejected_parts, which have labels.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pairs: JSON Lines, JSON, CSV, Parquet or Arrow, folders of them, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// What a segment is
    #[arg(long, value_name = "WHAT", default_value = "sentences", value_parser = ["sentences", "lines", "parts", "tokens"])]
    by: String,
    /// Of parts: where one begins, LABEL=PATTERN with a regular expression; may be repeated
    #[arg(long = "part", value_name = "LABEL=PATTERN", value_parser = parse_part)]
    parts: Vec<PartMarker>,
    /// Of sentences: divide list items of several sentences as well
    #[arg(long)]
    divide_items: bool,
    /// Of tokens: how many a segment has
    #[arg(long, value_name = "N", default_value_t = 32)]
    size: usize,
    /// Of tokens: folder of the model
    #[arg(long, value_name = "FOLDER", required_if_eq("by", "tokens"))]
    model: Option<PathBuf>,
    /// Where to, in the format of the name's ending; JSON Lines on stdout if absent
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
        .map(|path| anyhow::Ok(Tokenizer::from_folder(&model_folder(path)?)?))
        .transpose()?;
    let by = match args.by.as_str() {
        "lines" => By::Segmenter(Box::new(Lines)),
        "parts" => {
            let default = PartRules::default_markers();
            let markers = match args.parts.is_empty() {
                true => &default,
                false => &args.parts,
            };
            By::Parts(PartRules::new("reasoning", markers)?)
        }
        "tokens" => {
            let tokenizer = tokenizer.as_ref().context("--by tokens needs --model")?;
            By::Segmenter(Box::new(FixedTokens::new(tokenizer, args.size)))
        }
        _ if args.divide_items => By::Segmenter(Box::new(ItemSentences)),
        _ => By::Segmenter(Box::new(Sentences)),
    };
    let mut output = Output::new(args.output.as_deref(), &args.files)?;
    let rejects = args.read.each(&args.files, |rows| {
        let Rows::Pairs(mut pairs) = rows else {
            bail!("the rows are single answers, and segments are of pairs; give pairs");
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
    args.read.list(&rejects)?;
    output.finish("rows")?;
    Ok(ExitCode::SUCCESS)
}

/// How answers are divided.
enum By<'a> {
    Segmenter(Box<dyn Segmenter + 'a>),
    /// Each segment has a label.
    Parts(PartRules),
}

/// The annotation of an answer with its segments, and with its parts where they have labels.
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
        // scores of other segments say nothing of these
        scores: None,
        parts,
        ..old
    }
}
