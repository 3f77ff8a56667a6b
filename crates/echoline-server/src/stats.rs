//! Counters. Each worker writes its own; a snapshot adds them up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The conversation came to its end.
    Done,
    /// The client reset the connection, or the kernel gave it up.
    Reset,
    /// No byte moved for the idle timeout.
    Idle,
    /// A line was longer than the limit, and long lines close.
    LongLine,
    /// The server drained, and the client had not left by the deadline.
    Drained,
    /// Our side was ending the conversation and the client did not take the rest in time.
    CutOff,
    /// A job of the service panicked: a defect of ours.
    Fault,
}

impl Ending {
    /// All of them, in the order in which a list shows them.
    pub const ALL: [Self; 7] =
        [Self::Done, Self::Reset, Self::Idle, Self::LongLine, Self::Drained, Self::CutOff, Self::Fault];

    /// The word in logs and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Reset => "reset",
            Self::Idle => "idle",
            Self::LongLine => "long-line",
            Self::Drained => "drained",
            Self::CutOff => "cut-off",
            Self::Fault => "fault",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a server has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections accepted and served.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections accepted and reset at once, because `max_connections` were open.
    pub refused_at_limit: u64,
    /// Times that accepting failed for want of descriptors or memory, and paused.
    pub accept_shortages: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes that the kernel took to be sent.
    pub bytes_out: u64,
    /// Lines completed.
    pub lines: u64,
    /// Connections ended, by [`Ending`] in the order of [`Ending::ALL`].
    pub ended: [u64; Ending::ALL.len()],
}

impl Stats {
    /// Connections that ended for this reason.
    #[must_use]
    pub fn ended_by(&self, ending: Ending) -> u64 {
        self.ended[ending as usize]
    }
}

/// A counter with one writer: an addition is a load and a store, not a locked instruction.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(amount), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One worker's counters. Only that worker writes them; aligned so that workers share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    pub(crate) accepted: Counter,
    pub(crate) refused_at_limit: Counter,
    pub(crate) accept_shortages: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) lines: Counter,
    pub(crate) ended: [Counter; Ending::ALL.len()],
}

impl Counters {
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.accepted += self.accepted.get();
        stats.refused_at_limit += self.refused_at_limit.get();
        stats.accept_shortages += self.accept_shortages.get();
        stats.bytes_in += self.bytes_in.get();
        stats.bytes_out += self.bytes_out.get();
        stats.lines += self.lines.get();
        for (sum, counter) in stats.ended.iter_mut().zip(&self.ended) {
            *sum += counter.get();
        }
    }
}
