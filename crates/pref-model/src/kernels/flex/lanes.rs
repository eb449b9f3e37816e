//! Products of a matrix with a few columns side by side. In: a matrix, and columns as lanes. Out: one row of lanes for
//! each row of the matrix.
//!
//! Every lane is a sum of its own, which takes its terms one after the other, with fused multiplications and
//! additions. So a lane has the same bytes whatever lanes are beside it, and with any width of vectors.

use pulp::{Simd, WithSimd};

use super::product::{Matrix, Then};

/// Lanes come in units of this number.
pub(super) const UNIT: usize = 16;

/// The largest number of lanes of a product. More do not fit into the registers of a processor with AVX-512.
pub(super) const MOST_LANES: usize = 4 * UNIT;

/// The number of lanes for `n` columns.
pub(super) fn lanes_for(n: usize) -> usize {
    n.div_ceil(UNIT) * UNIT
}

/// Writes `left · right` into `out`, or adds it.
///
/// # Shapes
/// `left` is `[m, k]`, `right` is `[k, lanes]` and `out` is `[m, lanes]`, both in one run of memory. `lanes` is a multiple
/// of [`UNIT`], at most [`MOST_LANES`].
///
/// # Panics
/// If a buffer is too small, or for another number of lanes.
pub(super) fn multiply(
    out: &mut [f32],
    [m, k, lanes]: [usize; 3],
    left: Matrix<'_>,
    right: &[f32],
    then: Then,
) {
    assert!(
        lanes.is_multiple_of(UNIT) && (UNIT..=MOST_LANES).contains(&lanes),
        "{lanes} lanes"
    );
    assert!(
        left.holds(m, k) && right.len() >= k * lanes && out.len() >= m * lanes,
        "a product of {m} x {k} and {k} x {lanes}"
    );
    pulp::Arch::new().dispatch(Product {
        out,
        size: [m, k, lanes],
        left,
        right,
        then,
    });
}

struct Product<'a> {
    out: &'a mut [f32],
    size: [usize; 3],
    left: Matrix<'a>,
    right: &'a [f32],
    then: Then,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [_, _, lanes] = self.size;
        let every = 0..lanes;
        // The accumulators of a tile fill most registers, and a few are left for the factors.
        match (S::F32_LANES, lanes / UNIT) {
            (16, 1) => self.tiles::<S, 8, 1>(simd, every),
            (16, 2) => self.tiles::<S, 8, 2>(simd, every),
            (16, 3) => self.tiles::<S, 8, 3>(simd, every),
            (16, _) => self.tiles::<S, 6, 4>(simd, every),
            (8, _) => self.tiles::<S, 6, 2>(simd, every),
            (4, _) => self.tiles::<S, 6, 4>(simd, every),
            (2, _) => self.tiles::<S, 2, 4>(simd, every),
            (_, _) => self.tiles::<S, 2, 4>(simd, every),
        }
    }
}

impl Product<'_> {
    /// Tiles of `M` rows and `N` vectors.
    #[inline(always)]
    fn tiles<S: Simd, const M: usize, const N: usize>(
        self,
        simd: S,
        lanes: std::ops::Range<usize>,
    ) {
        let [m, k, width] = self.size;
        for first in (0..m).step_by(M) {
            let rows = M.min(m - first);
            for lane in lanes.clone().step_by(N * S::F32_LANES) {
                // SAFETY: `multiply` checked that all places of the three matrices are in their memory. Rows after the
                // last are read at the last row, and are not written. The number of lanes is a multiple of UNIT, which
                // is a multiple of `N * F32_LANES` or equal to it in every arm of `with_simd`.
                unsafe {
                    let left: [*const f32; M] = std::array::from_fn(|i| {
                        let row = first + i.min(rows - 1);
                        self.left.values.as_ptr().add(row * self.left.row)
                    });
                    let right = self.right.as_ptr().add(lane);
                    let out = self.out.as_mut_ptr().add(first * width + lane);
                    let column = self.left.column;
                    tile::<S, M, N>(simd, [rows, k, width], left, column, right, out, self.then);
                }
            }
        }
    }
}

/// One tile: up to `M` rows of `N` vectors.
///
/// # Safety
/// The rows of `left` have `k` values with a distance of `column`; `right` has `k` rows with a distance of `width`, and
/// `out` has `rows` rows with this distance.
#[inline(always)]
unsafe fn tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    [rows, k, width]: [usize; 3],
    left: [*const f32; M],
    column: usize,
    right: *const f32,
    out: *mut f32,
    then: Then,
) {
    let zero = simd.splat_f32s(0.0);
    let mut sums = [[zero; N]; M];
    // SAFETY: the caller promises that all places are in memory. Vectors of floats have no invalid values, and are
    // read and written without alignment.
    unsafe {
        if then == Then::Add {
            for (i, sums) in sums.iter_mut().enumerate().take(rows) {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = out
                        .add(i * width + j * S::F32_LANES)
                        .cast::<S::f32s>()
                        .read_unaligned();
                }
            }
        }
        let (mut right, mut at) = (right, 0);
        for _ in 0..k {
            let mut vectors = [zero; N];
            for (j, vector) in vectors.iter_mut().enumerate() {
                *vector = right
                    .add(j * S::F32_LANES)
                    .cast::<S::f32s>()
                    .read_unaligned();
            }
            for i in 0..M {
                let factor = simd.splat_f32s(*left[i].add(at));
                for j in 0..N {
                    sums[i][j] = simd.mul_add_f32s(factor, vectors[j], sums[i][j]);
                }
            }
            right = right.add(width);
            at += column;
        }
        for (i, sums) in sums.iter().enumerate() {
            if i < rows {
                for (j, sum) in sums.iter().enumerate() {
                    out.add(i * width + j * S::F32_LANES)
                        .cast::<S::f32s>()
                        .write_unaligned(*sum);
                }
            }
        }
    }
}

/// Rows as lanes: `[n, k]` in one run of memory to `[k, lanes]`, where lanes after the last row are 0.
pub(super) fn side_by_side(rows: &[&[f32]], k: usize, lanes: usize, space: &mut Vec<f32>) {
    space.clear();
    space.resize(k * lanes, 0.0);
    for (lane, row) in rows.iter().enumerate() {
        for (i, &x) in row[..k].iter().enumerate() {
            space[i * lanes + lane] = x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values between −1 and 1 without a pattern.
    fn values(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn a_product_is_the_sum_in_order_for_every_size() {
        for lanes in [16, 32, 48, 64] {
            for (m, k) in [(1, 1), (5, 7), (8, 64), (13, 65), (50, 33)] {
                let (left, right) = (values(m * k, 1), values(k * lanes, 2));
                for (row, column) in [(k, 1), (1, m)] {
                    let matrix = Matrix {
                        values: &left,
                        row,
                        column,
                    };
                    let mut out = values(m * lanes, 3);
                    let before = out.clone();
                    multiply(&mut out, [m, k, lanes], matrix, &right, Then::Add);
                    for i in 0..m {
                        for lane in 0..lanes {
                            let mut sum = before[i * lanes + lane];
                            for j in 0..k {
                                let factor = left[i * row + j * column];
                                sum = factor.mul_add(right[j * lanes + lane], sum);
                            }
                            assert_eq!(out[i * lanes + lane], sum, "{m} {k} {lanes}");
                        }
                    }
                }
            }
        }
    }
}
