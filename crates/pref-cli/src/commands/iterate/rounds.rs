//! The rounds. In: the flags. Out: files. A file that exists is complete, so its command is not run again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, Result};
use pref_model::write_file;
use pref_train::{Ranks, has_checkpoint};

use super::args::Args;
use super::solved::{Report, Solved};
use crate::command_line::Line;
use crate::commands::{annotate, check, merge, pairs, sample, train};
use crate::model::is_adapter;
use crate::progress;

/// The name of a file or folder of a run.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A run of several rounds.
pub(super) struct Rounds<'a> {
    pub(super) args: &'a Args,
    /// The folder of the model of the first round.
    pub(super) model: PathBuf,
    pub(super) ranks: &'a Rc<dyn Ranks>,
}

/// What a command left.
enum Done {
    Whole,
    /// It was stopped, and this is its exit code.
    Stopped(ExitCode),
}

impl From<ExitCode> for Done {
    fn from(code: ExitCode) -> Self {
        match code == ExitCode::SUCCESS {
            true => Done::Whole,
            false => Done::Stopped(code),
        }
    }
}

/// Goes on if a command is done, and otherwise returns its exit code.
macro_rules! whole {
    ($done:expr) => {
        if let Done::Stopped(code) = $done {
            return Ok(code);
        }
    };
}

impl Rounds<'_> {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let mut report = Report::default();
        let mut model = self.model.clone();
        whole!(self.evaluate(0, &model, &mut report)?);
        for round in 1..=self.args.rounds {
            let folder = self.folder(round);
            progress::note(&format!("round {round} of {}", self.args.rounds));
            whole!(self.sample(
                &self.args.data,
                round,
                &model,
                &folder.join("samples.jsonl"),
                false
            )?);
            whole!(match self.args.judge {
                Some(_) => self.rank(&folder)?,
                None => self.check_and_pair(round, &folder)?,
            });
            whole!(self.train(round, &model, &folder)?);
            model = self.model_after(&model, &folder)?;
            report.add_round(round, &folder, self.args.judge.is_none())?;
            whole!(self.evaluate(round, &model, &mut report)?);
        }
        let path = self.args.output.join("result.json");
        let line = report.to_json(&model);
        write_file(&path, format!("{line:#}\n").as_bytes()).with_context(|| shown(&path))?;
        report.print(&model, self.args.json)?;
        Ok(ExitCode::SUCCESS)
    }

    fn folder(&self, round: u32) -> PathBuf {
        self.args.output.join(format!("round-{round}"))
    }

    fn seed(&self, round: u32) -> String {
        (u64::from(self.args.seed) + u64::from(round)).to_string()
    }

    fn device(&self) -> String {
        self.args.device.device.to_string()
    }

    /// Draws answers to the prompts of `data`.
    fn sample(
        &self,
        data: &Path,
        round: u32,
        model: &Path,
        output: &Path,
        is_evaluation: bool,
    ) -> Result<Done> {
        if output.exists() {
            return Ok(Done::Whole);
        }
        let line = Line::new("sample")
            .word(data)
            .flag("model", model)
            .flag("output", output)
            .flag("seed", self.seed(round))
            .flag("device", self.device())
            .words(&self.args.sample);
        let args: sample::Args = line.parse()?;
        let args = match is_evaluation {
            true => args.once_and_greedy(),
            false => args,
        };
        Ok(sample::run(&args)?.into())
    }

    fn check(&self, samples: &Path, output: &Path) -> Result<Done> {
        if output.exists() {
            return Ok(Done::Whole);
        }
        let line = Line::new("check")
            .word(samples)
            .flag("output", output)
            .words(&self.args.check);
        Ok(check::run(&line.parse()?)?.into())
    }

    fn check_and_pair(&self, round: u32, folder: &Path) -> Result<Done> {
        let [checked, output] = ["checked.jsonl", "pairs.jsonl"].map(|name| folder.join(name));
        if let Done::Stopped(code) = self.check(&folder.join("samples.jsonl"), &checked)? {
            return Ok(Done::Stopped(code));
        }
        if output.exists() {
            return Ok(Done::Whole);
        }
        let line = Line::new("pairs")
            .word(&checked)
            .flag("output", &output)
            .flag("seed", self.seed(round))
            .words(&self.args.pairs);
        Ok(pairs::run(&line.parse()?)?.into())
    }

    /// Lets the judge choose the best and the worst answer to each prompt. One store serves all rounds.
    fn rank(&self, folder: &Path) -> Result<Done> {
        let output = folder.join("pairs.jsonl");
        if output.exists() {
            return Ok(Done::Whole);
        }
        let judge = self.args.judge.as_deref().unwrap_or_default();
        let line = Line::new("annotate")
            .word("rank")
            .word(folder.join("samples.jsonl"))
            .flag("judge", judge)
            .flag("store", self.args.output.join("annotations.sqlite"))
            .flag("output", &output)
            .words(&self.args.rank);
        Ok(annotate::run(&line.parse()?)?.into())
    }

    fn train(&self, round: u32, model: &Path, folder: &Path) -> Result<Done> {
        let run = folder.join("train");
        if run.join("model").is_dir() {
            return Ok(Done::Whole);
        }
        let line = Line::new("train")
            .flag("data", folder.join("pairs.jsonl"))
            .flag("model", model)
            .flag("output", &run)
            .flag("seed", self.seed(round))
            .flag("device", self.device())
            .words(&self.args.train);
        let line = match has_checkpoint(&run) {
            true => line.word("--resume"),
            false => line,
        };
        Ok(train::run(line.parse()?, self.ranks)?.into())
    }

    /// The model that the round trained. An adapter is merged into its base, because the next round trains further from
    /// both, and its reference is both.
    fn model_after(&self, base: &Path, folder: &Path) -> Result<PathBuf> {
        let trained = folder.join("train/model");
        if !is_adapter(&trained) {
            return Ok(trained);
        }
        let merged = folder.join("model");
        if !merged.is_dir() {
            let line = Line::new("merge")
                .flag("adapter", &trained)
                .flag("model", base)
                .flag("output", &merged)
                .flag("device", self.device());
            merge::run(&line.parse()?)?;
        }
        Ok(merged)
    }

    /// Lets a model solve the problems of `--eval`.
    fn evaluate(&self, round: u32, model: &Path, report: &mut Report) -> Result<Done> {
        let Some(eval) = &self.args.eval else {
            return Ok(Done::Whole);
        };
        let folder = self.folder(round);
        let [samples, checked] =
            ["eval-samples.jsonl", "eval-checked.jsonl"].map(|name| folder.join(name));
        if let Done::Stopped(code) = self.sample(eval, 0, model, &samples, true)? {
            return Ok(Done::Stopped(code));
        }
        if let Done::Stopped(code) = self.check(&samples, &checked)? {
            return Ok(Done::Stopped(code));
        }
        report.add_evaluation(round, Solved::read(&checked)?)?;
        Ok(Done::Whole)
    }
}
