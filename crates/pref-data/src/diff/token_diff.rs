//! The tokens in which two answers differ (the varied tokens of BMC). In: two lists of ids. Out: a
//! mask for each list.

use std::collections::HashSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{difflib, levenshtein};
use crate::tokens::TokenPair;

/// The algorithm that aligns two answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffAlgorithm {
    /// The alignment with the fewest insertions, deletions and substitutions. If several alignments
    /// have the same number, the choice among them depends only on the tokens.
    #[default]
    Levenshtein,
    /// The matching blocks of Python's `difflib.SequenceMatcher` with its `autojunk` rule, which the
    /// code of the BMC authors uses.
    Difflib,
}

/// How the answers of pairs are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// The algorithm that aligns the answers.
    pub algorithm: DiffAlgorithm,
    /// Ids that never count as varied, such as [stop words](crate::Tokenizer::stop_word_ids). If
    /// there are such ids, the unvaried tokens of the two answers may differ.
    pub ignored: HashSet<u32>,
}

impl DiffOptions {
    /// The diff of a pair's answers.
    pub fn diff(&self, pair: &TokenPair) -> TokenDiff {
        let mut diff = TokenDiff::new(&pair.chosen, &pair.rejected, self.algorithm);
        for (mask, ids) in [
            (&mut diff.chosen, &pair.chosen),
            (&mut diff.rejected, &pair.rejected),
        ] {
            for (varies, id) in mask.iter_mut().zip(ids) {
                *varies &= !self.ignored.contains(id);
            }
        }
        diff
    }
}

/// The varied tokens of two answers: tokens without a counterpart in the other answer. The unvaried
/// tokens of both answers are the same sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDiff {
    /// Whether each chosen token varies, `[chosen tokens]`.
    pub chosen: Vec<bool>,
    /// Whether each rejected token varies, `[rejected tokens]`.
    pub rejected: Vec<bool>,
}

impl TokenDiff {
    /// Aligns two answers.
    ///
    /// ```
    /// use pref_data::{DiffAlgorithm, TokenDiff};
    /// let diff = TokenDiff::new(&[1, 2, 3, 4], &[1, 9, 3], DiffAlgorithm::Levenshtein);
    /// assert_eq!(diff.chosen, [false, true, false, true]);
    /// assert_eq!(diff.rejected, [false, true, false]);
    /// assert_eq!(diff.distance(), 2); // a substitution and an insertion
    /// ```
    pub fn new(chosen: &[u32], rejected: &[u32], algorithm: DiffAlgorithm) -> Self {
        let mut diff = Self {
            chosen: vec![true; chosen.len()],
            rejected: vec![true; rejected.len()],
        };
        let mut keep = |w: usize, l: usize| {
            diff.chosen[w] = false;
            diff.rejected[l] = false;
        };
        match algorithm {
            DiffAlgorithm::Levenshtein => levenshtein::matches(chosen, rejected, &mut keep),
            DiffAlgorithm::Difflib => difflib::matches(chosen, rejected, &mut keep),
        }
        diff
    }

    /// The number of edits that turn one answer into the other. In each gap between two kept tokens,
    /// tokens are substituted one for one, and the rest is inserted or deleted. With
    /// [`DiffAlgorithm::Levenshtein`] this is the Levenshtein distance.
    pub fn distance(&self) -> usize {
        let gaps = |mask: &[bool]| -> Vec<usize> {
            mask.split(|varied| !varied).map(<[bool]>::len).collect()
        };
        let both = gaps(&self.chosen).into_iter().zip(gaps(&self.rejected));
        both.map(|(w, l)| w.max(l)).sum()
    }
}

/// The diffs of all pairs, computed in parallel. The number of threads does not change the result.
pub fn token_diffs(pairs: &[TokenPair], options: &DiffOptions) -> Vec<TokenDiff> {
    pairs.par_iter().map(|pair| options.diff(pair)).collect()
}
