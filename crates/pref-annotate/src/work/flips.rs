//! Position bias. In: scores of both orders. Out: how often the order of two answers decides which one is better.

use serde::Serialize;

use super::interval::Interval;

/// How often the order changes the better answer of an aspect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Flip {
    /// The aspect.
    pub aspect: String,
    /// Pairs whose better answer, by the mean score, is another one in the other order, of all pairs.
    pub flips: Interval,
    /// Pairs that are a tie in at least one order, of all pairs.
    pub ties: Interval,
    /// Mean of the first answer's mean score minus the second one's. A judge without position bias has 0.
    pub first_minus_second: f64,
}

/// Counts flips by aspect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flips(Vec<Counted>);

#[derive(Clone, Debug, PartialEq)]
struct Counted {
    aspect: String,
    n: u64,
    flips: u64,
    ties: u64,
    first_minus_second: f64,
}

fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

impl Flips {
    /// Adds a pair, `[answers, segments]` in the order of the row, as it was scored in both orders.
    pub(super) fn add(&mut self, aspect: &str, ab: &[Vec<f64>], ba: &[Vec<f64>]) {
        let margin = |scores: &[Vec<f64>]| mean(&scores[0]) - mean(&scores[1]);
        let (first, second) = (margin(ab), margin(ba));
        let at = self.0.iter().position(|counted| counted.aspect == aspect);
        let at = at.unwrap_or_else(|| {
            self.0.push(Counted {
                aspect: aspect.to_owned(),
                n: 0,
                flips: 0,
                ties: 0,
                first_minus_second: 0.0,
            });
            self.0.len() - 1
        });
        let counted = &mut self.0[at];
        counted.n += 1;
        counted.flips += u64::from(first * second < 0.0);
        counted.ties += u64::from(first == 0.0 || second == 0.0);
        counted.first_minus_second += (first - second) / 2.0;
    }

    /// The rates by aspect.
    pub fn rates(&self) -> Vec<Flip> {
        let rate = |counted: &Counted| {
            Some(Flip {
                aspect: counted.aspect.clone(),
                flips: Interval::of(counted.flips, counted.n)?,
                ties: Interval::of(counted.ties, counted.n)?,
                first_minus_second: counted.first_minus_second / counted.n as f64,
            })
        };
        self.0.iter().filter_map(rate).collect()
    }
}
