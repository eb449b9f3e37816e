//! Memory that several threads write. In: a buffer. Out: its parts, of which each is written by one thread.

use super::product::Target;

/// Memory that several threads write, each its own rows.
#[derive(Clone, Copy)]
pub(super) struct Shared {
    start: *mut f32,
    len: usize,
}

// SAFETY: a pointer can be used by any thread; who writes where is decided at each use.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn of(values: &mut [f32]) -> Self {
        Self {
            start: values.as_mut_ptr(),
            len: values.len(),
        }
    }

    /// The rows from a place on, with a distance of `row` between them.
    ///
    /// # Safety
    /// Nobody else reads or writes the rows of the product at the time.
    pub(super) unsafe fn rows(&self, place: usize, row: usize) -> Target {
        assert!(place <= self.len);
        // SAFETY: the place is within the memory; the caller promises the rest.
        unsafe { Target::shared(self.start.add(place), self.len - place, row) }
    }

    /// `n` values from a place on.
    ///
    /// # Safety
    /// Nobody else reads or writes these values at the time.
    #[expect(
        clippy::mut_from_ref,
        reason = "the caller promises that no two overlap"
    )]
    pub(super) unsafe fn slice(&self, place: usize, n: usize) -> &mut [f32] {
        assert!(place + n <= self.len);
        // SAFETY: the values are within the memory; the caller promises the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(place), n) }
    }
}
