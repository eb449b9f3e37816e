//! Matrix products. In: two matrices in memory. Out: their product, written or added to a third.

use gemm::Parallelism;

/// A matrix in memory: its first value, and the distances between rows and between columns.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of neighbours, with a distance of `row` between them.
    pub(super) fn rows(values: &'a [f32], row: usize) -> Self {
        Self {
            values,
            row,
            column: 1,
        }
    }

    /// The matrix with rows and columns exchanged.
    pub(super) fn transposed(self) -> Self {
        Self {
            values: self.values,
            row: self.column,
            column: self.row,
        }
    }

    /// Whether the memory has all places of a matrix of this size.
    pub(super) fn holds(&self, rows: usize, columns: usize) -> bool {
        let last = (rows.max(1) - 1) * self.row + (columns.max(1) - 1) * self.column;
        rows * columns == 0 || last < self.values.len()
    }
}

/// Where a product goes: rows of neighbours, with a distance of `row` between them.
pub(super) struct Target {
    start: *mut f32,
    len: usize,
    row: usize,
}

impl Target {
    /// The memory of a slice. It may have no values yet, unless the product is added to them.
    pub(super) fn rows(values: &mut [f32], row: usize) -> Self {
        Self {
            start: values.as_mut_ptr(),
            len: values.len(),
            row,
        }
    }

    /// Rows in memory that several threads write, each its own.
    ///
    /// # Safety
    /// `start` points to `len` places, and nobody else reads or writes the rows of the product at the time.
    pub(super) unsafe fn shared(start: *mut f32, len: usize, row: usize) -> Self {
        Self { start, len, row }
    }
}

/// What happens to the values at the target.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
    /// The product replaces them.
    Write,
    /// The product is added to them.
    Add,
}

/// `factor · left · right` for `left` of `[m, k]` and `right` of `[k, n]`, on one thread.
pub(super) fn product(
    target: Target,
    [m, n, k]: [usize; 3],
    left: Matrix<'_>,
    right: Matrix<'_>,
    factor: f32,
    then: Then,
) {
    multiply(
        target,
        [m, n, k],
        left,
        right,
        factor,
        then,
        Parallelism::None,
    );
}

/// [`product`] with all threads.
pub(super) fn large_product(
    target: Target,
    [m, n, k]: [usize; 3],
    left: Matrix<'_>,
    right: Matrix<'_>,
    then: Then,
) {
    // Below this number of multiplications, threads take longer to start than to multiply.
    let threads = match m * n * k < 1 << 20 {
        true => Parallelism::None,
        false => Parallelism::Rayon(0),
    };
    multiply(target, [m, n, k], left, right, 1.0, then, threads);
}

fn multiply(
    target: Target,
    [m, n, k]: [usize; 3],
    left: Matrix<'_>,
    right: Matrix<'_>,
    factor: f32,
    then: Then,
    threads: Parallelism,
) {
    if m * n == 0 {
        return;
    }
    assert!(
        left.holds(m, k) && right.holds(k, n),
        "matrices of {m} x {k} and {k} x {n}"
    );
    assert!(
        (m - 1) * target.row + n <= target.len,
        "a target of {m} x {n}"
    );
    // SAFETY: the assertions show that all places of the three matrices are in their memory, and the target
    // is written by this call alone (see `Target::shared`).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.start,
            1,
            target.row as isize,
            then == Then::Add,
            left.values.as_ptr(),
            left.column as isize,
            left.row as isize,
            right.values.as_ptr(),
            right.column as isize,
            right.row as isize,
            1.0,
            factor,
            false,
            false,
            false,
            threads,
        );
    }
}
