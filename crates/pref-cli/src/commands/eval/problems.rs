//! Problems solved by a model. In: rows with prompts and answers. Out: the checked answers, greedy and sampled, in files
//! and in memory.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use pref_data::read_rows;
use serde_json::{Map, Value};

use super::args::Args;
use crate::command_line::Line;
use crate::commands::{check, sample};

/// A model and its problems.
pub(super) struct Problems<'a> {
    pub(super) args: &'a Args,
    pub(super) data: &'a Path,
    /// The model as it was named.
    pub(super) source: &'a Path,
    pub(super) folder: &'a Path,
}

/// How solving ended.
pub(super) enum End {
    Solved(Answers),
    Stopped(ExitCode),
}

/// The answers to all problems, in the order of the problems.
pub(super) struct Answers {
    pub(super) greedy: Vec<Answer>,
    /// For each problem its samples; none with `--n 0`.
    pub(super) sampled: Vec<Vec<Answer>>,
}

/// A checked answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) is_right: bool,
    /// Whether the answer is neither shown to be right nor to be wrong.
    pub(super) is_unknown: bool,
    /// Whether it ended at the limit of its length.
    pub(super) is_cut: bool,
    pub(super) extracted: Option<String>,
    pub(super) n_tokens: u64,
}

impl Problems<'_> {
    /// Draws and checks what is missing, and reads the checked answers.
    pub(super) fn solve(&self) -> Result<End> {
        let mut all = Vec::new();
        for (name, n) in [("greedy", 1), ("samples", self.args.n as usize)] {
            if n == 0 {
                all.push(Vec::new());
                continue;
            }
            let [answers, checked] =
                ["", "-checked"].map(|ending| self.folder.join(format!("{name}{ending}.jsonl")));
            if let Some(code) = self.draw(&answers, name == "greedy")? {
                return Ok(End::Stopped(code));
            }
            if !checked.exists() {
                let line = Line::new("check")
                    .word(&answers)
                    .flag("output", &checked)
                    .words(&self.args.check);
                let code = check::run(&line.parse()?)?;
                if code != ExitCode::SUCCESS {
                    return Ok(End::Stopped(code));
                }
            }
            all.push(read(&checked, n)?);
        }
        let sampled = all.pop().unwrap_or_default();
        let greedy = all
            .pop()
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .collect();
        Ok(End::Solved(Answers { greedy, sampled }))
    }

    /// Draws answers, unless they are there. Returns an exit code if it was stopped.
    fn draw(&self, output: &Path, is_greedy: bool) -> Result<Option<ExitCode>> {
        if output.exists() {
            return Ok(None);
        }
        let line = Line::new("sample")
            .word(self.data)
            .flag("model", self.source)
            .flag("output", output)
            .flag("seed", self.args.seed.to_string())
            .flag("n", self.args.n.max(1).to_string())
            .flag("device", self.args.device.device.to_string())
            .words(&self.args.sample);
        let args: sample::Args = line.parse()?;
        let args = match is_greedy {
            true => args.once_and_greedy(),
            false => args,
        };
        let code = sample::run(&args)?;
        Ok((code != ExitCode::SUCCESS).then_some(code))
    }
}

/// The answers of a checked file, `n` of each problem.
fn read(path: &Path, n: usize) -> Result<Vec<Vec<Answer>>> {
    let mut answers = Vec::new();
    for row in read_rows(path)? {
        let row = row?;
        let place = || format!("{}:{}", row.path.display(), row.line);
        answers.push(answer(&row.object).with_context(place)?);
    }
    ensure!(
        !answers.is_empty() && answers.len().is_multiple_of(n),
        "{} has {} rows, and there should be {n} of each problem; remove the folder, and run the command again",
        path.display(),
        answers.len()
    );
    Ok(answers.chunks(n).map(<[Answer]>::to_vec).collect())
}

fn answer(row: &Map<String, Value>) -> Result<Answer> {
    let Some(is_right) = row.get("is_correct").and_then(Value::as_bool) else {
        bail!("`is_correct` is missing; remove the file, and run the command again");
    };
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    Ok(Answer {
        is_right,
        is_unknown: text("verdict") == Some("unknown"),
        is_cut: text("finish_reason") == Some("length"),
        extracted: text("extracted").map(str::to_owned),
        n_tokens: row.get("n_tokens").and_then(Value::as_u64).unwrap_or(0),
    })
}
