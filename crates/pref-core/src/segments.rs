//! Scored segments of an answer, as plain data. In: half-open token ranges and a row of five scores
//! for each. Out: [`Segments`], checked against the answer's length, and the quality of each
//! segment.

use std::ops::Range;

use crate::error::SegmentError;

/// Number of scores in a row, one per aspect: helpfulness, correctness, safety, completeness,
/// clarity, in this order (2D-DPO, Li et al. 2024).
pub const N_ASPECTS: usize = 5;

/// The names of the aspects, in the order of a row.
pub const ASPECT_NAMES: [&str; N_ASPECTS] = [
    "helpfulness",
    "correctness",
    "safety",
    "completeness",
    "clarity",
];

/// Segments of one answer in text order, each with a score from 0 to 4 in five aspects.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    /// At least one range. The ranges are in text order, not empty, and do not overlap.
    ranges: Vec<Range<usize>>,
    /// One row of scores per range.
    scores: Vec<[f64; N_ASPECTS]>,
}

impl Segments {
    /// The segments of an answer of `n_tokens` tokens. Tokens between two segments belong to no
    /// segment.
    ///
    /// # Errors
    /// [`SegmentError`] if there is no segment, if the numbers of segments and of score rows
    /// differ, if a segment is empty, overlaps the previous one or ends past the answer, or if a
    /// score is not from 0 to 4.
    ///
    /// ```
    /// use pref_core::Segments;
    /// let segments = Segments::new(7, vec![0..4, 4..7], vec![[4., 4., 4., 1., 2.], [0., 1., 4., 2., 2.]])?;
    /// assert_eq!(segments.len(), 2);
    /// # Ok::<(), pref_core::SegmentError>(())
    /// ```
    pub fn new(
        n_tokens: usize,
        ranges: Vec<Range<usize>>,
        scores: Vec<[f64; N_ASPECTS]>,
    ) -> Result<Self, SegmentError> {
        if ranges.is_empty() {
            return Err(SegmentError::None);
        }
        if ranges.len() != scores.len() {
            return Err(SegmentError::RowCount {
                segments: ranges.len(),
                scores: scores.len(),
            });
        }
        let mut previous_end = 0;
        for (index, &Range { start, end }) in ranges.iter().enumerate() {
            if start >= end {
                return Err(SegmentError::Empty { index, start, end });
            }
            if start < previous_end {
                return Err(SegmentError::Overlap {
                    index,
                    start,
                    previous_end,
                });
            }
            if end > n_tokens {
                return Err(SegmentError::PastEnd {
                    index,
                    end,
                    n_tokens,
                });
            }
            previous_end = end;
        }
        for (index, row) in scores.iter().enumerate() {
            if let Some(aspect) = row.iter().position(|s| !(0.0..=4.0).contains(s)) {
                let score = row[aspect];
                return Err(SegmentError::Score {
                    index,
                    aspect,
                    score,
                });
            }
        }
        Ok(Self { ranges, scores })
    }

    /// Number of segments.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Always false, since an answer has at least one segment.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Token range of each segment, in text order.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Quality of each segment, `q_k = Σ_a W_a (s_{k,a}/4 + 1)`, dimensionless (2D-DPO, eq. 6).
    pub(crate) fn qualities(&self, aspect_weights: &[f64; N_ASPECTS]) -> Vec<f64> {
        let quality = |row: &[f64; N_ASPECTS]| {
            let terms = row.iter().zip(aspect_weights);
            terms
                .map(|(score, weight)| weight * (score / 4.0 + 1.0))
                .sum()
        };
        self.scores.iter().map(quality).collect()
    }
}
