//! A lock for automatic differentiation. In: a thread that builds or differentiates a graph. Out:
//! a guard that makes other threads wait.
//!
//! All threads of a process share the graphs of Burn 0.21's autodiff, and a backward pass frees nodes of
//! all graphs that no tensor seems to hold. With two threads that trained at the same time, a part of a
//! gradient was sometimes missing. Runs in one process therefore take their steps one at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

static LOCK: Mutex<()> = Mutex::new(());

/// Waits until no other thread of this crate uses autodiff.
pub(crate) fn lock_autodiff() -> MutexGuard<'static, ()> {
    // The lock guards no data, so a panic of its holder leaves nothing half changed.
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}
