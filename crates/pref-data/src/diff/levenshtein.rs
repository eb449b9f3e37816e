//! Levenshtein alignment. In: two lists of ids. Out: the pairs of positions that an optimal alignment
//! keeps.
//!
//! The time is proportional to length times distance. For long answers the memory is proportional to
//! the length. A path of cost `t` stays on the diagonals within `t` edits of both corners (Ukkonen
//! 1985), so only a band of the table is computed, and the width of the band is doubled until the
//! distance fits into it. If the directions of the band would take too much memory, the problem is
//! divided into two halves first (Hirschberg 1975).

/// Maximum number of cells whose directions are in memory at once, one byte each: 8 MiB, enough for
/// the whole table of two answers of 2,896 tokens.
const CELLS: usize = 8 << 20;

/// The direction of a cell that is reached along the diagonal: the token is kept or substituted.
const DIAGONAL: u8 = 0;
/// The direction of a cell that is reached by deleting a token of `a`.
const DELETION: u8 = 1;
/// The direction of a cell that is reached by inserting a token of `b`.
const INSERTION: u8 = 2;

/// Larger than any distance, and small enough that adding to it does not overflow.
const FAR: u32 = u32::MAX / 2;

/// Calls `keep(i, j)` for each pair of equal tokens that an optimal alignment keeps. The order of the
/// calls is not specified.
pub(super) fn matches(a: &[u32], b: &[u32], keep: &mut impl FnMut(usize, usize)) {
    align(a, b, None, CELLS, &mut |i, j| keep(i, j));
}

/// Like [`matches`]. `at_most` is an upper bound of the distance, if one is known; `cells` is the
/// maximum number of cells whose directions may be in memory.
fn align(
    a: &[u32],
    b: &[u32],
    at_most: Option<usize>,
    cells: usize,
    keep: &mut dyn FnMut(usize, usize),
) {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    for i in 0..prefix {
        keep(i, i);
    }
    let (rest_a, rest_b) = (&a[prefix..], &b[prefix..]);
    let both = rest_a.iter().rev().zip(rest_b.iter().rev());
    let suffix = both.take_while(|(x, y)| x == y).count();
    for k in 0..suffix {
        keep(a.len() - 1 - k, b.len() - 1 - k);
    }
    let a = &rest_a[..rest_a.len() - suffix];
    let b = &rest_b[..rest_b.len() - suffix];
    if a.is_empty() || b.is_empty() {
        return;
    }
    let mut keep = |i: usize, j: usize| keep(prefix + i, prefix + j);

    let bound = at_most.unwrap_or_else(|| distance_bound(a, b));
    let band = Band::new(a.len(), b.len(), bound);
    if a.len() == 1 || a.len() * band.width() <= cells {
        trace(a, b, band, &mut keep);
        return;
    }
    let (half_a, half_b, ends) = split(a, b, band);
    align(&a[..half_a], &b[..half_b], Some(ends[0]), cells, &mut keep);
    let mut keep = |i: usize, j: usize| keep(half_a + i, half_b + j);
    align(&a[half_a..], &b[half_b..], Some(ends[1]), cells, &mut keep);
}

/// The diagonals `j − i` that a path of bounded cost can visit, from `low` to `high`.
#[derive(Clone, Copy, Debug)]
struct Band {
    low: isize,
    high: isize,
}

impl Band {
    /// The diagonals `k` with `|k| + |Δ − k| ≤ bound`, where `Δ` is the diagonal of the last corner.
    fn new(n: usize, m: usize, bound: usize) -> Self {
        let corner = m as isize - n as isize;
        let slack = (bound as isize - corner.abs()).max(0) / 2;
        Self {
            low: corner.min(0) - slack,
            high: corner.max(0) + slack,
        }
    }

    fn width(self) -> usize {
        (self.high - self.low + 1) as usize
    }

    /// Row 0 of the table, by diagonal: the cost of inserting `j` tokens. One unreachable entry is
    /// added after the last.
    fn first_row(self, m: usize) -> Vec<u32> {
        let cost = |c: usize| {
            let j = self.low + c as isize;
            if (0..=m as isize).contains(&j) {
                j as u32
            } else {
                FAR
            }
        };
        (0..self.width()).map(cost).chain([FAR]).collect()
    }
}

/// Computes row `i + 1` of the table from row `i`, in place, by diagonal. Calls `direction(c, d)`
/// for each cell `c`. `d` says how the cell is reached at the lowest cost: [`DIAGONAL`],
/// [`DELETION`] of `a[i]`, or [`INSERTION`] of `b[j]`.
#[inline]
fn next_row(
    row: &mut [u32],
    band: Band,
    i: usize,
    token: u32,
    b: &[u32],
    mut direction: impl FnMut(usize, u8),
) {
    // cell c of row i + 1 is column j = i + 1 + low + c
    let first = i as isize + 1 + band.low;
    let start = (-first).max(0) as usize;
    let end = band
        .width()
        .min((b.len() as isize + 1 - first).max(0) as usize);
    let mut left = FAR;
    if first <= 0 && start < end {
        // column 0: all tokens of `a` so far are deleted
        row[start] = i as u32 + 1;
        direction(start, DELETION);
        left = row[start];
    }
    let inner = if first <= 0 { (1 - first) as usize } else { 0 };
    for c in inner..end {
        let j = (first + c as isize) as usize;
        let diagonal = row[c] + u32::from(token != b[j - 1]);
        let up = row[c + 1] + 1;
        let beside = left + 1;
        let best = diagonal.min(up).min(beside);
        direction(
            c,
            if best == diagonal {
                DIAGONAL
            } else if best == up {
                DELETION
            } else {
                INSERTION
            },
        );
        row[c] = best;
        left = best;
    }
    // cells after the last column cannot be reached
    for cell in &mut row[end.min(band.width())..] {
        *cell = FAR;
    }
}

/// An upper bound of the distance: the distance itself if the band found it, otherwise the length of
/// the longer list.
fn distance_bound(a: &[u32], b: &[u32]) -> usize {
    let longest = a.len().max(b.len());
    let mut bound = a.len().abs_diff(b.len()).max(longest / 16).max(8);
    while bound < longest {
        let band = Band::new(a.len(), b.len(), bound);
        let mut row = band.first_row(b.len());
        for (i, &token) in a.iter().enumerate() {
            next_row(&mut row, band, i, token, b, |_, _| {});
        }
        let corner = b.len() as isize - a.len() as isize;
        let distance = row[(corner - band.low) as usize] as usize;
        if distance <= bound {
            return distance;
        }
        bound *= 2;
    }
    longest
}

/// Fills the band, then follows the directions back from the last corner.
fn trace(a: &[u32], b: &[u32], band: Band, keep: &mut impl FnMut(usize, usize)) {
    let width = band.width();
    let mut directions = vec![0_u8; a.len() * width];
    let mut row = band.first_row(b.len());
    for (i, &token) in a.iter().enumerate() {
        let line = &mut directions[i * width..][..width];
        next_row(&mut row, band, i, token, b, |c, d| line[c] = d);
    }
    let (mut i, mut j) = (a.len(), b.len());
    while i > 0 && j > 0 {
        let c = (j as isize - i as isize - band.low) as usize;
        match directions[(i - 1) * width + c] {
            DIAGONAL => {
                i -= 1;
                j -= 1;
                if a[i] == b[j] {
                    keep(i, j);
                }
            }
            DELETION => i -= 1,
            _ => j -= 1,
        }
    }
}

/// The point where an optimal path crosses the middle row: the row, the column, and the cost of
/// each half.
fn split(a: &[u32], b: &[u32], band: Band) -> (usize, usize, [usize; 2]) {
    let middle = a.len() / 2;
    let mut above = band.first_row(b.len());
    for (i, &token) in a[..middle].iter().enumerate() {
        next_row(&mut above, band, i, token, b, |_, _| {});
    }
    let mirrored_a: Vec<u32> = a[middle..].iter().rev().copied().collect();
    let mirrored_b: Vec<u32> = b.iter().rev().copied().collect();
    // seen from the last corner, diagonal k is Δ − k
    let corner = b.len() as isize - a.len() as isize;
    let mirrored = Band {
        low: corner - band.high,
        high: corner - band.low,
    };
    let mut below = mirrored.first_row(b.len());
    for (i, &token) in mirrored_a.iter().enumerate() {
        next_row(&mut below, mirrored, i, token, &mirrored_b, |_, _| {});
    }
    let width = band.width();
    let costs = (0..width).filter_map(|c| {
        let j = middle as isize + band.low + c as isize;
        let j = usize::try_from(j).ok().filter(|&j| j <= b.len())?;
        let ends = [above[c] as usize, below[width - 1 - c] as usize];
        Some((ends[0] + ends[1], j, ends))
    });
    let (_, j, ends) = costs
        .min_by_key(|&(cost, j, _)| (cost, j))
        .expect("the band reaches from corner to corner");
    (middle, j, ends)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// Dividing the problem does not change the distance.
        #[test]
        fn halving_keeps_the_distance(
            a in prop::collection::vec(0u32..4, 0..40),
            b in prop::collection::vec(0u32..4, 0..40),
        ) {
            for cells in [0, 50, 200] {
                let mut kept = Vec::new();
                align(&a, &b, None, cells, &mut |i, j| kept.push((i, j)));
                kept.sort_unstable();
                let mut cost = 0;
                let mut from = (0, 0);
                for &(i, j) in kept.iter().chain([&(a.len(), b.len())]) {
                    prop_assert!(i >= from.0 && j >= from.1);
                    cost += (i - from.0).max(j - from.1);
                    from = (i + 1, j + 1);
                }
                prop_assert_eq!(cost, strsim::generic_levenshtein(&a, &b));
            }
        }
    }
}
