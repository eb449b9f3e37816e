//! `pref data`: sets of pairs as files. In: pairs of any format and shape. Out: what they are like,
//! or the same pairs as JSON Lines, whole or divided.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use pref_data::{
    Example, Pair, RowMap, Text, TokenExample, TokenPair, TokenizeOptions, Tokenizer, hold_out,
    read_rows,
};
use serde_json::json;

use crate::pairs::{ReadArgs, Rows, TokenRows, parse_field, put_lines, write_lines};
use crate::progress;

/// Look at sets of pairs, convert and divide them
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// How many pairs or answers there are, and how long they are
    Stats {
        /// Pairs: JSON Lines, JSON, CSV or Parquet, a folder of them, a pattern, or hub:OWNER/NAME
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Folder of a model: lengths in its tokens, not in characters
        #[arg(long, value_name = "FOLDER")]
        model: Option<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Any format and shape to JSON Lines of prompt, chosen and rejected, or of single answers
    Convert {
        /// Pairs: JSON Lines, JSON, CSV or Parquet, a folder of them, a pattern, or hub:OWNER/NAME
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where to; stdout if absent
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Rows of any file to other rows, each field a Jinja template over the old row's fields
    ///
    /// A template makes a text; one that is nothing but {{ expression }} gives the expression's value,
    /// such as a list of messages, a number or true.
    Map {
        /// Rows: JSON Lines, JSON, CSV or Parquet, a folder of them, a pattern, or hub:OWNER/NAME
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A field of the new rows, such as prompt='Q: {{ question }}'; may be repeated
        #[arg(long = "field", value_name = "NAME=TEMPLATE", required = true, value_parser = parse_field)]
        fields: Vec<(String, String)>,
        /// Keep the old rows' other fields
        #[arg(long)]
        keep: bool,
        /// Where to; stdout if absent
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Hold out a fraction for evaluation, the same for a seed as `data.eval-fraction` in training
    Split {
        /// Pairs: JSON Lines, JSON, CSV or Parquet, a folder of them, a pattern, or hub:OWNER/NAME
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Fraction held out
        #[arg(long, value_name = "X", default_value_t = 0.1)]
        fraction: f64,
        /// Seed of the choice
        #[arg(long, value_name = "N", default_value_t = 42)]
        seed: u64,
        /// Folder for train.jsonl and eval.jsonl
        #[arg(long, value_name = "FOLDER")]
        output: PathBuf,
        #[command(flatten)]
        read: ReadArgs,
    },
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Stats {
            file,
            model,
            json,
            read,
        } => stats(file, model.as_deref(), *json, read)?,
        Command::Convert { file, output, read } => {
            let rows = read.read_any(file)?.values();
            let lines = rows.iter().map(|row| Ok(row.to_string()));
            put_lines(output.as_deref(), lines)?;
        }
        Command::Map {
            file,
            fields,
            keep,
            output,
        } => {
            let map = RowMap::new(fields, *keep)?;
            let lines = read_rows(file)?.map(|row| {
                let row = map.apply(&row?)?;
                Ok(serde_json::to_string(&row)?)
            });
            put_lines(output.as_deref(), lines)?;
        }
        Command::Split {
            file,
            fraction,
            seed,
            output,
            read,
        } => {
            ensure!(
                *fraction > 0.0 && *fraction < 1.0,
                "--fraction must be above 0 and below 1, found {fraction}"
            );
            let rows = read.read_any(file)?;
            let (train, eval) = hold_out(rows.values(), *fraction, *seed);
            std::fs::create_dir_all(output)?;
            for (name, part) in [("train.jsonl", train), ("eval.jsonl", eval)] {
                let path = output.join(name);
                let n = write_lines(&path, part.iter().map(|row| Ok(row.to_string())))?;
                progress::note(&format!("{}: {n} {}", path.display(), rows.noun()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How long the rows are.
struct Lengths {
    /// By the name of the column.
    columns: Vec<(&'static str, Vec<usize>)>,
    /// Of single answers: how many are wanted.
    wanted: Option<usize>,
}

fn stats(file: &Path, model: Option<&Path>, json: bool, read: &ReadArgs) -> Result<()> {
    let (rows, rejects) = read.read_unlisted(file)?;
    let mut rejects: Vec<String> = rejects.iter().map(ToString::to_string).collect();
    let (unit, lengths) = match model {
        Some(model) => {
            let tokenizer = Tokenizer::from_folder(model)?;
            let options = TokenizeOptions {
                skip_bad_rows: read.skips(),
                ..TokenizeOptions::default()
            };
            let tokens = rows.tokens(&tokenizer, &options)?;
            rejects.extend(tokens.rejects().iter().map(ToString::to_string));
            ("tokens", token_lengths(&tokens))
        }
        None => ("characters", lengths(&rows)),
    };
    read.list(&rejects)?;
    let mut columns = lengths.columns;
    let (n, noun) = (columns[0].1.len(), rows.noun());
    ensure!(n > 0, "no row can be made tokens");
    // what the two sides or labels have in common
    let (key, counted, remark) = match lengths.wanted {
        None => {
            let longer = columns[1].1.iter().zip(&columns[2].1);
            let longer = longer.filter(|(w, l)| w > l).count();
            ("chosen_longer", longer, "chosen is the longer answer in")
        }
        Some(wanted) => ("desirable", wanted, "the label is true in"),
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
        let mut line = json!({noun: n, "unit": unit, key: counted});
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
    let share = 100.0 * counted as f64 / n as f64;
    writeln!(stdout, "\n{remark} {counted} {noun} ({share:.0} %)")?;
    Ok(())
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
                wanted: None,
            }
        }
        Rows::Examples(all) => {
            let column = |of: fn(&Example) -> &Text| all.iter().map(|e| length(of(e))).collect();
            Lengths {
                columns: vec![
                    ("prompt", column(|e| &e.prompt)),
                    ("completion", column(|e| &e.completion)),
                ],
                wanted: Some(all.iter().filter(|e| e.desirable).count()),
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
                wanted: None,
            }
        }
        TokenRows::Examples(all) => {
            let column = |of: fn(&TokenExample) -> usize| all.rows.iter().map(of).collect();
            Lengths {
                columns: vec![
                    ("prompt", column(|e| e.prompt.len())),
                    ("completion", column(|e| e.completion.len())),
                ],
                wanted: Some(all.rows.iter().filter(|e| e.desirable).count()),
            }
        }
    }
}

fn length(text: &Text) -> usize {
    match text {
        Text::Plain(text) => text.chars().count(),
        Text::Conversation(turns) => turns.iter().map(|t| t.content.chars().count()).sum(),
    }
}
