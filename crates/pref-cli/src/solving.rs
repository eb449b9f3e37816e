//! Problems that a model solves, for the commands that run `pref sample` and `pref check`. In: flags for both. Out: files,
//! and the checked answers. A file that exists is complete, so its command is not run again.

use std::path::Path;

use anyhow::{Context, Result};
use pref_data::read_rows;
use pref_train::Alone;
use serde_json::{Map, Value};

use crate::command_line::{Line, Words, whole};
use crate::commands::{check, sample};
use crate::device::Device;
use crate::progress;

/// The flags of both commands.
pub(crate) struct Solving<'a> {
    pub(crate) sample: &'a Words,
    pub(crate) check: &'a Words,
    pub(crate) device: Device,
}

/// How answers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// As the flags say.
    Sampled,
    /// One answer of the most probable tokens, whatever the flags say.
    Greedy,
}

/// A checked answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) is_right: bool,
    /// Whether the answer is neither shown to be right nor to be wrong.
    pub(crate) is_unknown: bool,
    /// Whether it ended at the limit of its length.
    pub(crate) is_cut: bool,
    pub(crate) extracted: Option<String>,
    pub(crate) n_tokens: u64,
}

impl Solving<'_> {
    /// Draws answers to the prompts of `data`.
    pub(crate) fn sample(
        &self,
        data: &Path,
        model: &Path,
        output: &Path,
        seed: u64,
        drawn: Drawn,
    ) -> Result<()> {
        if output.exists() {
            return Ok(());
        }
        let line = Line::new("sample")
            .word(data)
            .flag("model", model)
            .flag("output", output)
            .flag("seed", seed.to_string())
            .flag("device", self.device.to_string())
            .words(self.sample);
        let args: sample::Args = line.parse()?;
        let args = match drawn {
            Drawn::Sampled => args,
            Drawn::Greedy => {
                progress::note("with --n 1 --greedy in place of its --n and --temperature");
                args.once_and_greedy()
            }
        };
        whole(sample::run(&args, &Alone)?)
    }

    /// Checks answers.
    pub(crate) fn check(&self, answers: &Path, output: &Path) -> Result<()> {
        if output.exists() {
            return Ok(());
        }
        let line = Line::new("check")
            .word(answers)
            .flag("output", output)
            .words(self.check);
        whole(check::run(&line.parse()?)?)
    }
}

/// The answers of a file of `pref check`, in its order.
pub(crate) fn read_checked(path: &Path) -> Result<Vec<Answer>> {
    let mut answers = Vec::new();
    for row in read_rows(path)? {
        let row = row?;
        let answer = answer(&row.object).with_context(|| {
            format!(
                "{}:{}: `is_correct` is missing; remove the file, and run the command again",
                row.path.display(),
                row.line
            )
        });
        answers.push(answer?);
    }
    Ok(answers)
}

fn answer(row: &Map<String, Value>) -> Option<Answer> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    Some(Answer {
        is_right: row.get("is_correct").and_then(Value::as_bool)?,
        is_unknown: text("verdict") == Some("unknown"),
        is_cut: text("finish_reason") == Some("length"),
        extracted: text("extracted").map(str::to_owned),
        n_tokens: row.get("n_tokens").and_then(Value::as_u64).unwrap_or(0),
    })
}
