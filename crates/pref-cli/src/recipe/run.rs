//! Runs the embedded recipe, the whole way from a decoder with random weights to one that solves more problems. In: an
//! output folder and a seed. Out: the data, the decoder after each stage, the metrics of both trainings, and how many
//! new problems are solved before and after, in this folder. `pref` can read all these files like any other files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use pref_train::{Outcome, Ranks, TrainBackend, has_checkpoint, train_together};

use super::compare::Solving;
use super::fresh::write_fresh_model;
use super::pairs::{pairs, split_by_problem};
use super::plans::{LESSONS, PREFERENCES, PREFERENCES_FOLDER, plan};
use super::rows::{read_rows, write_rows};
use super::solve::{Drawn, Solver};
use super::task::{Problem, lessons, new_problems};
use crate::device::{Device, Task};
use crate::outcome::report;
use crate::progress::{self, Progress};
use crate::report::{Contents, report_of, write_page};

/// Number of lessons: solutions of careful and careless solvers.
const N_LESSONS: usize = 12_000;
/// Number of problems whose samples become pairs.
const N_PROBLEMS: usize = 700;
/// Number of them whose pairs are for evaluation.
const N_EVAL: usize = 60;
/// Number of samples of each of these problems.
const N_SAMPLES: usize = 8;
/// Number of new problems that are solved before and after.
const N_HELD_OUT: usize = 500;
/// Rows of data and of samples on the page.
const ROWS_OF_TABLES: usize = 8;

/// The recipe with the user's choices.
pub(crate) struct Recipe<'a> {
    /// The output folder; `runs/arithmetic` if absent.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) seed: u64,
    pub(crate) json: bool,
    /// The device that computes, for the page.
    pub(crate) device: Device,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) ranks: &'a Rc<dyn Ranks>,
}

impl Task for Recipe<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let folder = self.folder.clone();
        let folder = folder.unwrap_or_else(|| PathBuf::from("runs/arithmetic"));
        let at = |name: &str| folder.join(name);
        if self.ranks.is_first() {
            self.write_data(&folder)?;
            if !at("fresh/model.safetensors").is_file() {
                write_fresh_model::<B>(&at("fresh"), &lessons(1000, self.seed), self.seed, device)?;
            }
        }
        // The other ranks read the files of rank 0, here and below.
        self.ranks.meet()?;

        let base = at("lessons/model");
        if !base.join("model.safetensors").is_file() {
            progress::note(
                "1 of 4: a decoder with random weights imitates careful and careless solvers",
            );
            let outcome = self.train::<B>(&folder, LESSONS, device)?;
            if !matches!(outcome, Outcome::Finished { .. }) {
                return report(&outcome, self.json, &**self.ranks);
            }
        }
        if self.ranks.is_first() && !at("data/pairs.jsonl").is_file() {
            progress::note(&format!(
                "2 of 4: it solves {N_PROBLEMS} problems {N_SAMPLES} times each; right and wrong solutions become pairs"
            ));
            write_pairs::<B>(&folder, &base, self.seed, device)?;
        }
        self.ranks.meet()?;
        progress::note("3 of 4: it learns to prefer the right solutions (ADPO)");
        let outcome = self.train::<B>(&folder, PREFERENCES, device)?;
        let code = report(&outcome, self.json, &**self.ranks)?;
        if let Outcome::Finished { model, .. } = &outcome
            && self.ranks.is_first()
        {
            progress::note(&format!(
                "4 of 4: both decoders solve {N_HELD_OUT} new problems"
            ));
            let held_out: Vec<Problem> = read_rows(&at("data/held-out.jsonl"))?;
            let before = Solver::<B>::load(&base, device)?.solve_both(&held_out, self.seed)?;
            let after = Solver::<B>::load(model, device)?.solve_both(&held_out, self.seed)?;
            let comparison =
                Solving::new(&before, &after).context("there are held-out problems")?;
            let path = at("result.json");
            pref_model::write_file(&path, comparison.to_json().as_bytes())
                .with_context(|| path.display().to_string())?;
            let text = match self.json {
                true => comparison.to_json(),
                false => comparison.to_string(),
            };
            write!(std::io::stdout(), "{text}")?;
            self.write_page(&folder, &comparison)?;
        }
        Ok(code)
    }
}

impl Recipe<'_> {
    /// Writes a page about the preference training and what it gained.
    fn write_page(&self, folder: &Path, comparison: &Solving) -> Result<()> {
        let contents = Contents {
            tokens: None,
            rows: ROWS_OF_TABLES,
            samples: &[folder.join("data/samples.jsonl")],
            device: self.device,
        };
        let mut report = report_of(&[folder.join(PREFERENCES_FOLDER)], &contents)?;
        "The embedded recipe".clone_into(&mut report.title);
        report.shares.push(comparison.to_table());
        let path = folder.join("report.html");
        write_page(&report, &path)?;
        progress::note(&format!("{}: written", path.display()));
        Ok(())
    }

    fn write_data(&self, folder: &Path) -> Result<()> {
        let at = |name: &str| folder.join("data").join(name);
        if at("lessons.jsonl").is_file() {
            return Ok(());
        }
        let seeds = [0, 1, 2].map(|file| self.seed.wrapping_mul(3).wrapping_add(file));
        let lessons = lessons(N_LESSONS, seeds[0]);
        let mut seen = lessons.iter().map(|lesson| lesson.prompt.clone()).collect();
        // No decoder has seen a held-out problem, or a problem that it samples, before.
        write_rows(
            &at("problems.jsonl"),
            &new_problems(N_PROBLEMS, seeds[1], &mut seen),
        )?;
        write_rows(
            &at("held-out.jsonl"),
            &new_problems(N_HELD_OUT, seeds[2], &mut seen),
        )?;
        // This file is written last. If it exists, the others exist as well.
        write_rows(&at("lessons.jsonl"), &lessons)
    }

    fn train<B: TrainBackend>(
        &self,
        folder: &Path,
        text: &str,
        device: &B::Device,
    ) -> Result<Outcome> {
        let plan = plan(folder, text, self.seed)?;
        let resume = has_checkpoint(&plan.output.folder);
        let mut tracker = Progress::new();
        let outcome =
            train_together::<B>(&plan, resume, device, &mut tracker, self.stop, self.ranks)?;
        Ok(outcome)
    }
}

/// Samples solutions of the problems, checks them, and makes pairs.
fn write_pairs<B: TrainBackend>(
    folder: &Path,
    model: &Path,
    seed: u64,
    device: &B::Device,
) -> Result<()> {
    let at = |name: &str| folder.join("data").join(name);
    let problems: Vec<Problem> = read_rows(&at("problems.jsonl"))?;
    let solver = Solver::<B>::load(model, device)?;
    let samples = solver.solve(&problems, Drawn::Sampled { n: N_SAMPLES }, seed)?;
    write_rows(&at("samples.jsonl"), &samples)?;
    let n_right = samples.iter().filter(|sample| sample.is_correct).count();
    let (eval, train) = split_by_problem(
        pairs(&samples, seed),
        &problems[..N_EVAL.min(problems.len())],
    );
    progress::note(&format!(
        "{n_right} of {} samples are right; {} pairs for training, {} for evaluation",
        samples.len(),
        train.len(),
        eval.len()
    ));
    write_rows(&at("eval-pairs.jsonl"), &eval)?;
    // This file is written last. If it exists, the other one exists as well.
    write_rows(&at("pairs.jsonl"), &train)
}
