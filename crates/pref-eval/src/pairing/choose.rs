//! The choice of pairs. In: the samples of a question. Out: pairs of a better and a worse one.

use std::collections::HashSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::sample::{ChosenPair, NoPairs, Sample};

/// Which pairs of a question are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A better and a worse response at random.
    Random,
    /// The best and the worst response; among equal grades at random.
    BestWorst,
    /// The better and the worse response that differ in the fewest words.
    Nearest,
    /// Every better response with every worse one.
    All,
}

/// How the pairs of a question are chosen.
#[derive(Clone, Copy, Debug)]
pub struct PairOptions {
    /// Which pairs are taken.
    pub choice: Choice,
    /// Most pairs of a question, at least 1.
    pub limit: usize,
    /// Smallest difference of the grades of a pair, at least 0.
    pub min_difference: f64,
    /// Seed of the random choices.
    pub seed: u64,
}

/// Most words of a response that [`Choice::Nearest`] compares.
const MAX_WORDS: usize = 400;
/// Most pairs whose distance [`Choice::Nearest`] computes, chosen at random.
const MAX_CANDIDATES: usize = 256;

/// Chooses pairs from the samples of a question.
///
/// Responses with the same text count once, with the first one's grade. A pair has a chosen response whose grade is
/// larger than that of the rejected one by at least `min_difference`. With [`Choice::Random`] and
/// [`Choice::BestWorst`] a response is used a second time only when all have been used.
///
/// # Errors
/// [`NoPairs`] if there is no pair.
pub fn choose_pairs(samples: &[Sample], options: &PairOptions) -> Result<Vec<ChosenPair>, NoPairs> {
    let mut seen = HashSet::new();
    let graded: Vec<(usize, f64)> = samples
        .iter()
        .enumerate()
        .filter_map(|(i, sample)| Some((i, sample.grade.filter(|grade| grade.is_finite())?)))
        .filter(|(i, _)| seen.insert(samples[*i].text))
        .collect();
    if graded.len() < 2 {
        return Err(NoPairs::TooFew);
    }
    let mut pairs: Vec<(ChosenPair, f64)> = Vec::new();
    for &(chosen, better) in &graded {
        for &(rejected, worse) in &graded {
            if better > worse && better - worse >= options.min_difference {
                pairs.push((ChosenPair { chosen, rejected }, better - worse));
            }
        }
    }
    if pairs.is_empty() {
        let all = |grade: f64| graded.iter().all(|(_, found)| *found == grade);
        return Err(match (all(1.0), all(0.0)) {
            (true, _) => NoPairs::AllRight,
            (_, true) => NoPairs::AllWrong,
            _ => NoPairs::EqualGrades,
        });
    }
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    pairs.shuffle(&mut random);
    match options.choice {
        Choice::Random => {}
        Choice::BestWorst => pairs.sort_by(|(_, a), (_, b)| b.total_cmp(a)),
        Choice::Nearest => {
            pairs.truncate(MAX_CANDIDATES);
            pairs.sort_by_cached_key(|(pair, _)| {
                distance(samples[pair.chosen].text, samples[pair.rejected].text)
            });
        }
        Choice::All => pairs.sort_by_key(|(pair, _)| *pair),
    }
    let mut pairs: Vec<ChosenPair> = pairs.into_iter().map(|(pair, _)| pair).collect();
    if matches!(options.choice, Choice::Random | Choice::BestWorst) {
        spread(&mut pairs);
    }
    pairs.truncate(options.limit);
    Ok(pairs)
}

/// Number of words that have to be changed, added or removed (Levenshtein), of the first 400 words.
fn distance(a: &str, b: &str) -> usize {
    let words = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().take(MAX_WORDS);
        words.map(str::to_owned).collect()
    };
    strsim::generic_levenshtein(&words(a), &words(b))
}

/// Moves pairs of responses that were not used before to the front, and keeps the order otherwise.
fn spread(pairs: &mut Vec<ChosenPair>) {
    let mut used = HashSet::new();
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for pair in pairs.drain(..) {
        let is_new = !used.contains(&pair.chosen) && !used.contains(&pair.rejected);
        if is_new {
            used.extend([pair.chosen, pair.rejected]);
            first.push(pair);
        } else {
            later.push(pair);
        }
    }
    first.append(&mut later);
    *pairs = first;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [(&str, f64); 5] = [
        ("2 + 2 = 4 so it is 4", 1.0),
        ("I think it is 5", 0.0),
        ("2 + 2 = 5 so it is 5", 0.0),
        ("four", 1.0),
        ("four", 1.0),
    ];

    fn choose(choice: Choice, limit: usize, seed: u64) -> Result<Vec<(usize, usize)>, NoPairs> {
        let samples = SAMPLES.map(|(text, grade)| Sample {
            text,
            grade: Some(grade),
        });
        let options = PairOptions {
            choice,
            limit,
            min_difference: 0.0,
            seed,
        };
        let pairs = choose_pairs(&samples, &options)?;
        Ok(pairs
            .into_iter()
            .map(|pair| (pair.chosen, pair.rejected))
            .collect())
    }

    #[test]
    fn the_nearest_pair_differs_in_the_fewest_words() {
        for seed in 0..5 {
            assert_eq!(choose(Choice::Nearest, 1, seed), Ok(vec![(0, 2)]));
        }
    }

    #[test]
    fn all_pairs_use_each_text_once() {
        let expected = vec![(0, 1), (0, 2), (3, 1), (3, 2)];
        assert_eq!(choose(Choice::All, 100, 0), Ok(expected));
    }

    #[test]
    fn random_pairs_follow_the_seed_and_use_other_responses_first() {
        let first = choose(Choice::Random, 2, 7).expect("there are pairs");
        assert_eq!(choose(Choice::Random, 2, 7), Ok(first.clone()));
        assert_ne!(first[0].0, first[1].0);
        assert_ne!(first[0].1, first[1].1);
    }

    #[test]
    fn the_best_is_paired_with_the_worst() {
        let samples = [("a", 0.3), ("b", 0.9), ("c", 0.1)].map(|(text, grade)| Sample {
            text,
            grade: Some(grade),
        });
        let mut options = PairOptions {
            choice: Choice::BestWorst,
            limit: 1,
            min_difference: 0.0,
            seed: 1,
        };
        let expected = ChosenPair {
            chosen: 1,
            rejected: 2,
        };
        assert_eq!(choose_pairs(&samples, &options), Ok(vec![expected]));
        options.min_difference = 0.9;
        assert_eq!(choose_pairs(&samples, &options), Err(NoPairs::EqualGrades));
        assert_eq!(choose_pairs(&samples[..1], &options), Err(NoPairs::TooFew));
    }
}
