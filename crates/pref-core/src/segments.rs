//! Scored segments of an answer, and how 2D-DPO pairs them by rank.
//! In: half-open token ranges with a row of aspect scores each. Out: which segments meet, and with
//! what quality. Plain data: no tensor in here.

use std::ops::Range;

use crate::error::SegmentError;

/// Aspects of a score row, in order: helpfulness, correctness, safety, completeness, clarity.
pub const N_ASPECTS: usize = 5;

/// Segments of one answer in text order, each with scores 0..=4 in five aspects.
#[derive(Clone, Debug, PartialEq)]
pub struct Segments {
    ranges: Vec<Range<usize>>,
    scores: Vec<[f64; N_ASPECTS]>,
}

impl Segments {
    /// Segments of an answer of `n_tokens` tokens; tokens between segments belong to none.
    ///
    /// # Errors
    /// [`SegmentError`] when rows and segments differ in number, a segment is empty, overlaps its
    /// neighbour or leaves the answer, or a score is outside 0..=4.
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

    /// Never true: an answer has at least one segment.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Token range of each segment.
    pub fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// `q_k = Σ_a W_a (s_{k,a}/4 + 1)` of each segment (2D-DPO, eq. 6).
    fn qualities(&self, aspect_weights: &[f64; N_ASPECTS]) -> Vec<f64> {
        let quality = |row: &[f64; N_ASPECTS]| {
            let terms = row.iter().zip(aspect_weights);
            terms
                .map(|(score, weight)| weight * (score / 4.0 + 1.0))
                .sum()
        };
        self.scores.iter().map(quality).collect()
    }
}

/// Segments of both answers paired by rank: entry `i` of each list meets entry `i` of the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RankedPairs {
    pub(crate) chosen: Vec<RankedSegment>,
    pub(crate) rejected: Vec<RankedSegment>,
}

/// A selected segment and the factor of its reward, relative to the objective's β.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RankedSegment {
    pub(crate) range: Range<usize>,
    pub(crate) scale: f64,
}

/// Qualities that differ by less are a tie: equal on paper, they may differ in their last bits.
const TIE: f64 = 1e-6;

/// The `N = min(#w, #l)` best chosen and worst rejected segments, ties in text order, paired by
/// rank. With `equivalent_beta` each side's scales average 1, so that the sum of β over the
/// segments is the whole answer's (2D-DPO, listing B.3).
pub(crate) fn rank(
    chosen: &Segments,
    rejected: &Segments,
    aspect_weights: &[f64; N_ASPECTS],
    equivalent_beta: bool,
) -> RankedPairs {
    let n = chosen.len().min(rejected.len());
    let select = |segments: &Segments, sign: f64| {
        let qualities = segments.qualities(aspect_weights);
        let mut order = ascending(&qualities.iter().map(|q| sign * q).collect::<Vec<_>>());
        order.truncate(n);
        let mean = order.iter().map(|&k| qualities[k]).sum::<f64>() / n as f64;
        let divisor = if equivalent_beta { mean } else { 1.0 };
        let ranked = |&k: &usize| RankedSegment {
            range: segments.ranges[k].clone(),
            scale: qualities[k] / divisor,
        };
        order.iter().map(ranked).collect()
    };
    RankedPairs {
        chosen: select(chosen, -1.0),
        rejected: select(rejected, 1.0),
    }
}

/// Indices of `values` from the least to the greatest. A run of values, each within [`TIE`] of the
/// next, is a tie, and its indices ascend.
fn ascending(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    for tied in order.chunk_by_mut(|&a, &b| values[b] - values[a] < TIE) {
        tied.sort_unstable();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_within_a_millionth_keep_their_order() {
        // 0.1 + 0.2 against 0.3, and a value that is more than a millionth away
        assert_eq!(ascending(&[0.1 + 0.2, 0.3, 0.3 - 2e-6]), [2, 0, 1]);
        assert_eq!(ascending(&[1.0 + 9e-7, 1.0, 0.5]), [2, 0, 1]);
        assert_eq!(ascending(&[1.0 + 1.1e-6, 1.0, 0.5]), [2, 1, 0]);
        // a chain of ties is one tie
        assert_eq!(ascending(&[1.0 + 16e-7, 1.0 + 8e-7, 1.0]), [0, 1, 2]);
    }

    #[test]
    fn equal_qualities_of_other_scores_are_paired_in_text_order() -> Result<(), SegmentError> {
        // 1.05 on paper; summed term by term the first falls short of it by 2⁻⁵²
        let scores = vec![[0.0, 0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 0.0, 2.0, 0.0]];
        let weights = [0.3, 0.4, 0.1, 0.1, 0.1];
        let both = Segments::new(2, vec![0..1, 1..2], scores)?;
        let qualities = both.qualities(&weights);
        assert!(qualities[0] < qualities[1]);
        let one = Segments::new(2, vec![0..2], vec![[2.0; N_ASPECTS]])?;
        for reversed in [false, true] {
            let mut both = both.clone();
            if reversed {
                both.scores.reverse();
            }
            assert_eq!(rank(&both, &one, &weights, true).chosen[0].range, 0..1);
            assert_eq!(rank(&one, &both, &weights, true).rejected[0].range, 0..1);
        }
        Ok(())
    }
}
