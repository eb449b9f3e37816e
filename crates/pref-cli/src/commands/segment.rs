//! `pref segment`: divides answers into segments. In: pairs or single answers. Out: the same rows with the
//! segments of each answer, to which another program can add scores.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use pref_data::Tokenizer;

use crate::model::model_folder;
use crate::rows::{Output, ReadArgs, Rows};
use crate::segmenting::{SegmentArgs, Unit};

/// Divide answers into sentences, lines, parts or runs of tokens
///
/// The rows are written with two more fields, chosen_segments and rejected_segments, or, for single
/// answers, completion_segments; the segments of an answer joined together are the answer. The method
/// 2d-dpo needs a score for each of them. With --by parts the rows also get chosen_parts and
/// rejected_parts, in which each part has a label.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    segments: SegmentArgs,
    /// With --by tokens: folder of the model
    #[arg(long, value_name = "FOLDER", required_if_eq("by", "tokens"))]
    model: Option<PathBuf>,
    /// Output file; the ending of its name says the format. JSON Lines on stdout by default
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tokenizer = match (args.segments.by, &args.model) {
        (Unit::Tokens, Some(path)) => Some(Tokenizer::from_folder(&model_folder(path)?)?),
        _ => None,
    };
    let by = args.segments.by(tokenizer.as_ref())?;
    let mut output = Output::new(args.output.as_deref(), &args.files)?;
    let rejects = args.read.each(&args.files, |rows| {
        match rows {
            Rows::Pairs(pairs) => {
                for mut pair in pairs {
                    let answers = [pair.chosen.to_string(), pair.rejected.to_string()];
                    for (answer, annotation) in answers.iter().zip(&mut pair.annotations) {
                        let old = annotation.take().map(|old| *old).unwrap_or_default();
                        *annotation = Some(Box::new(by.divided(answer, old)));
                    }
                    output.write(&pair.to_value())?;
                }
            }
            Rows::Examples(examples) => {
                for mut row in examples {
                    let old = row.annotation.take().map(|old| *old).unwrap_or_default();
                    let answer = row.completion.to_string();
                    row.annotation = Some(Box::new(by.divided(&answer, old)));
                    output.write(&row.to_value())?;
                }
            }
        }
        Ok(())
    })?;
    args.read.report_skipped(&rejects)?;
    output.finish("rows")?;
    Ok(ExitCode::SUCCESS)
}
