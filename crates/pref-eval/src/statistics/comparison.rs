//! Two systems on the same questions, one answer each. In: which questions each system solved. Out: both shares, their
//! difference with its interval, and a test.

use serde::Serialize;

use super::bootstrap::{Difference, paired_difference};
use super::mcnemar::mcnemar;

/// Two systems on the same questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Number of questions.
    pub n: usize,
    /// Questions that the first system solved.
    pub n_first: usize,
    /// Questions that the second system solved.
    pub n_second: usize,
    /// Questions that only the second system solved.
    pub gained: usize,
    /// Questions that only the first system solved.
    pub lost: usize,
    /// The share of the second system minus that of the first, with its 95 % interval.
    pub difference: Difference,
    /// The p-value of McNemar's exact test.
    pub p: f64,
}

impl Comparison {
    /// Compares two systems. Entry `i` of both lists belongs to question `i`. The interval is that of
    /// [`paired_difference`].
    ///
    /// None without questions, or if the lists differ in length.
    pub fn new(first: &[bool], second: &[bool], seed: u64) -> Option<Self> {
        if first.len() != second.len() {
            return None;
        }
        let both = || first.iter().copied().zip(second.iter().copied());
        let shares: Vec<(f64, f64)> = both()
            .map(|(first, second)| (f64::from(first), f64::from(second)))
            .collect();
        let count = |wanted: (bool, bool)| both().filter(|pair| *pair == wanted).count();
        let (gained, lost) = (count((false, true)), count((true, false)));
        let n_both = count((true, true));
        Some(Self {
            n: first.len(),
            n_first: n_both + lost,
            n_second: n_both + gained,
            gained,
            lost,
            difference: paired_difference(&shares, seed)?,
            p: mcnemar(lost, gained),
        })
    }
}
