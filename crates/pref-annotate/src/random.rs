//! Random numbers for waits and names, which need no seed. In: nothing. Out: numbers that differ between processes.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A random number, from the keys that the standard library draws for hash maps.
pub(crate) fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    hasher.write_u128(now.map_or(0, |now| now.as_nanos()));
    hasher.finish()
}

/// A random number from 0 to 1.
pub(crate) fn fraction() -> f64 {
    (random() >> 11) as f64 / (1u64 << 53) as f64
}
