//! Deadlines of many sessions, at no cost while bytes move.
//!
//! A session's deadline moves with every byte. Instead of moving an entry each time, the queue keeps one that is
//! due no later; when it comes up, the session says its true deadline and a new entry is made.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::slots::Key;

/// One per session: when its entry in the queue is due.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Timer(Option<Instant>);

/// Bounded by the sessions: an entry is made only when a deadline is earlier than the entry it has.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BinaryHeap<Reverse<(Instant, Key)>>,
}

impl Timers {
    /// Sees to it that `key` comes up no later than its deadline.
    pub(crate) fn watch(&mut self, key: Key, timer: &mut Timer, deadline: Option<Instant>) {
        if let Some(deadline) = deadline
            && timer.0.is_none_or(|entry| deadline < entry)
        {
            timer.0 = Some(deadline);
            self.queue.push(Reverse((deadline, key)));
        }
    }

    /// When the next entry is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes one entry that is due. Its session may be gone, or the entry outdated: see [`Timer::is`].
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Key)> {
        if self.next()? > now {
            return None;
        }
        self.queue.pop().map(|Reverse(entry)| entry)
    }
}

impl Timer {
    /// Is this the entry that stands for the session? Then it is used up.
    pub(crate) fn take_if_due(&mut self, due: Instant) -> bool {
        let stands = self.0 == Some(due);
        if stands {
            self.0 = None;
        }
        stands
    }
}
