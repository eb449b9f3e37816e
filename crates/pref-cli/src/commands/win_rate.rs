//! `pref win-rate`: win rates from the judgements of two answers to each question. In: annotations in AlpacaEval's format.
//! Out: win rates with intervals, with and without the effect of the length.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use crate::command_line::results;
use crate::win_rates::{Calibration, Standing, correct, read};

/// Win rates of models against a baseline, from a judge's annotations
///
/// Each file has the annotations of one model in AlpacaEval's format: rows with `output_1` (the baseline's answer),
/// `output_2` (the model's answer) and `preference`, from 1 (the first one is preferred) to 2. `pref eval --judge`
/// writes such files. length_controlled_winrate is the win rate that answers of equal length would have, by the
/// regression of AlpacaEval 2. All intervals are 95 % intervals of a bootstrap over questions.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of annotations (JSON, JSON Lines, CSV, Parquet, Arrow), one for each model
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// AlpacaEval's df_gamed.csv, for annotations of its 805 questions in its order: the difficulty of each question, and comparisons that hold the effect of the length near to the baseline's. instruction_difficulty.csv gives the difficulty only
    #[arg(long, value_name = "FILE")]
    gamed: Option<PathBuf>,
    /// Seed of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let calibration = match &args.gamed {
        Some(path) => Calibration::read(path)?,
        None => Calibration::default(),
    };
    let mut standings = Vec::new();
    for path in &args.files {
        let annotations = read(path)?;
        let standing = Standing::of(&annotations, &calibration, u64::from(args.seed));
        standings.push(standing.with_context(|| path.display().to_string())?);
    }
    let corrected = correct(standings.iter());
    let mut out = results();
    if args.json {
        let models: Vec<_> = standings
            .iter()
            .zip(corrected)
            .map(|(standing, p)| standing.to_json(p))
            .collect();
        writeln!(out, "{}", json!({"seed": args.seed, "models": models}))?;
        return Ok(ExitCode::SUCCESS);
    }
    for (standing, p) in standings.iter().zip(corrected) {
        standing.print(&mut out, p)?;
    }
    writeln!(
        out,
        "In brackets: 95 % intervals. p: sign test of wins and losses, corrected for the number of models (Holm)."
    )?;
    Ok(ExitCode::SUCCESS)
}
