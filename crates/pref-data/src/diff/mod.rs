//! Which tokens differ between two answers (BMC's varied tokens). In: two lists of ids. Out: a mask
//! for each. Levenshtein's alignment by default, or Python's difflib as the BMC authors use it.

mod difflib;
mod levenshtein;

use std::collections::HashSet;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::tokenize::TokenPair;

/// How two answers are aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiffAlgorithm {
    /// The fewest insertions, deletions and substitutions. Of several such alignments, one that
    /// depends on nothing but the tokens.
    #[default]
    Levenshtein,
    /// The matching blocks of Python's `difflib.SequenceMatcher`, with its `autojunk` rule, as in
    /// the BMC authors' code.
    Difflib,
}

/// How the answers of a set of pairs are compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiffOptions {
    /// How they are aligned.
    pub algorithm: DiffAlgorithm,
    /// Tokens that never count as varied, such as [stop words](crate::Tokenizer::stop_word_ids).
    /// With any, what is left unvaried need not be the same on both sides.
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

/// Which tokens of two answers have no counterpart in the other. The unvaried tokens of both sides
/// are the same sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDiff {
    /// Whether each chosen token varies.
    pub chosen: Vec<bool>,
    /// Whether each rejected token varies.
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

    /// Edits that turn one answer into the other along this alignment: between two kept tokens, as
    /// many substitutions as there are tokens on both sides, insertions or deletions for the rest.
    /// The Levenshtein distance, where the alignment is Levenshtein's.
    pub fn distance(&self) -> usize {
        let gaps = |mask: &[bool]| -> Vec<usize> {
            mask.split(|varied| !varied).map(<[bool]>::len).collect()
        };
        let both = gaps(&self.chosen).into_iter().zip(gaps(&self.rejected));
        both.map(|(w, l)| w.max(l)).sum()
    }
}

/// The diffs of all pairs, in parallel; the result does not depend on the number of threads.
pub fn token_diffs(pairs: &[TokenPair], options: &DiffOptions) -> Vec<TokenDiff> {
    pairs.par_iter().map(|pair| options.diff(pair)).collect()
}
