//! The kinds of tasks. In: the shape of a question. Out: [`Task`], which is stored with the question, so that a
//! reply can be read at any time.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a reply has to contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Task {
    /// An answer to the prompt: any text, also an empty one and one that its limit cuts.
    Answer,
    /// A score in one aspect for every segment of one or two answers.
    Scores {
        /// The aspect.
        aspect: String,
        /// The scores that are allowed, in ascending order.
        scale: Vec<i64>,
        /// Whether scores must not decrease along an answer.
        never_decreases: bool,
        /// Number of segments of each answer.
        n_segments: Vec<usize>,
    },
    /// A rewritten answer, or the verdict that no rewriting is needed.
    Rewrite {
        /// Whether the judge may say that the answer is good enough.
        may_keep: bool,
        /// Texts that are no rewrite.
        copies: Vec<Copy>,
    },
    /// The better of two answers, or a tie.
    Compare,
    /// A score for a whole answer.
    Rate {
        /// The lowest score.
        min: i64,
        /// The highest score.
        max: i64,
    },
    /// A label for every segment of an answer.
    Parts {
        /// The labels that are allowed.
        labels: Vec<String>,
        /// Number of segments.
        n_segments: usize,
    },
    /// A weight for every segment of an answer.
    Weights {
        /// The highest weight; the lowest is 0.
        max: i64,
        /// Number of segments.
        n_segments: usize,
    },
}

/// A text that is no rewrite, as a hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// What the text is, such as `the reference answer`.
    pub of: String,
    hash: String,
}

impl Copy {
    /// A text, and what it is.
    pub fn new(of: &str, text: &str) -> Self {
        Self {
            of: of.to_owned(),
            hash: hash_of_words(text),
        }
    }

    /// Whether `text` has the same words.
    pub fn is(&self, text: &str) -> bool {
        self.hash == hash_of_words(text)
    }
}

/// The hash of a text's words; white space makes no difference.
fn hash_of_words(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let digest = Sha256::digest(words.join(" "));
    digest[..8].iter().map(|b| format!("{b:02x}")).collect()
}

impl Task {
    /// Scores of the segments of one or two answers.
    pub fn scores(
        aspect: &str,
        scale: RangeInclusive<i64>,
        never_decreases: bool,
        n_segments: Vec<usize>,
    ) -> Self {
        Task::Scores {
            aspect: aspect.to_owned(),
            scale: scale.collect(),
            never_decreases,
            n_segments,
        }
    }

    /// Tokens that a reply of this task needs at least, for the first limit of its length: a sentence of
    /// explanation for each item.
    pub fn usual_tokens(&self) -> u32 {
        let items = match self {
            Task::Scores { n_segments, .. } => n_segments.iter().sum(),
            Task::Parts { n_segments, .. } | Task::Weights { n_segments, .. } => *n_segments,
            Task::Answer | Task::Rewrite { .. } | Task::Compare | Task::Rate { .. } => 1,
        };
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        items.saturating_mul(80).saturating_add(200)
    }
}
