//! Rows that a model adds values to, over several runs of a command. In: rows, and a function that adds the values.
//! Out: a file of rows. A run that was stopped or killed goes on after the last row that it wrote.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, ensure};
use pref_data::{Record, Text};
use pref_train::Ranks;
use serde_json::{Value, json};

use super::kinds::Rows;
use super::read::ReadArgs;
use crate::partial::PartialFile;
use crate::progress;
use crate::signals::INTERRUPTED;

/// Which rows get values, and where they go.
#[derive(clap::Args)]
pub(crate) struct ScoreArgs {
    /// Rows to score: a file (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, or hub:OWNER/NAME
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Output file, JSON Lines
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Rows computed together in one forward pass
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
    /// Key of config.json to ignore; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) ignore_config: Vec<String>,
}

impl ScoreArgs {
    /// Checks what can be checked before a model is loaded.
    pub(crate) fn check(&self) -> Result<()> {
        ensure_json_lines(&self.output)
    }
}

/// Rows that a model adds values to.
pub(crate) struct Resumable<'a> {
    pub(crate) args: &'a ScoreArgs,
    pub(crate) read: &'a ReadArgs,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) ranks: &'a dyn Ranks,
}

/// Refuses an output that is not JSON Lines, the only format to which rows can be added one by one.
pub(crate) fn ensure_json_lines(output: &Path) -> Result<()> {
    let ending = output.extension().and_then(|ending| ending.to_str());
    ensure!(
        matches!(ending, None | Some("jsonl" | "ndjson")),
        "{}: the rows are added one by one, which only JSON Lines allow; name the file .jsonl, and convert it with `pref data convert`",
        output.display()
    );
    Ok(())
}

impl Resumable<'_> {
    /// Writes every row with the values that `score` adds. `origin` describes what the values are made with; a later
    /// run with something else is refused. Only rank 0 needs it.
    pub(crate) fn write(
        &self,
        origin: impl FnOnce() -> Result<Value>,
        score: impl Fn(Vec<Record>) -> Result<Vec<Value>>,
    ) -> Result<ExitCode> {
        let ranks = self.ranks;
        let ScoreArgs {
            data, output: path, ..
        } = self.args;
        let at_a_time = usize::from(self.args.batch_size);
        // Rank 0 has the file.
        let mut output = match ranks.is_first() {
            true => Some(PartialFile::open(path, &origin()?)?),
            false => None,
        };
        let own = output.as_ref().map(PartialFile::n_done);
        let n_before = ranks.of_first(|| anyhow::Ok(own.unwrap_or(0)))?;
        if n_before > 0 {
            progress::note(&format!("{n_before} rows were scored before"));
        }
        let mut n_rows = 0;
        let mut is_stopped = false;
        let files = std::slice::from_ref(data);
        let rejects = self.read.each(files, |rows| {
            let mut rest = records(rows);
            while let Some(record) = rest.first() {
                if is_stopped {
                    return Ok(());
                }
                if n_rows < n_before {
                    if let Some(done) = next_done(&mut output)? {
                        ensure!(
                            is_same(record, &done),
                            "{}: the row differs from the row that was scored before; remove {}.part to begin again, or choose another --output",
                            record.place(),
                            path.display()
                        );
                    }
                    rest.remove(0);
                    n_rows += 1;
                    continue;
                }
                // Each rank scores a batch, and rank 0 writes all.
                let n = rest.len().min(at_a_time * ranks.size());
                let round: Vec<Record> = rest.drain(..n).collect();
                let own = round.chunks(at_a_time).nth(ranks.rank());
                let own = score(own.unwrap_or_default().to_vec())?;
                let own: Vec<String> = own.iter().map(Value::to_string).collect();
                let all = ranks.share((own, self.stop.load(Ordering::SeqCst)))?;
                n_rows += round.len();
                is_stopped = all.iter().any(|(_, is_stopped)| *is_stopped);
                if let Some(output) = &mut output {
                    let lines: Vec<String> = all.into_iter().flat_map(|(lines, _)| lines).collect();
                    output.write(&lines)?;
                }
            }
            Ok(())
        })?;
        self.read.report_skipped(&rejects)?;
        if is_stopped {
            progress::note(&format!(
                "stopped after {n_rows} rows; run the same command again to continue"
            ));
            return Ok(ExitCode::from(INTERRUPTED));
        }
        ensure!(
            n_rows >= n_before,
            "{}.part has {} rows more than {}; remove it to begin again, or choose another --output",
            path.display(),
            n_before - n_rows,
            data.display()
        );
        if let Some(output) = output {
            output.finish()?;
        }
        progress::note(&format!("{}: {n_rows} rows", path.display()));
        Ok(ExitCode::SUCCESS)
    }
}

/// The next row that an earlier run wrote. `None` on a rank without the file.
fn next_done(output: &mut Option<PartialFile>) -> Result<Option<Value>> {
    match output {
        Some(output) => output.next_done(),
        None => Ok(None),
    }
}

fn records(rows: Rows) -> Vec<Record> {
    match rows {
        Rows::Pairs(rows) => rows.into_iter().map(Record::Pair).collect(),
        Rows::Examples(rows) => rows.into_iter().map(Record::Example).collect(),
    }
}

/// Whether a scored row has the texts of a row of the input.
fn is_same(record: &Record, scored: &Value) -> bool {
    let same = |key: &str, text: &Text| scored[key] == json!(text);
    match record {
        Record::Pair(pair) => {
            same("prompt", &pair.prompt)
                && same("chosen", &pair.chosen)
                && same("rejected", &pair.rejected)
        }
        Record::Example(row) if row.is_text() => same("text", &row.completion),
        Record::Example(row) => {
            let answers = ["completion", "response"];
            same("prompt", &row.prompt) && answers.iter().any(|key| same(key, &row.completion))
        }
    }
}
