//! `pref diff`: shows which tokens differ between the answers of a pair. In: pairs and a tokenizer.
//! Out: both answers with these tokens marked, or the distances between the answers of all pairs.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use pref_data::{DiffAlgorithm, DiffOptions, Pair, TokenDiff, TokenPair, Tokenizer, token_diffs};
use serde_json::json;

use crate::model::model_folder;
use crate::progress;
use crate::rows::{ReadArgs, TokenArgs, pair_tokens, write_lines};

/// Show which tokens differ between the chosen and the rejected answer
///
/// On a terminal these tokens are coloured. Elsewhere they are printed as [-…-] in the chosen answer
/// and as {+…+} in the rejected one.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File of pairs (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, or hub:OWNER/NAME
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of the model whose tokenizer divides the answers into tokens
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// How the two answers are aligned
    #[arg(long, value_enum, default_value_t = Algorithm::Levenshtein)]
    algorithm: Algorithm,
    /// Never count English stop words as different
    #[arg(long)]
    ignore_stop_words: bool,
    /// Number of the row to show, counted from 1; the first ten rows by default
    #[arg(long, value_name = "N")]
    row: Option<usize>,
    /// Show the distribution of edit distances instead of the answers
    #[arg(long)]
    stats: bool,
    /// Divide the pairs by distance into this many files of about the same size, smallest distances first
    #[arg(long, value_name = "K", requires = "output")]
    split: Option<usize>,
    /// Folder for the files of --split
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Print one JSON object a line, with distances and a 1 for each token that differs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// How two answers are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    /// The fewest insertions, deletions and substitutions
    Levenshtein,
    /// Python's difflib, which the authors of BMC use
    Difflib,
}

impl From<Algorithm> for DiffAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Levenshtein => DiffAlgorithm::Levenshtein,
            Algorithm::Difflib => DiffAlgorithm::Difflib,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let pairs = args.read.read(&args.file)?.rows;
    let tokenizer = Tokenizer::from_folder(&model_folder(&args.model)?)?;
    let tokenized = pair_tokens(&args.file, &pairs, &tokenizer, &args.tokens.options())?;
    let options = DiffOptions {
        algorithm: args.algorithm.into(),
        ignored: match args.ignore_stop_words {
            true => tokenizer.stop_word_ids(),
            false => Default::default(),
        },
    };
    let diffs = token_diffs(&tokenized, &options);
    let mut stdout = std::io::stdout().lock();
    if let (Some(k), Some(folder)) = (args.split, &args.output) {
        split(k, folder, &pairs, &tokenized, &diffs)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.stats {
        write_stats(&mut stdout, &tokenized, &diffs, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = match args.row {
        None if args.json => 0..pairs.len(),
        None => 0..pairs.len().min(10),
        Some(row) => {
            let n = pairs.len();
            ensure!(
                (1..=n).contains(&row),
                "--row {row} is out of range; the file has {n} pairs, counted from 1"
            );
            row - 1..row
        }
    };
    if !args.json && shown.len() < pairs.len() && args.row.is_none() {
        progress::note(&format!(
            "showing the first {} of {} pairs; --row N shows another one",
            shown.len(),
            pairs.len()
        ));
    }
    for i in shown {
        let (pair, diff) = (&tokenized[i], &diffs[i]);
        if args.json {
            let line = json!({
                "file": pair.place.file.as_deref(),
                "line": pair.place.line,
                "distance": diff.distance(),
                "chosen_varied": bits(&diff.chosen),
                "rejected_varied": bits(&diff.rejected),
            });
            writeln!(stdout, "{line}")?;
            continue;
        }
        writeln!(
            stdout,
            "{}: {} edits, {} of {} and {} of {} tokens varied",
            pair.place,
            diff.distance(),
            count(&diff.chosen),
            diff.chosen.len(),
            count(&diff.rejected),
            diff.rejected.len()
        )?;
        let colour = has_colour();
        for (name, ids, mask, marks) in [
            (
                "chosen",
                &pair.chosen,
                &diff.chosen,
                ["\x1b[32m", "[-", "-]"],
            ),
            (
                "rejected",
                &pair.rejected,
                &diff.rejected,
                ["\x1b[31m", "{+", "+}"],
            ),
        ] {
            let marks = match colour {
                true => [marks[0], "\x1b[0m"],
                false => [marks[1], marks[2]],
            };
            writeln!(stdout, "{name}: {}", marked(&tokenizer, ids, mask, marks)?)?;
        }
        writeln!(stdout)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether stdout shows colours.
fn has_colour() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal() && !is_off
}

fn bits(mask: &[bool]) -> Vec<u8> {
    mask.iter().map(|&v| u8::from(v)).collect()
}

fn count(mask: &[bool]) -> usize {
    mask.iter().filter(|v| **v).count()
}

/// The text of an answer, with each run of varied tokens between two marks.
fn marked(tokenizer: &Tokenizer, ids: &[u32], mask: &[bool], marks: [&str; 2]) -> Result<String> {
    let mut text = String::new();
    let mut at = 0;
    for run in mask.chunk_by(|a, b| a == b) {
        let piece = tokenizer.decode(&ids[at..at + run.len()], false)?;
        at += run.len();
        if run[0] {
            write!(text, "{}{piece}{}", marks[0], marks[1])?;
        } else {
            text.push_str(&piece);
        }
    }
    Ok(text)
}

/// The edit distance divided by the number of tokens of the longer answer, from 0 to 1.
fn share(pair: &TokenPair, diff: &TokenDiff) -> f64 {
    diff.distance() as f64 / pair.chosen.len().max(pair.rejected.len()) as f64
}

fn write_stats(
    out: &mut impl Write,
    pairs: &[TokenPair],
    diffs: &[TokenDiff],
    json: bool,
) -> Result<()> {
    let mut edits: Vec<usize> = diffs.iter().map(TokenDiff::distance).collect();
    let mut shares: Vec<f64> = pairs.iter().zip(diffs).map(|(p, d)| share(p, d)).collect();
    edits.sort_unstable();
    shares.sort_unstable_by(f64::total_cmp);
    let n = edits.len();
    let at = |q: f64| ((n - 1) as f64 * q).round() as usize;
    let mean = edits.iter().sum::<usize>() as f64 / n as f64;
    let mean_share = shares.iter().sum::<f64>() / n as f64;
    const QUANTILES: [(&str, f64); 5] = [
        ("least", 0.0),
        ("25 %", 0.25),
        ("median", 0.5),
        ("75 %", 0.75),
        ("most", 1.0),
    ];
    if json {
        let edits: Vec<usize> = QUANTILES.iter().map(|(_, q)| edits[at(*q)]).collect();
        let shares: Vec<f64> = QUANTILES.iter().map(|(_, q)| shares[at(*q)]).collect();
        let line = json!({"pairs": n, "mean": mean, "mean_share": mean_share,
            "quantiles": [0, 0.25, 0.5, 0.75, 1], "edits": edits, "shares": shares});
        writeln!(out, "{line}")?;
        return Ok(());
    }
    writeln!(
        out,
        "{n} pairs\n\n{:<10}{:>8}{:>22}",
        "", "edits", "of the longer answer"
    )?;
    for (name, q) in QUANTILES {
        writeln!(
            out,
            "{name:<10}{:>8}{:>20.1} %",
            edits[at(q)],
            100.0 * shares[at(q)]
        )?;
    }
    writeln!(
        out,
        "{:<10}{mean:>8.1}{:>20.1} %\n",
        "mean",
        100.0 * mean_share
    )?;
    let mut bins = [0_usize; 10];
    for share in &shares {
        bins[((share * 10.0) as usize).min(9)] += 1;
    }
    let most = bins.into_iter().max().unwrap_or(0).max(1);
    for (i, bin) in bins.into_iter().enumerate() {
        let bar = "#".repeat((40 * bin).div_ceil(most));
        let line = format!("{:>3} to {:>3} %{bin:>8}  {bar}", 10 * i, 10 * (i + 1));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Writes the pairs into `k` files of about the same size, sorted by distance (BMC, figure 5).
fn split(
    k: usize,
    folder: &Path,
    pairs: &[Pair],
    tokenized: &[TokenPair],
    diffs: &[TokenDiff],
) -> Result<()> {
    let n = pairs.len();
    ensure!(
        (1..=n).contains(&k),
        "--split {k} is out of range; give a number from 1 to {n}, the number of pairs"
    );
    std::fs::create_dir_all(folder)?;
    let mut order: Vec<usize> = (0..n).collect();
    let share = |&i: &usize| share(&tokenized[i], &diffs[i]);
    order.sort_by(|a, b| share(a).total_cmp(&share(b)));
    for part in 0..k {
        let mut rows = order[part * n / k..(part + 1) * n / k].to_vec();
        let range = (share(&rows[0]), share(&rows[rows.len() - 1]));
        rows.sort_unstable();
        let path = folder.join(format!("part-{}.jsonl", part + 1));
        let written = write_lines(
            &path,
            rows.iter().map(|&i| Ok(pairs[i].to_value().to_string())),
        )?;
        progress::note(&format!(
            "{}: {written} pairs, {:.1} to {:.1} % edited",
            path.display(),
            100.0 * range.0,
            100.0 * range.1
        ));
    }
    Ok(())
}
