//! How many problems are solved before and after. In: which problems two decoders solved. Out: shares, their difference
//! with its interval, and a test.

use std::fmt;

use pref_eval::{Comparison, DifferenceRow, ShareRow, ShareTable};
use serde_json::{Value, json};

use super::solve::Solved;
use crate::numbers::{bracketed, percent, points};

/// Seed of the bootstrap, the same for all runs.
const SEED: u64 = 0;

/// Two decoders on the same problems.
pub(super) struct Solving {
    greedy: Comparison,
    sampled: Comparison,
}

impl Solving {
    /// None if there are no problems.
    pub(super) fn new(before: &Solved, after: &Solved) -> Option<Self> {
        Some(Self {
            greedy: Comparison::new(&before.greedy, &after.greedy, SEED)?,
            sampled: Comparison::new(&before.sampled, &after.sampled, SEED)?,
        })
    }

    /// The shares and their differences, for a page.
    pub(super) fn to_table(&self) -> ShareTable {
        let lines = || [("greedy", &self.greedy), ("sampled", &self.sampled)].into_iter();
        let row = |name: &str, when: &str, n_right: usize, n: usize| ShareRow {
            label: format!("{name}, {when}"),
            n_right,
            n,
        };
        ShareTable {
            title: "New problems solved".to_owned(),
            note: "No decoder has seen these problems before.".to_owned(),
            rows: lines()
                .flat_map(|(name, line)| {
                    [
                        row(name, "before", line.n_first, line.n),
                        row(name, "after", line.n_second, line.n),
                    ]
                })
                .collect(),
            differences: lines()
                .map(|(name, line)| DifferenceRow {
                    label: name.to_owned(),
                    difference: line.difference,
                    gained: line.gained,
                    lost: line.lost,
                    p: line.p,
                })
                .collect(),
        }
    }

    /// One line of JSON.
    pub(super) fn to_json(&self) -> String {
        let line = json!({"greedy": object(&self.greedy), "sampled": object(&self.sampled)});
        format!("{line}\n")
    }
}

/// The share of `n` problems.
fn share(n_solved: usize, n: usize) -> f64 {
    n_solved as f64 / n as f64
}

fn object(line: &Comparison) -> Value {
    json!({
        "problems": line.n,
        "before": share(line.n_first, line.n),
        "after": share(line.n_second, line.n),
        "difference": line.difference.difference,
        "low": line.difference.low,
        "high": line.difference.high,
        "gained": line.gained,
        "lost": line.lost,
        "mcnemar_p": line.p,
    })
}

impl fmt::Display for Solving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:>10} {:>10}   difference, 95 % interval   gained   lost   McNemar's p",
            format!("solved, of {}", self.greedy.n),
            "before",
            "after"
        )?;
        for (name, line) in [("greedy", &self.greedy), ("sampled", &self.sampled)] {
            let d = line.difference;
            let interval = bracketed(points, [d.difference, d.low, d.high]);
            writeln!(
                f,
                "{name:<22} {:>10} {:>10} {interval:>27} {:>8} {:>6} {:>13.1e}",
                percent(share(line.n_first, line.n)),
                percent(share(line.n_second, line.n)),
                line.gained,
                line.lost,
                line.p
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    fn solved(n_right: usize) -> Solved {
        let right: Vec<bool> = (0..200).map(|i| i < n_right).collect();
        Solved {
            greedy: right.clone(),
            sampled: right.into_iter().rev().collect(),
        }
    }

    #[test]
    fn a_gain_reads_like_this() {
        let mut after = solved(150);
        after.greedy[0] = false;
        let comparison = Solving::new(&solved(90), &after).unwrap();
        insta::assert_snapshot!(comparison.to_string());
        insta::assert_snapshot!(comparison.to_json());
    }
}
