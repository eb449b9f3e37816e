//! `pref data`: counts, converts, rewrites and divides files of rows. In: files of pairs or single
//! answers. Out: statistics on stdout, or the rows in other files.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_data::{
    ContentHash, Example, Pair, RowMap, Text, TokenExample, TokenPair, TokenizeOptions, Tokenizer,
    hold_out, read_rows,
};
use serde_json::{Value, json};

use crate::model::model_folder;
use crate::progress::Counter;
use crate::rows::{Output, ReadArgs, Rows, TokenRows, parse_field};

/// Count, convert, rewrite and divide files of pairs
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show how many pairs or answers there are, and how long they are
    Stats {
        /// Files of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Folder of a model; lengths are then in its tokens instead of characters
        #[arg(long, value_name = "FOLDER")]
        model: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Write rows of any format and layout as prompt, chosen and rejected, or as single answers
    Convert {
        /// Files of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Output file; the ending of its name says the format. JSON Lines on stdout by default
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Make new rows from the rows of any file, with a Jinja template for each field
    ///
    /// A template can use the fields of the old row. Its result is a text. A template that is a single
    /// {{ expression }} gives the value of the expression instead, such as a list of messages, a
    /// number or true.
    Map {
        /// Files of rows (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// A field of the new rows and its template, such as prompt='Q: {{ question }}'; may be repeated
        #[arg(long = "field", value_name = "NAME=TEMPLATE", required = true, value_parser = parse_field)]
        fields: Vec<(String, String)>,
        /// Copy the other fields of the old rows
        #[arg(long)]
        keep: bool,
        /// Output file; the ending of its name says the format. JSON Lines on stdout by default
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Divide rows into a training set and an evaluation set
    ///
    /// Rows with the same prompt go to the same set. With the same fraction and seed,
    /// `data.eval-fraction` in training chooses the same rows.
    Split {
        /// Files of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Fraction of the prompts for evaluation, above 0 and below 1
        #[arg(long, value_name = "X", default_value_t = 0.1)]
        fraction: f64,
        /// Seed of the random choice
        #[arg(long, value_name = "N", default_value_t = 42)]
        seed: u64,
        /// Folder for the files train.jsonl and eval.jsonl
        #[arg(long, value_name = "FOLDER")]
        output: PathBuf,
        /// Ending of the two files, which says their format, such as parquet, csv or jsonl.gz
        #[arg(long, value_name = "ENDING", default_value = "jsonl")]
        format: String,
        #[command(flatten)]
        read: ReadArgs,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Stats {
            files,
            model,
            json,
            read,
        } => stats(files, model.as_deref(), *json, read)?,
        Command::Convert {
            files,
            output,
            read,
        } => {
            let mut output = Output::new(output.as_deref(), files)?;
            let rejects = read.each(files, |rows| {
                let mut rows = rows.values().into_iter();
                rows.try_for_each(|row| output.write(&row))
            })?;
            read.report_skipped(&rejects)?;
            output.finish("rows")?;
        }
        Command::Map {
            files,
            fields,
            keep,
            output,
        } => {
            let map = RowMap::new(fields, *keep)?;
            let mut output = Output::new(output.as_deref(), files)?;
            let mut counter = Counter::new("rows");
            for file in files {
                for row in read_rows(file)? {
                    output.write(&Value::Object(map.apply(&row?)?))?;
                    counter.add(1);
                }
            }
            output.finish("rows")?;
        }
        Command::Split {
            files,
            fraction,
            seed,
            output,
            format,
            read,
        } => {
            ensure!(
                *fraction > 0.0 && *fraction < 1.0,
                "--fraction must be above 0 and below 1, found {fraction}"
            );
            split(files, *fraction, *seed, output, format, read)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Divides rows by prompt. The rows are read once and kept in a temporary file, since the choice
/// needs all prompts.
fn split(
    files: &[PathBuf],
    fraction: f64,
    seed: u64,
    folder: &Path,
    format: &str,
    read: &ReadArgs,
) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = |name: &str| folder.join(format!("{name}.{format}"));
    let mut sides = [
        Output::new(Some(&path("train")), files)?,
        Output::new(Some(&path("eval")), files)?,
    ];
    let mut all = BufWriter::new(tempfile::tempfile_in(folder)?);
    let mut prompts: Vec<u128> = Vec::new();
    let mut noun = "pairs";
    let rejects = read.each(files, |rows| {
        noun = rows.noun();
        prompts.extend(rows.prompts().iter().map(|(prompt, _)| prompt.key()));
        for row in rows.values() {
            writeln!(all, "{row}")?;
        }
        Ok(())
    })?;
    read.report_skipped(&rejects)?;
    let held = hold_out(&prompts, fraction, seed);
    ensure!(
        held.contains(&true),
        "all {} {noun} have the same prompt, so they cannot be divided by prompt; give rows with several prompts",
        held.len()
    );
    let mut all = all.into_inner()?;
    all.rewind()?;
    for (row, is_held) in BufReader::new(all).lines().zip(held) {
        sides[usize::from(is_held)].write(&serde_json::from_str(&row?)?)?;
    }
    for side in sides {
        side.finish(noun)?;
    }
    Ok(())
}

/// The lengths of rows, in characters or tokens.
struct Lengths {
    /// For each field its name and the length in every row.
    columns: Vec<(&'static str, Vec<usize>)>,
    /// Number of desirable answers; `None` for pairs, and for answers without labels.
    n_desirable: Option<usize>,
}

fn stats(files: &[PathBuf], model: Option<&Path>, json: bool, read: &ReadArgs) -> Result<()> {
    let tokenizer = model
        .map(|path| anyhow::Ok(Tokenizer::from_folder(&model_folder(path)?)?))
        .transpose()?;
    let options = TokenizeOptions {
        skip_bad_rows: read.skips(),
        ..TokenizeOptions::default()
    };
    let unit = ["characters", "tokens"][usize::from(tokenizer.is_some())];
    let mut unusable: Vec<String> = Vec::new();
    let mut contents: HashSet<ContentHash> = HashSet::new();
    let mut n_duplicates = 0;
    let (mut all, mut noun): (Option<Lengths>, _) = (None, "pairs");
    let rejects = read.each(files, |rows| {
        noun = rows.noun();
        for hash in rows.content_hashes() {
            n_duplicates += usize::from(!contents.insert(hash));
        }
        let some = match &tokenizer {
            Some(tokenizer) => {
                let tokens = rows.tokens(tokenizer, &options)?;
                unusable.extend(tokens.rejects().iter().map(ToString::to_string));
                token_lengths(&tokens)
            }
            None => lengths(&rows),
        };
        match &mut all {
            Some(all) => all.extend(some),
            None => all = Some(some),
        }
        Ok(())
    })?;
    let mut rejects: Vec<String> = rejects.iter().map(ToString::to_string).collect();
    rejects.extend(unusable);
    read.report_skipped(&rejects)?;
    let lengths = all.context("there are no rows")?;
    let mut columns = lengths.columns;
    let n = columns[0].1.len();
    ensure!(n > 0, "no row could be tokenized");
    let counted = match (lengths.n_desirable, &columns[..]) {
        (Some(n), _) => Some(("desirable", n, "the label is true in")),
        (None, [_, (_, chosen), (_, rejected)]) => {
            let sides = chosen.iter().zip(rejected);
            let longer = sides.filter(|(chosen, rejected)| chosen > rejected).count();
            Some(("chosen_longer", longer, "chosen is the longer answer in"))
        }
        (None, _) => None,
    };
    let mut stdout = std::io::stdout().lock();
    let summaries = columns.iter_mut().map(|(name, column)| {
        column.sort_unstable();
        let n = column.len();
        let at = |q: f64| column[((n - 1) as f64 * q).round() as usize];
        let mean = column.iter().sum::<usize>() as f64 / n as f64;
        (*name, mean, [0.0, 0.5, 0.9, 1.0].map(at))
    });
    if json {
        let mut line = json!({noun: n, "unit": unit});
        if let Some((key, counted, _)) = counted {
            line[key] = json!(counted);
        }
        line["duplicates"] = json!(n_duplicates);
        for (name, mean, [least, median, high, most]) in summaries {
            line[name] =
                json!({"mean": mean, "least": least, "median": median, "p90": high, "most": most});
        }
        writeln!(stdout, "{line}")?;
        return Ok(());
    }
    writeln!(stdout, "{n} {noun}, in {unit}\n")?;
    writeln!(
        stdout,
        "{:<10}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "", "mean", "least", "median", "90 %", "most"
    )?;
    for (name, mean, quantiles) in summaries {
        let cells: String = quantiles.iter().map(|q| format!("{q:>9}")).collect();
        writeln!(stdout, "{name:<10}{mean:>9.1}{cells}")?;
    }
    if let Some((_, counted, remark)) = counted {
        let share = 100.0 * counted as f64 / n as f64;
        writeln!(stdout, "\n{remark} {counted} {noun} ({share:.0} %)")?;
    }
    if n_duplicates > 0 {
        writeln!(
            stdout,
            "{n_duplicates} {noun} have the same content as an earlier row"
        )?;
    }
    Ok(())
}

impl Lengths {
    fn extend(&mut self, more: Lengths) {
        for ((_, column), (_, more)) in self.columns.iter_mut().zip(more.columns) {
            column.extend(more);
        }
        self.n_desirable = self.n_desirable.zip(more.n_desirable).map(|(a, b)| a + b);
    }
}

fn lengths(rows: &Rows) -> Lengths {
    match rows {
        Rows::Pairs(pairs) => {
            let column = |of: fn(&Pair) -> &Text| pairs.iter().map(|p| length(of(p))).collect();
            Lengths {
                columns: vec![
                    ("prompt", column(|p| &p.prompt)),
                    ("chosen", column(|p| &p.chosen)),
                    ("rejected", column(|p| &p.rejected)),
                ],
                n_desirable: None,
            }
        }
        Rows::Examples(all) => {
            let column = |of: fn(&Example) -> &Text| all.iter().map(|e| length(of(e))).collect();
            Lengths {
                columns: vec![
                    ("prompt", column(|e| &e.prompt)),
                    ("completion", column(|e| &e.completion)),
                ],
                n_desirable: n_wanted(all.iter().map(|e| e.label)),
            }
        }
    }
}

fn token_lengths(rows: &TokenRows) -> Lengths {
    match rows {
        TokenRows::Pairs(all) => {
            let column = |of: fn(&TokenPair) -> usize| all.rows.iter().map(of).collect();
            Lengths {
                columns: vec![
                    ("prompt", column(|p| p.prompt.len())),
                    ("chosen", column(|p| p.chosen.len())),
                    ("rejected", column(|p| p.rejected.len())),
                ],
                n_desirable: None,
            }
        }
        TokenRows::Examples(all) => {
            let column = |of: fn(&TokenExample) -> usize| all.rows.iter().map(of).collect();
            Lengths {
                columns: vec![
                    ("prompt", column(|e| e.prompt.len())),
                    ("completion", column(|e| e.completion.len())),
                ],
                n_desirable: n_wanted(all.rows.iter().map(|e| e.label)),
            }
        }
    }
}

/// Number of answers whose label is true; `None` if an answer has no label.
fn n_wanted(mut labels: impl Iterator<Item = Option<bool>>) -> Option<usize> {
    labels.try_fold(0, |n, label| Some(n + usize::from(label?)))
}

fn length(text: &Text) -> usize {
    match text {
        Text::Plain(text) => text.chars().count(),
        Text::Conversation(turns) => turns.iter().map(|t| t.content.chars().count()).sum(),
    }
}
