//! The trait of segmenters, and the segment of each token. In: text, or the positions of tokens.
//! Out: byte ranges, or the segment of each token.

use std::fmt::Debug;
use std::ops::Range;

/// A way to divide text into segments.
///
/// The ranges follow each other without gaps, cover the text, and none is empty.
pub trait Segmenter: Debug + Send + Sync {
    /// Byte ranges of the segments, on character boundaries. An empty text has no segments.
    fn segment(&self, text: &str) -> Vec<Range<usize>>;
}

/// The index of the segment of each token, `[tokens]`: the segment that contains the token's first
/// letter.
///
/// `starts` holds, for each token, the byte position of its first letter in the text. A token at or
/// after the end of the text, such as the end-of-sequence token, belongs to the last segment.
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
