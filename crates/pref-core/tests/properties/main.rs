//! Properties of all objectives on random batches. In: random log-probs, masks and columns. Out:
//! nothing, or a batch for which a property does not hold.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod batches;
mod gradients;
mod identities;
mod metrics;
mod padding;
mod scores;
