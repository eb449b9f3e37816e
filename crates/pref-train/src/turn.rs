//! One thread at a time in Burn's autodiff. In: a wish to build or to walk a graph. Out: a guard.
//!
//! After a backward pass Burn 0.21 removes graphs that look empty, those of other threads included.
//! A node that another thread is about to register is then cut off from its parents, and part of
//! that thread's gradient is lost. So two runs in one process take turns by the step.

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other thread of this crate is within autodiff.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    // it guards no data that a panic could leave half changed
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
