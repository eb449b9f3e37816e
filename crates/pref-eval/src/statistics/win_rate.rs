//! Win rates of answers that a judge compares. In: for each question how far the first answer is preferred, and the
//! lengths of both. Out: the win rate, and the win rate that answers of equal length would have.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::bootstrap::{Mean, RESAMPLES, bootstrap_mean, quantile};
use super::logistic::{N_TERMS, Observation, best_penalty, fit, probability};

/// Two answers to a question, compared by a judge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duel {
    /// How far the answer is preferred to that of the baseline: 1 if it wins, 0 if it loses, a half for a tie, and
    /// anything between for a probability or a mean over the two orders.
    pub preference: f64,
    /// Characters of the answer.
    pub length: usize,
    /// Characters of the baseline's answer.
    pub baseline_length: usize,
    /// How difficult the question is for the baseline, if that is known.
    pub difficulty: Option<f64>,
}

/// A comparison of the baseline with a variant of itself that was asked for shorter or longer answers. AlpacaEval 2
/// keeps such comparisons to hold the effect of the length near to that for one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GamedDuel {
    /// How far the variant is preferred, from 0 to 1.
    pub preference: f64,
    /// The length of the baseline's answer minus that of the variant's, in standard deviations of the variant.
    pub length_difference: f64,
    /// How difficult the question is.
    pub difficulty: f64,
}

/// What is known about a model against a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WinRate {
    /// Number of questions.
    pub n: usize,
    /// Questions whose answer is preferred.
    pub wins: usize,
    /// Questions where neither answer is preferred.
    pub ties: usize,
    /// Questions whose answer is not preferred.
    pub losses: usize,
    /// The mean preference.
    pub rate: Mean,
    /// The share of wins, in which a tie counts a half.
    pub discrete: Mean,
    /// The mean preference that the model of AlpacaEval 2 predicts for answers of equal length.
    pub length_controlled: Mean,
    /// The model's terms: length, difficulty, quality.
    pub terms: [f64; N_TERMS],
}

/// Share of the gamed comparisons in the fit: AlpacaEval 2's 0.2, for two variants of the baseline.
const GAMED_WEIGHT: f64 = 0.2 / 2.0;

/// The win rate of a model against a baseline, with 95 % intervals of a bootstrap over questions (10,000 resamples).
///
/// The length-controlled rate follows Dubois et al., "Length-Controlled AlpacaEval", equation 2: a logistic regression
/// of the preference on `tanh` of the difference of the lengths (in its standard deviations), the difficulty of the
/// question, and a constant; the rate is the mean prediction with a difference of 0. As in their program, the
/// regression has an L1 penalty, whose strength is chosen by five-fold cross-validation; `gamed` comparisons count a
/// tenth each. The regression is fitted again for each resample, with the strength chosen once. The term of the difficulty is
/// used only if all questions have one.
///
/// None without questions.
///
/// ```
/// use pref_eval::{Duel, win_rate};
///
/// // Longer answers win, and lengths are the only difference.
/// let duel = |preference, length| Duel { preference, length, baseline_length: 100, difficulty: None };
/// let duels = [duel(1.0, 180), duel(1.0, 150), duel(0.0, 120), duel(1.0, 130), duel(0.0, 90)].repeat(20);
/// let found = win_rate(&duels, &[], 0).expect("there are questions");
/// assert_eq!((found.wins, found.losses), (60, 40));
/// assert!(found.length_controlled.mean < found.rate.mean);
/// ```
pub fn win_rate(duels: &[Duel], gamed: &[GamedDuel], seed: u64) -> Option<WinRate> {
    let preferences: Vec<f64> = duels.iter().map(|duel| duel.preference).collect();
    let outcomes: Vec<f64> = preferences.iter().map(|&p| discrete(p)).collect();
    let count = |wanted: f64| outcomes.iter().filter(|&&value| value == wanted).count();
    let (length_controlled, terms) = length_controlled(duels, gamed, seed)?;
    Some(WinRate {
        n: duels.len(),
        wins: count(1.0),
        ties: count(0.5),
        losses: count(0.0),
        rate: bootstrap_mean(&preferences, seed)?,
        discrete: bootstrap_mean(&outcomes, seed)?,
        length_controlled,
        terms,
    })
}

fn discrete(preference: f64) -> f64 {
    match preference {
        p if p > 0.5 => 1.0,
        p if p < 0.5 => 0.0,
        _ => 0.5,
    }
}

fn length_controlled(
    duels: &[Duel],
    gamed: &[GamedDuel],
    seed: u64,
) -> Option<(Mean, [f64; N_TERMS])> {
    if duels.is_empty() {
        return None;
    }
    // Nothing says that the two differ, whatever holds for other models.
    let is_same = |duel: &Duel| duel.preference == 0.5 && duel.length == duel.baseline_length;
    if duels.iter().all(is_same) {
        let [mean, low, high] = [0.5; 3];
        return Some((Mean { mean, low, high }, [0.0; N_TERMS]));
    }
    let knows_difficulty = duels.iter().all(|duel| duel.difficulty.is_some());
    let mut sample = Sample {
        duels,
        knows_difficulty,
        gamed: gamed.iter().map(observation).collect(),
        rows: Vec::with_capacity(duels.len() + gamed.len()),
    };
    let once = vec![1; duels.len()];
    sample.set(&once);
    let penalty = best_penalty(&sample.rows);
    let terms = fit(&sample.rows, penalty, [0.0; N_TERMS]);
    let mean = sample.rate(&once, terms);

    let n = duels.len();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rates: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut counts = vec![0; n];
            for _ in 0..n {
                counts[random.random_range(0..n as u64) as usize] += 1;
            }
            sample.set(&counts);
            let terms = fit(&sample.rows, penalty, terms);
            sample.rate(&counts, terms)
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    let mean = Mean {
        mean,
        low: quantile(&rates, 0.025),
        high: quantile(&rates, 0.975),
    };
    Some((mean, terms))
}

/// The regression's view of a gamed comparison, which says nothing about the quality of the model.
fn observation(gamed: &GamedDuel) -> Observation {
    Observation {
        terms: [gamed.length_difference.tanh(), gamed.difficulty, 0.0],
        target: gamed.preference,
        weight: GAMED_WEIGHT,
    }
}

/// The rows of the regression: first those of the questions that were drawn, then the gamed ones.
struct Sample<'a> {
    duels: &'a [Duel],
    knows_difficulty: bool,
    gamed: Vec<Observation>,
    rows: Vec<Observation>,
}

impl Sample<'_> {
    /// Sets how often each question was drawn, and with it the standard deviation of the differences.
    fn set(&mut self, counts: &[u32]) {
        let n: f64 = counts.iter().map(|&count| f64::from(count)).sum();
        let differences = || self.duels.iter().map(difference).zip(counts);
        let sum = |value: &dyn Fn(f64) -> f64| {
            differences()
                .map(|(difference, &count)| f64::from(count) * value(difference))
                .sum::<f64>()
        };
        let mean = sum(&|d| d) / n;
        let deviation = (sum(&|d| (d - mean) * (d - mean)) / (n - 1.0).max(1.0)).sqrt();
        self.rows.clear();
        for (duel, &count) in self
            .duels
            .iter()
            .zip(counts)
            .filter(|(_, count)| **count > 0)
        {
            // Without any difference, the length explains nothing.
            let length = match deviation > 0.0 {
                true => (difference(duel) / deviation).tanh(),
                false => 0.0,
            };
            self.rows.push(Observation {
                terms: [length, self.difficulty(duel), 1.0],
                target: duel.preference,
                weight: f64::from(count),
            });
        }
        self.rows.extend(&self.gamed);
    }

    /// The mean prediction for answers of equal length.
    fn rate(&self, counts: &[u32], terms: [f64; N_TERMS]) -> f64 {
        let n: f64 = counts.iter().map(|&count| f64::from(count)).sum();
        let predict = |duel: &Duel| probability(&[0.0, self.difficulty(duel), 1.0], &terms);
        let duels = self.duels.iter().zip(counts);
        duels
            .map(|(duel, &count)| f64::from(count) * predict(duel))
            .sum::<f64>()
            / n
    }

    fn difficulty(&self, duel: &Duel) -> f64 {
        match (self.knows_difficulty, duel.difficulty) {
            (true, Some(difficulty)) => difficulty,
            _ => 0.0,
        }
    }
}

/// The length of the baseline's answer minus that of the answer.
fn difference(duel: &Duel) -> f64 {
    duel.baseline_length as f64 - duel.length as f64
}
