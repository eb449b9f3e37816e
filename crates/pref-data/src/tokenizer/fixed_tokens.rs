//! Segments of a fixed number of tokens, as a baseline for segments that follow the meaning. In:
//! text and a tokenizer. Out: byte ranges.

use std::ops::Range;

use super::encode::Tokenizer;
use super::error::TokenizerError;
use crate::segment::Segmenter;

/// Segments of the same number of tokens. The last segment may have fewer.
#[derive(Debug)]
pub struct FixedTokens<'a> {
    tokenizer: &'a Tokenizer,
    size: usize,
}

impl<'a> FixedTokens<'a> {
    /// Segments of `size` tokens; 0 counts as 1.
    pub fn new(tokenizer: &'a Tokenizer, size: usize) -> Self {
        let size = size.max(1);
        Self { tokenizer, size }
    }

    fn starts(&self, text: &str) -> Result<Vec<usize>, TokenizerError> {
        let (_, spans) = self.tokenizer.encode_with_spans(text, false)?;
        Ok(spans.into_iter().map(|span| span.start).collect())
    }
}

impl Segmenter for FixedTokens<'_> {
    /// A character may consist of several tokens. A boundary inside a character is moved to the end
    /// of the character. A text that the tokenizer cannot encode is one segment.
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        let starts = self.starts(text).unwrap_or_default();
        let mut cuts: Vec<usize> = starts.into_iter().step_by(self.size).skip(1).collect();
        for cut in &mut cuts {
            while !text.is_char_boundary(*cut) {
                *cut += 1;
            }
        }
        let mut ranges = Vec::new();
        let mut at = 0;
        for cut in cuts.into_iter().chain([text.len()]) {
            if cut > at {
                ranges.push(at..cut);
                at = cut;
            }
        }
        ranges
    }
}
