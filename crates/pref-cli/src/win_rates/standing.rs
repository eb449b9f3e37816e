//! A model against a baseline. In: annotations. Out: win rates, counts and a test, as JSON and as text.

use std::io::Write;

use anyhow::{Result, ensure};
use pref_eval::{Duel, Mean, WinRate, holm, mcnemar, win_rate};
use serde_json::{Value, json};

use super::annotation::Annotation;
use super::calibration::Calibration;
use crate::numbers::{bracketed, p_value, percent};

/// How a model stands against a baseline.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    model: String,
    baseline: String,
    annotator: String,
    n_missing: usize,
    /// None if no question was judged.
    pub(crate) rate: Option<WinRate>,
    /// Mean characters of the answers of the model and of the baseline.
    lengths: [f64; 2],
    /// The p-value of the sign test of wins and losses.
    p: f64,
}

impl Standing {
    /// The standing of the model that wrote the second answers. The annotations are in the order of the questions.
    pub(crate) fn of(
        annotations: &[Annotation],
        calibration: &Calibration,
        seed: u64,
    ) -> Result<Self> {
        let mut duels = Vec::with_capacity(annotations.len());
        for (i, annotation) in annotations.iter().enumerate() {
            let difficulty = calibration.difficulty(i);
            ensure!(
                calibration.is_empty() || difficulty.is_some(),
                "question {} has no difficulty in the calibration, which belongs to other questions; the annotations must be in AlpacaEval's order",
                i + 1
            );
            if let Some(preference) = annotation.preference {
                duels.push(Duel {
                    preference: preference - 1.0,
                    length: annotation.output_2.chars().count(),
                    baseline_length: annotation.output_1.chars().count(),
                    difficulty,
                });
            }
        }
        let rate = win_rate(&duels, &calibration.gamed, seed);
        let name = |name: fn(&Annotation) -> &String| annotations.first().map(name).cloned();
        let mean = |length: fn(&Annotation) -> &String| {
            let sum: usize = annotations.iter().map(|a| length(a).chars().count()).sum();
            sum as f64 / annotations.len().max(1) as f64
        };
        Ok(Self {
            model: name(|a| &a.generator_2).unwrap_or_default(),
            baseline: name(|a| &a.generator_1).unwrap_or_default(),
            annotator: name(|a| &a.annotator).unwrap_or_default(),
            n_missing: annotations.len() - duels.len(),
            p: rate.map_or(f64::NAN, |rate| mcnemar(rate.losses, rate.wins)),
            rate,
            lengths: [mean(|a| &a.output_2), mean(|a| &a.output_1)],
        })
    }

    pub(crate) fn rates(&self) -> Vec<(&'static str, Mean)> {
        let Some(rate) = self.rate else {
            return Vec::new();
        };
        vec![
            ("win_rate", rate.rate),
            ("length_controlled_winrate", rate.length_controlled),
            ("discrete_win_rate", rate.discrete),
        ]
    }

    /// Counts and the test, next to the rates. `holm_p` is the p-value corrected for all models.
    pub(crate) fn counts(&self, holm_p: f64) -> Value {
        let rate = self.rate;
        json!({
            "baseline": self.baseline,
            "annotator": self.annotator,
            "questions": rate.map_or(0, |rate| rate.n) + self.n_missing,
            "missing": self.n_missing,
            "wins": rate.map_or(0, |rate| rate.wins),
            "ties": rate.map_or(0, |rate| rate.ties),
            "losses": rate.map_or(0, |rate| rate.losses),
            "sign_p": self.p,
            "holm_p": holm_p,
            "avg_length": self.lengths[0],
            "baseline_avg_length": self.lengths[1],
        })
    }

    pub(crate) fn to_json(&self, holm_p: f64) -> Value {
        let mut object = self.counts(holm_p);
        object["model"] = json!(self.model);
        for (name, mean) in self.rates() {
            object[name] = json!({"value": mean.mean, "low": mean.low, "high": mean.high});
        }
        object
    }

    /// Writes the standing in lines for a person.
    pub(crate) fn print(&self, out: &mut dyn Write, holm_p: f64) -> Result<()> {
        writeln!(
            out,
            "{} against {}, judged by {}",
            self.model, self.baseline, self.annotator
        )?;
        for (name, mean) in self.rates() {
            let values = bracketed(percent, [mean.mean, mean.low, mean.high]);
            writeln!(out, "  {name:<26} {values}")?;
        }
        writeln!(out, "  {}", self.line(holm_p))?;
        Ok(())
    }

    /// The counts in one line.
    pub(crate) fn line(&self, holm_p: f64) -> String {
        let Some(rate) = self.rate else {
            return format!("no judgement: all {} are missing", self.n_missing);
        };
        let [length, baseline] = self.lengths;
        format!(
            "questions {}, wins {}, ties {}, losses {}, missing judgements {}, p {}; mean characters {length:.0}, of the baseline {baseline:.0}",
            rate.n + self.n_missing,
            rate.wins,
            rate.ties,
            rate.losses,
            self.n_missing,
            p_value(holm_p)
        )
    }
}

/// The p-values of the standings, corrected for their number (Holm).
pub(crate) fn correct<'a>(standings: impl Iterator<Item = &'a Standing>) -> Vec<f64> {
    let p: Vec<f64> = standings.map(|standing| standing.p).collect();
    holm(&p)
}
