//! Limits on the size of texts and lists that a template makes. In: a size. Out: an error if it is too
//! large.

use std::borrow::Cow;

use minijinja::{Error, ErrorKind};

/// Maximum size of one text or written list, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 24;

/// Maximum number of items of a sum or a repetition of lists.
pub(super) const MAX_ITEMS: usize = 1 << 18;

/// An error if a text would have more than [`MAX_BYTES`] bytes. None means an overflow.
pub(super) fn check_bytes(bytes: Option<usize>) -> Result<(), Error> {
    match bytes {
        Some(bytes) if bytes <= MAX_BYTES => Ok(()),
        _ => Err(refused(format!("a text of more than {MAX_BYTES} bytes"))),
    }
}

/// An error if a list would have more than [`MAX_ITEMS`] items. None means an overflow.
pub(super) fn check_items(n: Option<usize>) -> Result<(), Error> {
    match n {
        Some(n) if n <= MAX_ITEMS => Ok(()),
        _ => Err(refused(format!("a list of more than {MAX_ITEMS} items"))),
    }
}

/// The error of an operation that is not possible.
pub(super) fn refused(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
