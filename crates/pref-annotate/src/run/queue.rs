//! What is asked next. In: open units, and units that wait. Out: the next one.
//!
//! Of the units with the same prefix one goes first, so that the server has the prefix in its cache when the others
//! come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use super::attempt::Asked;
use crate::store::{Progress, UnitId};

/// A unit that is asked next.
#[derive(Debug)]
pub(super) enum Entry {
    /// It was not asked in this run.
    Fresh(Progress),
    /// It was.
    Again(Box<Asked>),
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    fresh: VecDeque<Progress>,
    /// Units that wait for the first one with their prefix.
    held: HashMap<i64, Vec<Progress>>,
    /// Units that were asked, by the time from which they may be asked again.
    waiting: BinaryHeap<Reverse<(Instant, UnitId)>>,
    asked: HashMap<UnitId, Asked>,
}

impl Queue {
    pub(super) fn new(units: Vec<Progress>) -> Self {
        let mut queue = Self::default();
        for unit in units {
            match queue.held.get_mut(&unit.prefix) {
                Some(held) => held.push(unit),
                None => {
                    queue.held.insert(unit.prefix, Vec::new());
                    queue.fresh.push_back(unit);
                }
            }
        }
        queue
    }

    /// Adds a unit that came up during the run.
    pub(super) fn push(&mut self, unit: Progress) {
        self.fresh.push_back(unit);
    }

    /// Puts a unit back that was not sent, to be the next one.
    pub(super) fn put_back(&mut self, asked: Asked, now: Instant) {
        self.wait(asked, now);
    }

    /// Adds a unit that waits until `at`.
    pub(super) fn wait(&mut self, asked: Asked, at: Instant) {
        self.waiting.push(Reverse((at, asked.unit)));
        self.asked.insert(asked.unit, asked);
    }

    /// An attempt with this prefix has ended: the others may go.
    pub(super) fn release(&mut self, prefix: i64) {
        if let Some(held) = self.held.remove(&prefix) {
            self.fresh.extend(held);
        }
    }

    /// The next unit, if one may be asked now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Entry> {
        if let Some(Reverse((at, unit))) = self.waiting.peek().copied()
            && at <= now
        {
            self.waiting.pop();
            return self
                .asked
                .remove(&unit)
                .map(|asked| Entry::Again(Box::new(asked)));
        }
        self.fresh.pop_front().map(Entry::Fresh)
    }

    /// The units that were not asked in this run and come next, at most `n`.
    pub(super) fn next_fresh(&self, n: usize) -> Vec<UnitId> {
        self.fresh.iter().take(n).map(|unit| unit.unit).collect()
    }

    /// When the next waiting unit may be asked.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.waiting.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether nothing is left, apart from what is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.waiting.is_empty() && self.held.values().all(Vec::is_empty)
    }
}
