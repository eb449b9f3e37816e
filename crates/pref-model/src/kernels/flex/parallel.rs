//! Work on rows with threads. In: a buffer of rows. Out: the same buffer, whose rows were written.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::vector::with_vectors;

/// Number of values that a thread takes at a time. Handing them over costs a few microseconds.
const VALUES_AT_A_TIME: usize = 1 << 14;

/// A new vector of `rows` rows of `width` values. `write(first, rows)` writes all values of some rows, of which
/// the first has the number `first`.
pub(super) fn new_rows(
    rows: usize,
    width: usize,
    write: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut values = Vec::with_capacity(rows * width);
    let space = &mut values.spare_capacity_mut()[..rows * width];
    for_rows(
        space,
        width,
        #[inline(always)]
        |first, space| {
            // SAFETY: f32 has no invalid values and no destructor, and the memory belongs to the vector. `write`
            // sets every value; it is private to these kernels, which do not read what they did not write.
            write(first, unsafe { as_values(space) });
        },
    );
    // SAFETY: all values were written above.
    unsafe { values.set_len(rows * width) };
    values
}

/// Two new vectors of `n` values. `write(first, a, b)` writes some values of both, from the place `first` on.
pub(super) fn new_pair(
    n: usize,
    write: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) -> [Vec<f32>; 2] {
    let [mut a, mut b] = [Vec::with_capacity(n), Vec::with_capacity(n)];
    let spaces =
        [&mut a, &mut b].map(|values: &mut Vec<f32>| &mut values.spare_capacity_mut()[..n]);
    let parts = spaces.map(|space| space.par_chunks_mut(VALUES_AT_A_TIME));
    let [a_parts, b_parts] = parts;
    a_parts.zip(b_parts).enumerate().for_each(|(i, (a, b))| {
        // SAFETY: as in `new_rows`.
        let (a, b) = unsafe { (as_values(a), as_values(b)) };
        with_vectors(
            #[inline(always)]
            || write(i * VALUES_AT_A_TIME, a, b),
        );
    });
    // SAFETY: all values were written above.
    unsafe {
        a.set_len(n);
        b.set_len(n);
    }
    [a, b]
}

/// Calls `f(first, rows)` for parts of a buffer of rows of `width` values, with threads.
pub(super) fn for_rows<T: Send>(
    buffer: &mut [T],
    width: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    if buffer.is_empty() {
        return;
    }
    let rows_at_a_time = (VALUES_AT_A_TIME / width).max(1);
    if buffer.len() <= VALUES_AT_A_TIME {
        return with_vectors(
            #[inline(always)]
            || f(0, buffer),
        );
    }
    let parts = buffer.par_chunks_mut(rows_at_a_time * width).enumerate();
    parts.for_each(|(i, part)| {
        with_vectors(
            #[inline(always)]
            || f(i * rows_at_a_time, part),
        );
    });
}

/// Memory that has no values yet, as values.
///
/// # Safety
/// The caller writes a value before it is read.
pub(super) unsafe fn as_values(space: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    let (start, n) = (space.as_mut_ptr().cast::<f32>(), space.len());
    // SAFETY: the memory has room for `n` values and belongs to `space` for the same time.
    unsafe { std::slice::from_raw_parts_mut(start, n) }
}
