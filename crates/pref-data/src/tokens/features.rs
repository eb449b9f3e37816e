//! The annotation of an answer, token by token. In: an [`Annotation`], the answer's text, and the
//! position of each token in it. Out: [`TokenFeatures`], or an error if the annotation does not
//! fit.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::segment::{PartRules, segment_of_tokens};
use crate::text::{ASPECTS, Annotation};

/// The annotation of one answer, token by token. `tokens` is the number of the answer's tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenFeatures {
    /// Token ranges of the scored segments, `[segments]`, in order. Each has at least one token.
    pub segments: Vec<Range<usize>>,
    /// Scores of each segment, `[segments, aspects]`, from 0 to 4.
    pub scores: Vec<[f64; ASPECTS]>,
    /// The label of the part of each token, `[tokens]`.
    pub parts: Option<Vec<String>>,
    /// The weight of each token, `[tokens]`.
    pub weights: Option<Vec<f64>>,
    /// The importance of each token, `[tokens]`, from 0 to 1.
    pub importance: Option<Vec<f64>>,
}

/// An annotation does not fit its answer.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AnnotationError {
    /// The segments or parts, joined, are not the answer.
    #[error(
        "`{side}_{field}`, joined, are not the response: from byte {byte} the response has {expected:?}, and they have {found:?}; make them cover the whole response"
    )]
    NotTheText {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// `segments` or `parts`.
        field: &'static str,
        /// The first byte that differs.
        byte: usize,
        /// The response from there.
        expected: String,
        /// The joined pieces from there.
        found: String,
    },
    /// There are scores without segments, or not one row of scores for each segment.
    #[error(
        "`{side}_segments` has {segments} entries and `{side}_scores` has {scores}; each segment needs a row of five scores"
    )]
    Scores {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// Number of segments.
        segments: usize,
        /// Number of score rows.
        scores: usize,
    },
    /// There is not one value for each token.
    #[error(
        "`{side}_{field}` has {found} values, and the response has {tokens} tokens; give one value for each token, including the end-of-sequence token"
    )]
    Tokens {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// `weights` or `importance`.
        field: &'static str,
        /// Number of values.
        found: usize,
        /// Number of tokens of the response.
        tokens: usize,
    },
}

impl TokenFeatures {
    /// The features of an answer. `starts` holds, for each token, the byte of `text` at which the
    /// token's first letter is. `rules` label the tokens if the annotation has no parts.
    /// With `keeps_empty`, segments without a token have an empty range; otherwise they are left out.
    pub(crate) fn new(
        side: &'static str,
        text: &str,
        starts: &[usize],
        annotation: Option<&Annotation>,
        rules: Option<&PartRules>,
        keeps_empty: bool,
    ) -> Result<Self, AnnotationError> {
        let nothing = Annotation::default();
        let annotation = annotation.unwrap_or(&nothing);
        let (segments, scores) = scored_segments(side, text, starts, annotation, keeps_empty)?;
        let column = |field, values: &Option<Vec<f64>>| match values {
            Some(values) if values.len() != starts.len() => Err(AnnotationError::Tokens {
                side,
                field,
                found: values.len(),
                tokens: starts.len(),
            }),
            values => Ok(values.clone()),
        };
        Ok(Self {
            segments,
            scores,
            parts: part_labels(side, text, starts, annotation, rules)?,
            weights: column("weights", &annotation.weights)?,
            importance: column("importance", &annotation.importance)?,
        })
    }

    /// Keeps the features of the first `tokens` tokens.
    pub(crate) fn truncate(&mut self, tokens: usize) {
        self.segments.retain_mut(|range| {
            range.end = range.end.min(tokens);
            range.start < range.end
        });
        self.scores.truncate(self.segments.len());
        for column in [&mut self.weights, &mut self.importance]
            .into_iter()
            .flatten()
        {
            column.truncate(tokens);
        }
        if let Some(parts) = &mut self.parts {
            parts.truncate(tokens);
        }
    }
}

/// Token ranges and score rows, one for each scored segment that is not left out.
type ScoredSegments = (Vec<Range<usize>>, Vec<[f64; ASPECTS]>);

fn scored_segments(
    side: &'static str,
    text: &str,
    starts: &[usize],
    annotation: &Annotation,
    keeps_empty: bool,
) -> Result<ScoredSegments, AnnotationError> {
    let n_segments = annotation.segments.as_ref().map_or(0, Vec::len);
    let scores = annotation.scores.as_deref().unwrap_or_default();
    // segments without scores are allowed, because they may be scored later; here they are ignored
    if annotation.scores.is_some() && n_segments != scores.len() {
        return Err(AnnotationError::Scores {
            side,
            segments: n_segments,
            scores: scores.len(),
        });
    }
    let mut found = ScoredSegments::default();
    let Some(segments) = &annotation.segments else {
        return Ok(found);
    };
    let pieces = segments.iter().map(String::as_str);
    let ranges = byte_ranges(side, "segments", text, pieces)?;
    let of_tokens = segment_of_tokens(&ranges, starts);
    for (index, row) in scores.iter().enumerate() {
        let first = of_tokens.partition_point(|&s| s < index);
        let end = of_tokens.partition_point(|&s| s <= index);
        // a token that spans two segments belongs to the first; if the second has no other token,
        // it is left out, or has an empty range
        if first < end || keeps_empty {
            found.0.push(first..end);
            found.1.push(*row);
        }
    }
    Ok(found)
}

/// The part label of each token, if the row has parts or there are rules.
fn part_labels(
    side: &'static str,
    text: &str,
    starts: &[usize],
    annotation: &Annotation,
    rules: Option<&PartRules>,
) -> Result<Option<Vec<String>>, AnnotationError> {
    let (ranges, labels): (Vec<Range<usize>>, Vec<String>) = match (&annotation.parts, rules) {
        (Some(parts), _) => {
            let pieces = parts.iter().map(|(_, text)| text.as_str());
            let labels = parts.iter().map(|(label, _)| label.clone()).collect();
            (byte_ranges(side, "parts", text, pieces)?, labels)
        }
        (None, Some(rules)) => {
            let parts = rules.parts(text).into_iter();
            parts.map(|part| (part.range, part.label)).unzip()
        }
        (None, None) => return Ok(None),
    };
    if labels.is_empty() {
        // an answer without text, such as a tool call without words
        return Ok(rules.map(|rules| vec![rules.first().to_owned(); starts.len()]));
    }
    let of_tokens = segment_of_tokens(&ranges, starts).into_iter();
    Ok(Some(of_tokens.map(|i| labels[i].clone()).collect()))
}

/// The byte ranges of pieces in the text that they join up to.
fn byte_ranges<'a>(
    side: &'static str,
    field: &'static str,
    text: &str,
    pieces: impl Iterator<Item = &'a str>,
) -> Result<Vec<Range<usize>>, AnnotationError> {
    let mut joined = String::with_capacity(text.len());
    let mut ranges = Vec::new();
    for piece in pieces {
        let start = joined.len();
        joined.push_str(piece);
        ranges.push(start..joined.len());
    }
    if joined == text {
        return Ok(ranges);
    }
    let same = text.char_indices().zip(joined.chars());
    let byte = same
        .take_while(|((_, a), b)| a == b)
        .last()
        .map_or(0, |((at, a), _)| at + a.len_utf8());
    let excerpt = |text: &str| text[byte.min(text.len())..].chars().take(20).collect();
    Err(AnnotationError::NotTheText {
        side,
        field,
        byte,
        expected: excerpt(text),
        found: excerpt(&joined),
    })
}
