//! Agreement as text. In: numbers. Out: tables for a terminal.

use std::fmt;

use super::compare::Agreement;
use super::counts::Estimate;

pub(super) fn shown(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(e) => format!("{:.3} [{:.3}, {:.3}]", e.value, e.low, e.high),
        None => "-".to_owned(),
    }
}

impl Agreement {
    /// What the numbers are computed from, one sentence a line.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("{} rows judged", self.n_judged)];
        if self.n_label_rows > 0 {
            notes.push(format!(
                "{} rows of labels for {} pairs or answers; {} of these were not judged",
                self.n_label_rows, self.n_labelled, self.n_not_judged
            ));
        }
        if self.n_other_segments > 0 {
            notes.push(format!(
                "{} rows of labels are left out: they have other segments than the judged row",
                self.n_other_segments
            ));
        }
        if self.n_without_scores > 0 {
            notes.push(format!(
                "{} rows of labels are left out: they have no scores",
                self.n_without_scores
            ));
        }
        notes
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in self.notes() {
            writeln!(f, "{note}")?;
        }
        if !self.aspects.is_empty() {
            writeln!(
                f,
                "\n{:<13} {:>7} {:>7}  {:<22} {:<22} {:<22} {:>8} {:>7}  majority",
                "aspect",
                "labels",
                "missing",
                "kappa",
                "quadratic kappa",
                "accuracy",
                "majority",
                "missing"
            )?;
        }
        for a in &self.aspects {
            writeln!(
                f,
                "{:<13} {:>7} {:>7}  {:<22} {:<22} {:<22} {:>8} {:>7}  {}",
                a.aspect,
                a.n_labels,
                a.n_missing,
                shown(a.kappa),
                shown(a.weighted_kappa),
                shown(a.accuracy),
                a.n_majorities,
                a.n_majorities_missing,
                shown(a.majority)
            )?;
        }
        writeln!(
            f,
            "\n{:<13} {:<10} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7}",
            "aspect", "answer", "segments", "0", "1", "2", "3", "4"
        )?;
        for d in &self.distributions {
            let n: u64 = d.counts.iter().sum();
            write!(f, "{:<13} {:<10} {n:>8}", d.aspect, d.side)?;
            for count in d.counts {
                write!(f, " {:>6.1}%", 100.0 * count as f64 / n as f64)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
