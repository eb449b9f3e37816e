//! One thread at a time in Burn's autodiff. In: a wish to build or to walk a graph. Out: a guard.
//!
//! The threads of a process share the graphs of Burn 0.21's autodiff, and after a backward pass it
//! frees nodes of all of them that no tensor seems to hold. With runs in two threads, part of a
//! gradient was once seen missing. So runs in one process take turns by the step.

use std::sync::{Mutex, MutexGuard, PoisonError};

static TURN: Mutex<()> = Mutex::new(());

/// Waits until no other thread of this crate is within autodiff.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    // it guards no data that a panic could leave half changed
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
