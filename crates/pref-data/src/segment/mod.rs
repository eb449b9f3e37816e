//! Segments: an answer divided into pieces that are judged, weighed or compared one by one.
//! In: text. Out: byte ranges that follow each other and together are the text.

mod blocks;
mod parts;
mod sentences;
mod tokens;

pub use parts::{Part, PartMarker, PartRules, PartRulesError};
pub use sentences::{ItemSentences, Sentences};
pub use tokens::FixedTokens;

use std::fmt::Debug;
use std::ops::Range;

/// A way to divide text.
///
/// What it returns joins up to the text, byte for byte, and holds no empty range.
pub trait Segmenter: Debug + Send + Sync {
    /// Byte ranges of the segments, on character boundaries. None for an empty text.
    fn segment(&self, text: &str) -> Vec<Range<usize>>;
}

/// One segment a line, its line break included; blank lines belong to the line before them. The
/// steps of a worked solution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines;

impl Segmenter for Lines {
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let range = at..at + line.len();
            at = range.end;
            match all.last_mut() {
                Some(last) if line.trim().is_empty() => last.end = range.end,
                _ => all.push(range),
            }
        }
        all
    }
}

/// Which segment each of some tokens belongs to, by where the first letters of the tokens stand in
/// the text: the one that holds that letter. What stands past the text, an end-of-sequence token,
/// belongs to the last.
///
/// ```
/// use pref_data::segment_of_tokens;
/// let segments = [0..6, 6..10];
/// assert_eq!(segment_of_tokens(&segments, &[0, 3, 5, 6, 10]), [0, 0, 0, 1, 1]);
/// ```
pub fn segment_of_tokens(segments: &[Range<usize>], starts: &[usize]) -> Vec<usize> {
    let last = segments.len().saturating_sub(1);
    let of = |&start: &usize| segments.partition_point(|s| s.end <= start).min(last);
    starts.iter().map(of).collect()
}
