//! How 2D-DPO selects and pairs segments. In: the scored segments of both answers. Out: which
//! segments are compared with each other, and the factor of each. Plain data, no tensors.

use std::ops::Range;

use crate::segments::{N_ASPECTS, Segments};

/// The selected segments of both answers. Entry `i` of `chosen` is compared with entry `i` of
/// `rejected`; both lists have the same length.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RankedPairs {
    pub(super) chosen: Vec<RankedSegment>,
    pub(super) rejected: Vec<RankedSegment>,
}

/// A selected segment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RankedSegment {
    /// Its tokens.
    pub(super) range: Range<usize>,
    /// Factor of the segment's reward, relative to the objective's `β`.
    pub(super) scale: f64,
}

/// Qualities that differ by less are a tie. Rounding may make two equal qualities differ in their
/// last bits.
const TIE: f64 = 1e-6;

/// Selects the `N = min(#w, #l)` best segments of the chosen answer and the `N` worst of the
/// rejected one, and pairs them by rank. Ties are taken in text order.
///
/// A segment's scale is its quality. With `equivalent_beta` the qualities of each side are divided
/// by their mean, so that the average `β` of the segments is the objective's `β` (2D-DPO, listing
/// B.3).
pub(super) fn pair_by_rank(
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
            range: segments.ranges()[k].clone(),
            scale: qualities[k] / divisor,
        };
        order.iter().map(ranked).collect()
    };
    RankedPairs {
        chosen: select(chosen, -1.0),
        rejected: select(rejected, 1.0),
    }
}

/// Indices of `values` from the least value to the greatest. A run of values, each less than
/// [`TIE`] below the next, is one tie. The indices of a tie are in ascending order.
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
    use crate::error::SegmentError;

    #[test]
    fn values_within_a_millionth_keep_their_order() {
        // 0.1 + 0.2 and 0.3 tie; the third value is more than a millionth away
        assert_eq!(ascending(&[0.1 + 0.2, 0.3, 0.3 - 2e-6]), [2, 0, 1]);
        assert_eq!(ascending(&[1.0 + 9e-7, 1.0, 0.5]), [2, 0, 1]);
        assert_eq!(ascending(&[1.0 + 1.1e-6, 1.0, 0.5]), [2, 1, 0]);
        // a chain of ties is one tie
        assert_eq!(ascending(&[1.0 + 16e-7, 1.0 + 8e-7, 1.0]), [0, 1, 2]);
    }

    #[test]
    fn equal_qualities_of_different_scores_are_paired_in_text_order() -> Result<(), SegmentError> {
        // both are 1.05 on paper; in floating point the first is 2⁻⁵² less
        let rows = [[0.0, 0.0, 0.0, 0.0, 2.0], [0.0, 0.0, 0.0, 2.0, 0.0]];
        let weights = [0.3, 0.4, 0.1, 0.1, 0.1];
        let two = |rows: [[f64; N_ASPECTS]; 2]| Segments::new(2, vec![0..1, 1..2], rows.to_vec());
        let qualities = two(rows)?.qualities(&weights);
        assert!(qualities[0] < qualities[1]);
        let one = Segments::new(2, vec![0..2], vec![[2.0; N_ASPECTS]])?;
        for rows in [rows, [rows[1], rows[0]]] {
            let two = two(rows)?;
            assert_eq!(
                pair_by_rank(&two, &one, &weights, true).chosen[0].range,
                0..1
            );
            assert_eq!(
                pair_by_rank(&one, &two, &weights, true).rejected[0].range,
                0..1
            );
        }
        Ok(())
    }
}
