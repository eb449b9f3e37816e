//! Errors of the objectives' inputs: a batch that lacks data, or segments that do not describe
//! their answer. In: what was found. Out: a message with what was expected and the way out.

use thiserror::Error;

/// The batch lacks something that the objective computes with.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum BatchError {
    /// A tensor that the objective needs is absent.
    #[error("{user} needs {input} for the {side} answers, and the batch has none; {remedy}")]
    Missing {
        /// The token reward, weight, granularity or method that needs the tensor.
        user: &'static str,
        /// The tensor it needs.
        input: &'static str,
        /// `chosen` or `rejected`, or another name of the answers.
        side: &'static str,
        /// How to get the data.
        remedy: &'static str,
    },
    /// An answer has no token.
    #[error(
        "pair {pair}: the {side} answer has no token (its mask is all zero); drop the pair or raise the length limit"
    )]
    EmptyAnswer {
        /// Index of the pair in the batch, from 0.
        pair: usize,
        /// `chosen` or `rejected`.
        side: &'static str,
    },
    /// A token belongs to a part that has no weight in the configuration.
    #[error(
        "part `{label}` has no weight: `part_weights` has {known}; add `{label}` to it, or label the tokens differently"
    )]
    UnknownPart {
        /// The label found.
        label: String,
        /// The labels that have a weight, separated by commas.
        known: String,
    },
    /// Some pairs have segments and others do not.
    #[error(
        "{found} of the batch's {pairs} pairs have segments, but ranked granularity needs segments for every pair; segment and score the others, or leave them out"
    )]
    SegmentCount {
        /// Pairs with segments.
        found: usize,
        /// Pairs in the batch.
        pairs: usize,
    },
    /// KTO has no answer to another prompt from which to estimate the KL divergence.
    #[error(
        "kto estimates the KL divergence from answers to other prompts, and a batch of {n} has none; use a batch of at least 2"
    )]
    NoMismatch {
        /// Examples in the batch.
        n: usize,
    },
}

/// Segments or scores that do not describe their answer.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum SegmentError {
    /// The number of score rows differs from the number of segments.
    #[error(
        "the number of segments is {segments}, but the number of score rows is {scores}; each segment needs one row of 5 scores"
    )]
    RowCount {
        /// Segments found.
        segments: usize,
        /// Rows of scores found.
        scores: usize,
    },
    /// The answer has no segment.
    #[error("the answer has no segments; it needs at least one")]
    None,
    /// A segment contains no token.
    #[error("segment {index} is [{start}, {end}), which contains no token")]
    Empty {
        /// Index of the segment, from 0.
        index: usize,
        /// Its first token.
        start: usize,
        /// One past its last token.
        end: usize,
    },
    /// Two segments share a token, or are not in text order.
    #[error(
        "segment {index} starts at token {start}, before the previous segment ends at {previous_end}; segments must be in text order and must not overlap"
    )]
    Overlap {
        /// Index of the segment, from 0.
        index: usize,
        /// Its first token.
        start: usize,
        /// One past the last token of the previous segment.
        previous_end: usize,
    },
    /// A segment reaches past the end of the answer.
    #[error("segment {index} ends at token {end}, but the answer ends at token {n_tokens}")]
    PastEnd {
        /// Index of the segment, from 0.
        index: usize,
        /// One past its last token.
        end: usize,
        /// Tokens in the answer.
        n_tokens: usize,
    },
    /// A score is not a number from 0 to 4.
    #[error("segment {index}, aspect {aspect}: a score must be from 0 to 4, found {score}")]
    Score {
        /// Index of the segment, from 0.
        index: usize,
        /// Index of the aspect, from 0.
        aspect: usize,
        /// The score found.
        score: f64,
    },
}
