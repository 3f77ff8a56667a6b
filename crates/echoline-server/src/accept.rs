//! Accepting without I/O: what an error means, and when to try again.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Between two tries while descriptors or memory are short: at most 8 failed tries a second in the whole process,
/// and a client waits no longer than this once somebody else has freed some.
const PROBE_EVERY: Duration = Duration::from_millis(125);

/// So many connections may be skipped in a row. More is an error that stays, such as a system call filter's EPERM:
/// it takes nothing from the queue, and trying again at once would spin.
const MAX_SKIPS: usize = 64;

/// What a failed accept means (accept(2), "Error handling").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptFailure {
    /// The queue is empty.
    Empty,
    /// That connection is gone or refused by a rule; the next one may be fine.
    Skip,
    /// It was accepted, and had broken off before its address could be asked for (getpeername(2)).
    Gone,
    /// Descriptors or memory are short: the connection stays in the queue.
    Shortage,
    /// This listener will never accept again.
    Broken,
}

impl AcceptFailure {
    pub(crate) fn of(error: &io::Error) -> Self {
        use rustix::io::Errno;
        let Some(errno) = Errno::from_io_error(error) else { return Self::Broken };
        match errno {
            Errno::AGAIN => Self::Empty,
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM => Self::Shortage,
            Errno::NOTCONN => Self::Gone,
            Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::FAULT => Self::Broken,
            // Linux passes pending network errors of the new socket on: treat them like an empty try.
            _ => Self::Skip,
        }
    }
}

/// May a listener try to accept?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// As often as there are connections.
    Freely,
    /// Once, and then ask again.
    Once,
    /// Not before then.
    NotBefore(Instant),
}

/// Holds all listeners of a server back while descriptors or memory are short.
///
/// Retrying at once would spin: the queue stays readable. So after a failure there is one try for each descriptor
/// that we close ourselves, and one every [`PROBE_EVERY`] for those that others free. A success is no end of the
/// shortage: where each close makes room for one, the next try fails again. It has ended when nothing fails at a time at
/// which a probe would have.
///
/// Whatever others do with the descriptors that we free, each failure postpones the next probe by [`PROBE_EVERY`], and
/// closes of ours count for nothing once a try for one has failed, until a try works again.
#[derive(Debug)]
pub(crate) struct AcceptGate {
    short: AtomicBool,
    /// Skipped since an accept worked or found the queue empty.
    skipped: AtomicUsize,
    tries: Mutex<Tries>,
}

#[derive(Debug)]
struct Tries {
    next_probe: Instant,
    /// Until then the failures so far have used up the tries that were allowed to fail.
    paid_until: Instant,
    /// Connections of ours that ended since the shortage began, each worth one try.
    credits: usize,
    /// Such tries whose end is not known yet.
    on_credit: usize,
    /// No such try has failed since one worked.
    credit_holds: bool,
}

impl AcceptGate {
    pub(crate) fn new(now: Instant) -> Self {
        let tries = Tries { next_probe: now, paid_until: now, credits: 0, on_credit: 0, credit_holds: true };
        Self { short: AtomicBool::new(false), skipped: AtomicUsize::new(0), tries: Mutex::new(tries) }
    }

    pub(crate) fn ask(&self, now: Instant) -> Permission {
        if !self.is_short() {
            return Permission::Freely;
        }
        let mut tries = self.tries();
        if tries.credits > 0 && tries.credit_holds {
            tries.credits -= 1;
            tries.on_credit += 1;
            Permission::Once
        } else if tries.next_probe <= now {
            tries.next_probe = now + PROBE_EVERY;
            Permission::Once
        } else {
            Permission::NotBefore(tries.next_probe)
        }
    }

    /// An accept failed for want of descriptors or memory. True if the shortage is new.
    pub(crate) fn on_shortage(&self, now: Instant) -> bool {
        let mut tries = self.tries();
        let new = !self.short.swap(true, Ordering::SeqCst);
        if new {
            (tries.credits, tries.on_credit, tries.credit_holds) = (0, 0, true);
        } else if tries.on_credit > 0 {
            tries.on_credit -= 1;
            tries.credit_holds = false;
        }
        tries.paid_until = tries.paid_until.max(now) + PROBE_EVERY;
        tries.next_probe = tries.paid_until;
        new
    }

    /// An accept worked.
    pub(crate) fn on_accepted(&self, now: Instant) {
        self.skipped_none();
        if !self.is_short() {
            return;
        }
        let mut tries = self.tries();
        tries.on_credit = tries.on_credit.saturating_sub(1);
        tries.credit_holds = true;
        // At once again, if that one may fail.
        tries.next_probe = tries.paid_until;
        if now >= tries.paid_until + PROBE_EVERY {
            self.short.store(false, Ordering::SeqCst);
        }
    }

    /// An accept found the queue empty, and a descriptor to spare: Linux reserves it before it looks at the queue.
    pub(crate) fn on_empty(&self, now: Instant) {
        self.skipped_none();
        if !self.is_short() {
            return;
        }
        let mut tries = self.tries();
        if now >= tries.paid_until {
            self.short.store(false, Ordering::SeqCst);
        } else {
            // The descriptor waits for the next client.
            tries.on_credit = tries.on_credit.saturating_sub(1);
            tries.credits += 1;
        }
    }

    fn skipped_none(&self) {
        if self.skipped.load(Ordering::Relaxed) > 0 {
            self.skipped.store(0, Ordering::Relaxed);
        }
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was skipped. What that means: the same, or a shortage if nothing else has come for long.
    pub(crate) fn on_skip(&self) -> AcceptFailure {
        let before = self.skipped.fetch_add(1, Ordering::Relaxed);
        if before < MAX_SKIPS { AcceptFailure::Skip } else { AcceptFailure::Shortage }
    }

    /// A connection of ours was closed. True if that allows a try that was not allowed before.
    pub(crate) fn on_closed(&self) -> bool {
        if !self.is_short() {
            return false;
        }
        self.tries().credits += 1;
        true
    }

    fn is_short(&self) -> bool {
        self.short.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
