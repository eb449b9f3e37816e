//! How much two answers differ. In: two texts. Out: the edit distance in words, and the share of words that vary.

use std::collections::HashMap;

use pref_data::{DiffAlgorithm, TokenDiff};
use serde::Serialize;

/// How much two answers differ, in words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Distance {
    /// Insertions, deletions and substitutions (Levenshtein).
    pub edits: usize,
    /// The share of the words of both answers that vary, from 0 to 1.
    pub varied: f64,
}

impl Distance {
    /// The distance of two texts. Words are what white space separates.
    pub fn of(a: &str, b: &str) -> Self {
        let mut ids: HashMap<&str, u32> = HashMap::new();
        let mut words = Vec::new();
        for text in [a, b] {
            let mut one = Vec::new();
            for word in text.split_whitespace() {
                let next = ids.len() as u32;
                one.push(*ids.entry(word).or_insert(next));
            }
            words.push(one);
        }
        let diff = TokenDiff::new(&words[0], &words[1], DiffAlgorithm::Levenshtein);
        let both = diff.chosen.iter().chain(&diff.rejected);
        let n_varied = both.filter(|varied| **varied).count();
        let n = (words[0].len() + words[1].len()).max(1);
        Self {
            edits: diff.distance(),
            varied: n_varied as f64 / n as f64,
        }
    }
}

/// Mean distances of the two answers of pairs, before and after a rewrite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Distances {
    /// Number of pairs.
    pub n: usize,
    /// Of the answers of the row.
    pub before: Distance,
    /// Of the answers of the new row.
    pub after: Distance,
    /// Mean edits, which are not whole numbers.
    pub mean_edits: [f64; 2],
}

impl Distances {
    /// Adds a pair.
    pub(super) fn add(&mut self, before: Distance, after: Distance) {
        let n = self.n as f64;
        let mean = |old: f64, new: f64| (old * n + new) / (n + 1.0);
        self.mean_edits = [
            mean(self.mean_edits[0], before.edits as f64),
            mean(self.mean_edits[1], after.edits as f64),
        ];
        for (sum, new) in [(&mut self.before, before), (&mut self.after, after)] {
            sum.edits += new.edits;
            sum.varied = mean(sum.varied, new.varied);
        }
        self.n += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_words() {
        let distance = Distance::of("the cat sat down", "the dog sat");
        assert_eq!(distance.edits, 2); // a substitution and a deletion
        assert_eq!(distance.varied, 3.0 / 7.0);
        assert_eq!(Distance::of("a b", " a  b "), Distance::default());
    }
}
