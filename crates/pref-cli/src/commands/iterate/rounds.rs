//! The rounds. In: the flags. Out: files. A file that exists is complete, so its command is not run again.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Result;
use pref_train::{Ranks, has_checkpoint};

use super::args::Args;
use super::solved::{Report, Solved};
use crate::command_line::{Line, whole};
use crate::commands::{annotate, merge, pairs, train};
use crate::json_file;
use crate::model::is_adapter;
use crate::progress;
use crate::solving::{Drawn, Solving};

/// A run of several rounds.
pub(super) struct Rounds<'a> {
    pub(super) args: &'a Args,
    /// The folder of the model of the first round.
    pub(super) model: PathBuf,
    pub(super) ranks: &'a Rc<dyn Ranks>,
}

impl Rounds<'_> {
    pub(super) fn run(&self) -> Result<()> {
        let mut report = Report::default();
        let mut model = self.model.clone();
        self.evaluate(0, &model, &mut report)?;
        for round in 1..=self.args.rounds {
            let folder = self.folder(round);
            progress::note(&format!("round {round} of {}", self.args.rounds));
            let samples = folder.join("samples.jsonl");
            let seed = self.seed(round);
            self.solving()
                .sample(&self.args.data, &model, &samples, seed, Drawn::Sampled)?;
            match self.args.judge {
                Some(_) => self.rank(&folder)?,
                None => self.check_and_pair(seed, &folder)?,
            }
            self.train(seed, &model, &folder)?;
            model = self.model_after(&model, &folder)?;
            report.add_round(round, &folder, self.args.judge.is_none())?;
            self.evaluate(round, &model, &mut report)?;
        }
        json_file::write(
            &self.args.output.join("result.json"),
            &report.to_json(&model),
        )?;
        report.print(&model, self.args.json)
    }

    fn solving(&self) -> Solving<'_> {
        Solving {
            sample: &self.args.sample,
            check: &self.args.check,
            device: self.args.device.device,
        }
    }

    fn folder(&self, round: u32) -> PathBuf {
        self.args.output.join(format!("round-{round}"))
    }

    fn seed(&self, round: u32) -> u64 {
        u64::from(self.args.seed) + u64::from(round)
    }

    fn device(&self) -> String {
        self.args.device.device.to_string()
    }

    fn check_and_pair(&self, seed: u64, folder: &Path) -> Result<()> {
        let [checked, output] = ["checked.jsonl", "pairs.jsonl"].map(|name| folder.join(name));
        self.solving()
            .check(&folder.join("samples.jsonl"), &checked)?;
        if output.exists() {
            return Ok(());
        }
        let line = Line::new("pairs")
            .word(&checked)
            .flag("output", &output)
            .flag("seed", seed.to_string())
            .words(&self.args.pairs);
        whole(pairs::run(&line.parse()?)?)
    }

    /// Lets the judge choose the best and the worst answer to each prompt. One store serves all rounds.
    fn rank(&self, folder: &Path) -> Result<()> {
        let output = folder.join("pairs.jsonl");
        if output.exists() {
            return Ok(());
        }
        let judge = self.args.judge.as_deref().unwrap_or_default();
        let line = Line::new("annotate")
            .word("rank")
            .word(folder.join("samples.jsonl"))
            .flag("judge", judge)
            .flag("store", self.args.output.join("annotations.sqlite"))
            .flag("output", &output)
            .words(&self.args.rank);
        // An answer of no token cannot be judged.
        let line = match self.args.rank.has("--on-error") {
            true => line,
            false => line.flag("on-error", "skip"),
        };
        whole(annotate::run(&line.parse()?)?)
    }

    fn train(&self, seed: u64, model: &Path, folder: &Path) -> Result<()> {
        let run = folder.join("train");
        if run.join("model").is_dir() {
            return Ok(());
        }
        let line = Line::new("train")
            .flag("data", folder.join("pairs.jsonl"))
            .flag("model", model)
            .flag("output", &run)
            .flag("seed", seed.to_string())
            .flag("device", self.device())
            .words(&self.args.train);
        let line = match has_checkpoint(&run) {
            true => line.word("--resume"),
            false => line,
        };
        whole(train::run(line.parse()?, self.ranks)?)
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
            whole(merge::run(&line.parse()?)?)?;
        }
        Ok(merged)
    }

    /// Lets a model solve the problems of `--eval`.
    fn evaluate(&self, round: u32, model: &Path, report: &mut Report) -> Result<()> {
        let Some(eval) = &self.args.eval else {
            return Ok(());
        };
        let folder = self.folder(round);
        let [samples, checked] =
            ["eval-samples.jsonl", "eval-checked.jsonl"].map(|name| folder.join(name));
        let seed = u64::from(self.args.seed);
        let solving = self.solving();
        solving.sample(eval, model, &samples, seed, Drawn::Greedy)?;
        solving.check(&samples, &checked)?;
        report.add_evaluation(round, Solved::read(&checked)?)
    }
}
