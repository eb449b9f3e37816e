//! Limits on the work for one answer. In: nothing. Out: constants and the error of work that has no result.
//!
//! Every loop and every recursion of this module ends at one of these limits, so a comparison takes bounded time
//! whatever the texts are.

/// Longest answer that is read as mathematics, in bytes. A longer one is compared as text.
pub(crate) const MAX_BYTES: usize = 2_000;
/// Deepest nesting of brackets, fractions and roots.
pub(crate) const MAX_DEPTH: usize = 24;
/// Most digits of a number as it is written.
pub(crate) const MAX_DIGITS: usize = 1_000;
/// Most bits of an exact number while it is computed, about 6,000 decimal digits.
pub(crate) const MAX_BITS: u64 = 20_000;
/// Largest argument of a factorial, and largest first argument of a binomial coefficient.
pub(crate) const MAX_FACTORIAL: u64 = 1_000;
/// Most items of a list that is compared without regard to order.
pub(crate) const MAX_ITEMS: usize = 64;
/// Units of work for one comparison: a unit is about a product of two numbers of 600 bits.
pub(crate) const MAX_WORK: u32 = 400_000;

/// Why an expression has no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoValue {
    /// The expression has no value, such as a division by zero.
    Undefined,
    /// A limit was reached.
    TooLarge,
    /// The precision does not decide a case, such as whether a number is zero.
    Undecided,
}
