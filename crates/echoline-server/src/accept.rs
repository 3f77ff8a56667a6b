//! Accepting without I/O: what an error means, and when to try again.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
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
/// that we close ourselves, and one every [`PROBE_EVERY`] for those that others free.
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
    /// Connections of ours that ended since the shortage began, each worth one try.
    credits: usize,
}

impl AcceptGate {
    pub(crate) fn new(now: Instant) -> Self {
        let tries = Mutex::new(Tries { next_probe: now, credits: 0 });
        Self { short: AtomicBool::new(false), skipped: AtomicUsize::new(0), tries }
    }

    pub(crate) fn ask(&self, now: Instant) -> Permission {
        if !self.is_short() {
            return Permission::Freely;
        }
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.credits > 0 {
            tries.credits -= 1;
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
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.next_probe <= now {
            tries.next_probe = now + PROBE_EVERY;
        }
        let new = !self.short.swap(true, Ordering::SeqCst);
        if new {
            tries.credits = 0;
        }
        new
    }

    /// An accept worked, or found the queue empty: Linux reserves the descriptor before it looks at the queue.
    pub(crate) fn on_recovery(&self) {
        if self.is_short() {
            self.short.store(false, Ordering::SeqCst);
        }
        if self.skipped.load(Ordering::Relaxed) > 0 {
            self.skipped.store(0, Ordering::Relaxed);
        }
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
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        tries.credits += 1;
        true
    }

    fn is_short(&self) -> bool {
        self.short.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_allows_one_try_a_probe_interval() {
        let start = Instant::now();
        let gate = AcceptGate::new(start);
        assert!(gate.on_shortage(start));
        let mut tries = 0;
        for ms in 0..1000 {
            if gate.ask(start + Duration::from_millis(ms)) == Permission::Once {
                tries += 1;
                assert!(!gate.on_shortage(start + Duration::from_millis(ms)));
            }
        }
        assert_eq!(tries, 7);
    }

    #[test]
    fn a_close_of_ours_allows_one_try_at_once() {
        let now = Instant::now();
        let gate = AcceptGate::new(now);
        gate.on_shortage(now);
        assert!(matches!(gate.ask(now), Permission::NotBefore(_)));
        assert!(gate.on_closed());
        assert_eq!(gate.ask(now), Permission::Once);
        assert!(matches!(gate.ask(now), Permission::NotBefore(_)));
    }

    #[test]
    fn an_error_that_stays_counts_as_a_shortage() {
        let gate = AcceptGate::new(Instant::now());
        for _ in 0..MAX_SKIPS {
            assert_eq!(gate.on_skip(), AcceptFailure::Skip);
        }
        assert_eq!(gate.on_skip(), AcceptFailure::Shortage);
        gate.on_recovery();
        assert_eq!(gate.on_skip(), AcceptFailure::Skip);
    }

    #[test]
    fn recovery_opens_the_gate() {
        let now = Instant::now();
        let gate = AcceptGate::new(now);
        gate.on_shortage(now);
        gate.on_recovery();
        assert_eq!(gate.ask(now), Permission::Freely);
        assert!(!gate.on_closed());
    }
}
