//! Digests as text. In: a SHA-256. Out: hexadecimal digits.

use sha2::{Digest, Sha256};

/// A digest in hexadecimal.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
