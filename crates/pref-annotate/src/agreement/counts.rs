//! Cohen's κ and accuracies with intervals. In: labels of two raters, pair by pair. Out: estimates.

use serde::Serialize;

/// Number of classes: the scores 0 to 4.
pub(super) const CLASSES: usize = 5;

/// A number with its 95 % interval, from 1,000 bootstrap samples of whole pairs, because the segments of a pair are not
/// independent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How often two raters gave which labels to the segments of one pair, `[judge, person]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts(pub(super) [[f64; CLASSES]; CLASSES]);

impl Counts {
    pub(super) fn add(&mut self, judge: usize, person: usize) {
        self.0[judge][person] += 1.0;
    }

    fn add_all(&mut self, other: &Self) {
        for (row, other) in self.0.iter_mut().zip(&other.0) {
            for (cell, other) in row.iter_mut().zip(other) {
                *cell += other;
            }
        }
    }

    fn n(&self) -> f64 {
        self.0.iter().flatten().sum()
    }

    /// Cohen's κ (Cohen 1960), or with quadratic weights (Cohen 1968). None if there are no labels, or if chance alone
    /// agrees on everything.
    fn kappa(&self, is_weighted: bool) -> Option<f64> {
        let n = self.n();
        let distance = |i: usize, j: usize| match is_weighted {
            true => (i as f64 - j as f64).powi(2),
            false => f64::from(i != j),
        };
        let judge: Vec<f64> = self.0.iter().map(|row| row.iter().sum()).collect();
        let person: Vec<f64> = (0..CLASSES)
            .map(|j| self.0.iter().map(|row| row[j]).sum())
            .collect();
        let (mut observed, mut expected) = (0.0, 0.0);
        for (i, of_judge) in judge.iter().enumerate() {
            for (j, of_person) in person.iter().enumerate() {
                observed += distance(i, j) * self.0[i][j] / n;
                expected += distance(i, j) * of_judge * of_person / (n * n);
            }
        }
        (n > 0.0 && expected > 0.0).then(|| 1.0 - observed / expected)
    }

    /// The share of equal labels.
    fn accuracy(&self) -> Option<f64> {
        let n = self.n();
        let equal: f64 = (0..CLASSES).map(|i| self.0[i][i]).sum();
        (n > 0.0).then(|| equal / n)
    }
}

/// What is computed from counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Kappa,
    WeightedKappa,
    Accuracy,
}

impl Measure {
    fn of(self, counts: &Counts) -> Option<f64> {
        match self {
            Self::Kappa => counts.kappa(false),
            Self::WeightedKappa => counts.kappa(true),
            Self::Accuracy => counts.accuracy(),
        }
    }
}

const SAMPLES: usize = 1000;

/// The measure over all pairs, with its interval. The bootstrap has a fixed seed, so the same labels give the same
/// interval.
pub(super) fn estimate(pairs: &[Counts], measure: Measure) -> Option<Estimate> {
    let mut all = Counts::default();
    pairs.iter().for_each(|pair| all.add_all(pair));
    let value = measure.of(&all)?;
    let mut state: u64 = 42;
    let mut random = || {
        // SplitMix64 (Steele, Lea, Flood 2014)
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let mut values = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let mut sample = Counts::default();
        for _ in 0..pairs.len() {
            let at = (u128::from(random()) * pairs.len() as u128) >> 64;
            sample.add_all(&pairs[at as usize]);
        }
        values.extend(measure.of(&sample));
    }
    values.sort_by(f64::total_cmp);
    let quantile = |q: f64| match values.len() {
        0 => value,
        n => values[((n - 1) as f64 * q).round() as usize],
    };
    Some(Estimate {
        value,
        low: quantile(0.025),
        high: quantile(0.975),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of a table whose rows are the judge's labels.
    fn table(cells: &[&[f64]]) -> Counts {
        let mut counts = Counts::default();
        for (i, row) in cells.iter().enumerate() {
            for (j, &n) in row.iter().enumerate() {
                counts.0[i][j] = n;
            }
        }
        counts
    }

    #[test]
    fn kappa_has_its_reference_values() {
        // the example of Cohen 1960's coefficient with 50 proposals and two readers, κ = 0.4
        let two = table(&[&[20.0, 5.0], &[10.0, 15.0]]);
        assert!((two.kappa(false).expect("labels") - 0.4).abs() < 1e-12);
        let three = table(&[&[44.0, 5.0, 1.0], &[7.0, 20.0, 3.0], &[9.0, 5.0, 6.0]]);
        // by hand from the margins
        let (judge, person) = ([50.0, 30.0, 20.0], [60.0, 30.0, 10.0]);
        let chance: f64 = (0..3).map(|i| judge[i] * person[i] / 1e4).sum();
        let expected = (0.7 - chance) / (1.0 - chance);
        assert!((three.kappa(false).expect("labels") - expected).abs() < 1e-12);
        assert_eq!(three.accuracy(), Some(0.7));
        let same = table(&[&[3.0]]);
        assert_eq!(same.kappa(false), None);
        assert_eq!(Counts::default().accuracy(), None);
    }

    #[test]
    fn intervals_hold_the_value_and_shrink() {
        let pair = table(&[&[2.0, 1.0], &[0.0, 2.0]]);
        let other = table(&[&[1.0, 0.0], &[2.0, 1.0]]);
        let width = |n: usize| {
            let pairs: Vec<Counts> = (0..n)
                .map(|i| if i % 2 == 0 { pair } else { other })
                .collect();
            let found = estimate(&pairs, Measure::Kappa).expect("labels");
            assert!(found.low <= found.value && found.value <= found.high);
            found.high - found.low
        };
        assert!(width(200) < width(20));
    }
}
