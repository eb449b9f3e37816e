//! How many problems are solved before and after. In: which problems two decoders solved. Out: shares, their difference
//! with its interval, and a test.

use std::fmt;

use pref_eval::{mcnemar, paired_difference};
use serde_json::json;

use super::solve::Solved;

/// Seed of the bootstrap, the same for all runs.
const SEED: u64 = 0;

/// Two decoders on the same problems.
pub(super) struct Comparison {
    greedy: Line,
    sampled: Line,
}

/// The comparison with one way to draw solutions.
struct Line {
    n: usize,
    before: usize,
    after: usize,
    /// Solved only after, and only before.
    gained: usize,
    lost: usize,
    /// 95 % interval of the difference of the shares.
    low: f64,
    high: f64,
    /// p-value of McNemar's exact test.
    p: f64,
}

impl Comparison {
    pub(super) fn new(before: &Solved, after: &Solved) -> Self {
        Self {
            greedy: Line::new(&before.greedy, &after.greedy),
            sampled: Line::new(&before.sampled, &after.sampled),
        }
    }

    /// One line of JSON.
    pub(super) fn to_json(&self) -> String {
        let line = json!({"greedy": self.greedy.json(), "sampled": self.sampled.json()});
        format!("{line}\n")
    }
}

impl Line {
    fn new(before: &[bool], after: &[bool]) -> Self {
        let both: Vec<(bool, bool)> = before.iter().copied().zip(after.iter().copied()).collect();
        let count = |wanted: &dyn Fn(bool, bool) -> bool| {
            both.iter().filter(|(a, b)| wanted(*a, *b)).count()
        };
        let gained = count(&|before, after| !before && after);
        let lost = count(&|before, after| before && !after);
        let shares: Vec<(f64, f64)> = both
            .iter()
            .map(|(before, after)| (f64::from(*before), f64::from(*after)))
            .collect();
        let interval = paired_difference(&shares, SEED);
        Self {
            n: both.len(),
            before: count(&|before, _| before),
            after: count(&|_, after| after),
            gained,
            lost,
            low: interval.map_or(f64::NAN, |i| i.low),
            high: interval.map_or(f64::NAN, |i| i.high),
            p: mcnemar(lost, gained),
        }
    }

    fn share(&self, count: usize) -> f64 {
        count as f64 / self.n as f64
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "problems": self.n,
            "before": self.share(self.before),
            "after": self.share(self.after),
            "difference": self.share(self.after) - self.share(self.before),
            "low": self.low,
            "high": self.high,
            "gained": self.gained,
            "lost": self.lost,
            "mcnemar_p": self.p,
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<22} {:>10} {:>10}   difference, 95 % interval   gained   lost   McNemar's p",
            format!("solved, of {}", self.greedy.n),
            "before",
            "after"
        )?;
        for (name, line) in [("greedy", &self.greedy), ("sampled", &self.sampled)] {
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            let points = |share: f64| format!("{:+.1}", 100.0 * share);
            let difference = line.share(line.after) - line.share(line.before);
            let interval = format!(
                "{} [{}, {}]",
                points(difference),
                points(line.low),
                points(line.high)
            );
            writeln!(
                f,
                "{name:<22} {:>10} {:>10} {interval:>27} {:>8} {:>6} {:>13.1e}",
                percent(line.share(line.before)),
                percent(line.share(line.after)),
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
        let comparison = Comparison::new(&solved(90), &after);
        insta::assert_snapshot!(comparison.to_string());
        insta::assert_snapshot!(comparison.to_json());
    }
}
