//! How many requests are on their way. In: attempts that are ready to be sent, and a limit. Out: the attempts that may be
//! sent, in the order in which they became ready.
//!
//! The worst case of a request is reserved in the store before it is sent, which takes a moment. So a few attempts more
//! than the limit are started: they are reserved while others wait for the judge, and are sent as soon as a reply comes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::{Notify, oneshot};

/// The attempts of a run. An attempt whose reply has come no longer counts, although the reply is still being stored.
#[derive(Debug, Default)]
pub(super) struct Gate {
    limit: Cell<usize>,
    /// Attempts that were started and have no reply yet.
    n_started: Cell<usize>,
    /// Those of them that were sent.
    n_sent: Cell<usize>,
    is_closed: Cell<bool>,
    ready: RefCell<VecDeque<oneshot::Sender<()>>>,
    answered: Notify,
}

impl Gate {
    /// Number of attempts that wait for the judge.
    pub(super) fn n_sent(&self) -> usize {
        self.n_sent.get()
    }

    /// Number of attempts that were started and have no reply yet.
    pub(super) fn n_started(&self) -> usize {
        self.n_started.get()
    }

    /// Waits until an attempt has a reply.
    pub(super) async fn answered(&self) {
        self.answered.notified().await;
    }

    /// Sets how many attempts may wait for the judge at a time.
    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.set(limit);
        self.let_go();
    }

    /// Ends the waiting of all attempts that were not sent. They will not be sent.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        self.ready.borrow_mut().clear();
    }

    /// Starts an attempt.
    pub(super) fn start(&self) -> Turn<'_> {
        self.n_started.set(self.n_started.get() + 1);
        Turn {
            gate: self,
            is_sent: false,
        }
    }

    fn let_go(&self) {
        while self.n_sent.get() < self.limit.get() {
            let Some(next) = self.ready.borrow_mut().pop_front() else {
                break;
            };
            if next.send(()).is_ok() {
                self.n_sent.set(self.n_sent.get() + 1);
            }
        }
    }
}

/// An attempt among those of a run, until it is dropped.
pub(super) struct Turn<'a> {
    gate: &'a Gate,
    is_sent: bool,
}

impl Turn<'_> {
    /// Waits until the attempt may be sent. False if it may not, because the run ends.
    pub(super) async fn may_send(&mut self) -> bool {
        let gate = self.gate;
        if gate.is_closed.get() {
            return false;
        }
        let (sender, receiver) = oneshot::channel();
        gate.ready.borrow_mut().push_back(sender);
        gate.let_go();
        self.is_sent = receiver.await.is_ok();
        self.is_sent
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let gate = self.gate;
        gate.n_started.set(gate.n_started.get() - 1);
        if self.is_sent {
            gate.n_sent.set(gate.n_sent.get() - 1);
            gate.let_go();
        }
        gate.answered.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn no_more_than_the_limit_are_sent_and_a_closed_gate_sends_none() {
        let gate = Gate::default();
        gate.set_limit(1);
        let (mut first, mut second, mut third) = (gate.start(), gate.start(), gate.start());
        assert_eq!(first.may_send().now_or_never(), Some(true));
        {
            let waiting = second.may_send();
            tokio::pin!(waiting);
            assert_eq!(waiting.as_mut().now_or_never(), None);
            assert_eq!((gate.n_started(), gate.n_sent()), (3, 1));
            drop(first);
            assert_eq!(waiting.now_or_never(), Some(true));
        }
        {
            let waiting = third.may_send();
            tokio::pin!(waiting);
            assert_eq!(waiting.as_mut().now_or_never(), None);
            gate.close();
            assert_eq!(waiting.now_or_never(), Some(false));
        }
        assert_eq!((gate.n_started(), gate.n_sent()), (2, 1));
        drop((second, third));
        assert_eq!((gate.n_started(), gate.n_sent()), (0, 0));
        assert_eq!(gate.start().may_send().now_or_never(), Some(false));
    }
}
