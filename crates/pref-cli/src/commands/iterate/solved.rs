//! How many problems the model of each round solves. In: the checked rows of the rounds. Out: a table, and one JSON
//! object.

use std::io::Write;
use std::path::Path;

use anyhow::{Result, ensure};
use pref_data::read_rows;
use pref_eval::{Comparison, wilson};
use serde_json::{Value, json};

use crate::numbers::{bracketed, percent, points};
use crate::solving::read_checked;

/// Seed of the bootstrap, the same for all runs.
const SEED: u64 = 0;

/// Which rows are right, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Solved(Vec<bool>);

impl Solved {
    /// Reads a file of `pref check`.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let answers = read_checked(path)?;
        Ok(Self(answers.iter().map(|answer| answer.is_right).collect()))
    }

    fn n_right(&self) -> usize {
        self.0.iter().filter(|is_right| **is_right).count()
    }
}

/// One line of the report.
#[derive(Debug, Default)]
struct Round {
    number: u32,
    /// Of the samples that the round trained on, if they were checked.
    samples: Option<Solved>,
    n_pairs: Option<usize>,
    eval: Option<Solved>,
}

/// What the rounds brought.
#[derive(Debug, Default)]
pub(super) struct Report {
    rounds: Vec<Round>,
}

impl Report {
    fn round(&mut self, number: u32) -> &mut Round {
        if self.rounds.last().is_none_or(|last| last.number != number) {
            self.rounds.push(Round {
                number,
                ..Round::default()
            });
        }
        let last = self.rounds.len() - 1;
        &mut self.rounds[last]
    }

    /// Adds what a round was trained on.
    pub(super) fn add_round(&mut self, number: u32, folder: &Path, is_checked: bool) -> Result<()> {
        let n_pairs = read_rows(&folder.join("pairs.jsonl"))?.count();
        let samples = match is_checked {
            true => Some(Solved::read(&folder.join("checked.jsonl"))?),
            false => None,
        };
        let round = self.round(number);
        (round.n_pairs, round.samples) = (Some(n_pairs), samples);
        Ok(())
    }

    /// Adds the problems that the model of a round solves; round 0 is the model before the first round.
    pub(super) fn add_evaluation(&mut self, number: u32, solved: Solved) -> Result<()> {
        if let Some(first) = self.rounds.first().and_then(|round| round.eval.as_ref()) {
            ensure!(
                first.0.len() == solved.0.len(),
                "the evaluation of round {number} has {} rows, and the one before the first round has {}; the file of --eval has changed: give the old one, or choose another --output",
                solved.0.len(),
                first.0.len()
            );
        }
        self.round(number).eval = Some(solved);
        Ok(())
    }

    fn first_evaluation(&self) -> Option<&Solved> {
        self.rounds.first().and_then(|round| round.eval.as_ref())
    }

    pub(super) fn to_json(&self, model: &Path) -> Value {
        let share = |solved: &Solved| {
            let share = wilson(solved.n_right(), solved.0.len());
            json!({"n": solved.0.len(), "right": solved.n_right(), "share": share.share, "low": share.low, "high": share.high})
        };
        let rounds: Vec<Value> = self
            .rounds
            .iter()
            .map(|round| {
                json!({
                    "round": round.number,
                    "pairs": round.n_pairs,
                    "samples": round.samples.as_ref().map(share),
                    "eval": round.eval.as_ref().map(share),
                    "gain": self.gain(round),
                })
            })
            .collect();
        json!({"model": model, "rounds": rounds})
    }

    /// Prints the table, or one JSON line.
    pub(super) fn print(&self, model: &Path, as_json: bool) -> Result<()> {
        let mut stdout = std::io::stdout().lock();
        if as_json {
            writeln!(stdout, "{}", self.to_json(model))?;
            return Ok(());
        }
        writeln!(
            stdout,
            "{:>5} {:>7} {:>14}   {:<26} {:<30} {:>11}",
            "round",
            "pairs",
            "samples right",
            "solved, 95 % interval",
            "against round 0",
            "McNemar's p"
        )?;
        for round in &self.rounds {
            let pairs = round.n_pairs.map_or(String::new(), |n| n.to_string());
            let samples = round
                .samples
                .as_ref()
                .map_or(String::new(), |solved| percent(share_of(solved)));
            let eval = round.eval.as_ref().map_or(String::new(), |solved| {
                let share = wilson(solved.n_right(), solved.0.len());
                bracketed(percent, [share.share, share.low, share.high])
            });
            let (gain, p) = self.gain(round).map_or_else(Default::default, |gain| {
                let d = gain.difference;
                let interval = bracketed(points, [d.difference, d.low, d.high]);
                (interval, format!("{:.1e}", gain.p))
            });
            let line = format!(
                "{:>5} {pairs:>7} {samples:>14}   {eval:<26} {gain:<30} {p:>11}",
                round.number
            );
            writeln!(stdout, "{}", line.trim_end())?;
        }
        writeln!(stdout, "model in {}", model.display())?;
        Ok(())
    }

    /// The problems of a round beside those of the model before the first round.
    fn gain(&self, round: &Round) -> Option<Comparison> {
        let (before, after) = (self.first_evaluation()?, round.eval.as_ref()?);
        match round.number {
            0 => None,
            _ => Comparison::new(&before.0, &after.0, SEED),
        }
    }
}

fn share_of(solved: &Solved) -> f64 {
    solved.n_right() as f64 / solved.0.len().max(1) as f64
}
