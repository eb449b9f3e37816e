//! What can be wrong with a batch's data, with segments, and with a configuration.

use thiserror::Error;

/// The batch does not hold what the objective computes with.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum BatchError {
    /// An input the method is defined on is absent.
    #[error("{user} needs {input} for the {side} answers, and the batch has none; {remedy}")]
    Missing {
        /// The method, weight or granularity that asked.
        user: &'static str,
        /// What it asked for.
        input: &'static str,
        /// `chosen` or `rejected`.
        side: &'static str,
        /// Where such data comes from.
        remedy: &'static str,
    },
    /// An answer has no token.
    #[error(
        "pair {pair}: the {side} answer has no token (its mask is all zero); drop the pair or raise the length limit"
    )]
    EmptyAnswer {
        /// Index in the batch, from 0.
        pair: usize,
        /// `chosen` or `rejected`.
        side: &'static str,
    },
    /// A token carries a part that the configuration gives no weight.
    #[error(
        "part `{label}` has no weight; `part_weights` names {known}; add `{label}` or label the tokens differently"
    )]
    UnknownPart {
        /// The label found.
        label: String,
        /// The labels with a weight, for the message.
        known: String,
    },
    /// Segments are there for some pairs only.
    #[error(
        "the batch has {found} segmented pairs of {pairs}; ranked granularity needs segments for all"
    )]
    SegmentCount {
        /// Pairs with segments.
        found: usize,
        /// Pairs in the batch.
        pairs: usize,
    },
    /// KTO's estimate needs a completion of another prompt.
    #[error(
        "kto estimates its KL term on completions of other prompts in the batch, and {n} leaves none; use a batch of at least 2"
    )]
    NoMismatch {
        /// Examples in the batch.
        n: usize,
    },
    /// BVPO's best mixture needs gradient estimates.
    #[error(
        "bvpo with `alpha` \"optimal\" needs moments of the gradients with and without traces, and has none; estimate them, or give `alpha` a number"
    )]
    NoMoments,
}

/// Segments and score rows that do not describe an answer.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SegmentError {
    /// `scores` and `segments` differ in length.
    #[error("{segments} segments but {scores} score rows; each segment needs one row of 5 aspects")]
    RowCount {
        /// Segments found.
        segments: usize,
        /// Score rows found.
        scores: usize,
    },
    /// No segment at all.
    #[error("no segments; an answer has at least one")]
    None,
    /// A segment holds no token.
    #[error("segment {index} [{start}, {end}) holds no token")]
    Empty {
        /// Which segment, from 0.
        index: usize,
        /// First token.
        start: usize,
        /// One past the last token.
        end: usize,
    },
    /// Two segments share a token, or are out of order.
    #[error(
        "segment {index} starts at token {start}, before the one in front of it ends at {previous_end}; segments are in text order and do not overlap"
    )]
    Overlap {
        /// Which segment, from 0.
        index: usize,
        /// First token.
        start: usize,
        /// End of the segment before.
        previous_end: usize,
    },
    /// A segment reaches past the answer.
    #[error("segment {index} ends at token {end}, past the answer's {n_tokens} tokens")]
    PastEnd {
        /// Which segment, from 0.
        index: usize,
        /// One past the last token.
        end: usize,
        /// Tokens in the answer.
        n_tokens: usize,
    },
    /// A score outside 0..=4.
    #[error("segment {index}, aspect {aspect}: score {score} is outside 0..=4")]
    Score {
        /// Which segment, from 0.
        index: usize,
        /// Which aspect, from 0.
        aspect: usize,
        /// The score found.
        score: f64,
    },
}
