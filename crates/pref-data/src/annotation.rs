//! What a row says of an answer besides its text, and what becomes of it in tokens.
//! In: segments, parts, scores, weights of a row. Out: the same by token.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::segment::{PartRules, segment_of_tokens};

/// Aspects of a score row: helpfulness, correctness, safety, completeness, clarity.
pub const ASPECTS: usize = 5;

/// What a row says of one answer. Fields are named `chosen_segments`, `rejected_scores`, ….
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Annotation {
    /// Segments of the answer, in order; joined they are the answer.
    pub segments: Option<Vec<String>>,
    /// Scores of each segment, 0 to 4 in five aspects.
    pub scores: Option<Vec<[f64; ASPECTS]>>,
    /// Labelled parts of the answer, in order: label and text; joined they are the answer.
    pub parts: Option<Vec<(String, String)>>,
    /// A weight of each token, the end-of-sequence token included.
    pub weights: Option<Vec<f64>>,
    /// How much each token matters to the answer's failure, 0 to 1.
    pub importance: Option<Vec<f64>>,
}

impl Annotation {
    /// Whether it divides the answer, so that it matters where each piece stands.
    pub(crate) fn has_pieces(&self) -> bool {
        self.segments.is_some() || self.parts.is_some()
    }
}

/// An annotation by token. Lists have one entry a token of the answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenFeatures {
    /// Token ranges of the scored segments, in order, none empty.
    pub segments: Vec<Range<usize>>,
    /// Scores of each segment.
    pub scores: Vec<[f64; ASPECTS]>,
    /// Label of each token's part.
    pub parts: Option<Vec<String>>,
    /// A weight of each token.
    pub weights: Option<Vec<f64>>,
    /// Importance of each token.
    pub importance: Option<Vec<f64>>,
}

/// An annotation that does not fit its answer.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AnnotationError {
    /// Joined, the pieces are not the answer.
    #[error(
        "`{side}_{field}` do not join up to the response: they part at byte {byte}, where the response goes on with {expected:?} and they with {found:?}"
    )]
    NotTheText {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// `segments` or `parts`.
        field: &'static str,
        /// First byte that differs.
        byte: usize,
        /// What the response holds there.
        expected: String,
        /// What the pieces hold there.
        found: String,
    },
    /// Scores without segments, or not one row each.
    #[error(
        "`{side}_segments` has {segments} entries and `{side}_scores` {scores}; each segment needs a row of five scores"
    )]
    Scores {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// Entries.
        segments: usize,
        /// Entries.
        scores: usize,
    },
    /// Not one value a token.
    #[error(
        "`{side}_{field}` has {found} values for {tokens} tokens; it needs one a token of the response, the end-of-sequence token included"
    )]
    Tokens {
        /// `chosen` or `rejected`.
        side: &'static str,
        /// `weights` or `importance`.
        field: &'static str,
        /// Values found.
        found: usize,
        /// Tokens of the response.
        tokens: usize,
    },
}

impl TokenFeatures {
    /// The features of an answer whose tokens have their first letters at these bytes of its text.
    pub(crate) fn new(
        side: &'static str,
        text: &str,
        starts: &[usize],
        annotation: Option<&Annotation>,
        rules: Option<&PartRules>,
    ) -> Result<Self, AnnotationError> {
        let nothing = Annotation::default();
        let annotation = annotation.unwrap_or(&nothing);
        let mut features = Self::default();

        let n_segments = annotation.segments.as_ref().map_or(0, Vec::len);
        let scores = annotation.scores.as_deref().unwrap_or_default();
        // segments that are not scored yet say nothing of the tokens
        if annotation.scores.is_some() && n_segments != scores.len() {
            return Err(AnnotationError::Scores {
                side,
                segments: n_segments,
                scores: scores.len(),
            });
        }
        if let Some(segments) = &annotation.segments {
            let pieces = segments.iter().map(String::as_str);
            let ranges = ranges(side, "segments", text, pieces)?;
            let of_tokens = segment_of_tokens(&ranges, starts);
            for (index, row) in scores.iter().enumerate() {
                let first = of_tokens.partition_point(|&s| s < index);
                let end = of_tokens.partition_point(|&s| s <= index);
                // a token across two segments may leave the second one without any
                if first < end {
                    features.segments.push(first..end);
                    features.scores.push(*row);
                }
            }
        }

        let parts: Option<(Vec<Range<usize>>, Vec<String>)> = match (&annotation.parts, rules) {
            (Some(parts), _) => {
                let pieces = parts.iter().map(|(_, text)| text.as_str());
                let labels = parts.iter().map(|(label, _)| label.clone()).collect();
                Some((ranges(side, "parts", text, pieces)?, labels))
            }
            (None, Some(rules)) => {
                let parts = rules.parts(text).into_iter();
                Some(parts.map(|part| (part.range, part.label)).unzip())
            }
            (None, None) => None,
        };
        features.parts = match parts {
            // an answer without a word, such as a bare call of a tool
            Some((_, labels)) if labels.is_empty() => {
                rules.map(|rules| vec![rules.first().to_owned(); starts.len()])
            }
            Some((ranges, labels)) => {
                let of_tokens = segment_of_tokens(&ranges, starts).into_iter();
                Some(of_tokens.map(|i| labels[i].clone()).collect())
            }
            None => None,
        };

        let column = |field, values: &Option<Vec<f64>>| match values {
            Some(values) if values.len() != starts.len() => Err(AnnotationError::Tokens {
                side,
                field,
                found: values.len(),
                tokens: starts.len(),
            }),
            values => Ok(values.clone()),
        };
        features.weights = column("weights", &annotation.weights)?;
        features.importance = column("importance", &annotation.importance)?;
        Ok(features)
    }

    /// Cuts the features to the first `tokens`.
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

/// Where pieces lie in the text that they make up.
fn ranges<'a>(
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
