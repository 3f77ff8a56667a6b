//! Counters. Each worker writes its own; a snapshot adds them up.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The conversation came to its end.
    Done,
    /// The client reset the connection, or it broke otherwise.
    Reset,
    /// The client answered no more, by the kernel's keepalive or user timeout, or there was no way to it any more.
    Lost,
    /// No byte moved for the idle timeout.
    Idle,
    /// The client was slower than [`Config::min_progress`](crate::Config::min_progress).
    Slow,
    /// A line was longer than the limit, and long lines close.
    LongLine,
    /// The connection had the most buffered when [`Config::max_buffered`](crate::Config::max_buffered) was used up.
    Memory,
    /// The server drained, and the client had not left by the deadline.
    Drained,
    /// Our side was ending the conversation and the client did not take the rest in time.
    CutOff,
    /// A job of the service panicked: a defect of ours.
    Fault,
}

impl Ending {
    /// All of them, in the order in which a list shows them.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::Reset,
        Self::Lost,
        Self::Idle,
        Self::Slow,
        Self::LongLine,
        Self::Memory,
        Self::Drained,
        Self::CutOff,
        Self::Fault,
    ];

    /// The word in logs and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Reset => "reset",
            Self::Lost => "lost",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::LongLine => "long-line",
            Self::Memory => "memory",
            Self::Drained => "drained",
            Self::CutOff => "cut-off",
            Self::Fault => "fault",
        }
    }

    /// The limit that ended the connection, by the name of its flag.
    pub(crate) fn limit(self) -> Option<&'static str> {
        match self {
            // The kernel does not say which, and reports what it last heard of the way there (an ICMP error) in their stead.
            Self::Lost => Some("keepalive or user-timeout"),
            Self::Idle => Some("idle-timeout"),
            Self::Slow => Some("min-progress"),
            Self::LongLine => Some("max-line"),
            Self::Memory => Some("max-buffered"),
            Self::Done | Self::Reset | Self::Drained | Self::CutOff | Self::Fault => None,
        }
    }

    /// How a connection ended on which this error was reported.
    pub(crate) fn by(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Lost
            }
            _ => Self::Reset,
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
    /// Connections accepted and reset at once, because their source had `max_connections_per_source` open.
    pub refused_at_source_limit: u64,
    /// Unfinished lines that were passed on because `max_buffered` was used up.
    pub passed_for_memory: u64,
    /// Lines longer than `max_line` that were passed on as they came.
    pub passed_as_long: u64,
    /// Times that nothing more was read from a client because it had left `max_pending_output` unread. (The ring engine
    /// often waits for its reader before that, with what one large receive brought.)
    pub held_up: u64,
    /// Bytes that connections have buffered now: unfinished lines and output that waits.
    pub buffered: u64,
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

    /// For a figure that goes up and down.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
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
    pub(crate) refused_at_source_limit: Counter,
    pub(crate) passed_for_memory: Counter,
    pub(crate) passed_as_long: Counter,
    pub(crate) held_up: Counter,
    pub(crate) buffered: Counter,
    pub(crate) accept_shortages: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) lines: Counter,
    pub(crate) ended: [Counter; Ending::ALL.len()],
}

impl Counters {
    pub(crate) fn add_to(&self, stats: &mut Stats) {
        stats.accepted += self.accepted.get();
        stats.passed_as_long += self.passed_as_long.get();
        stats.held_up += self.held_up.get();
        stats.refused_at_limit += self.refused_at_limit.get();
        stats.refused_at_source_limit += self.refused_at_source_limit.get();
        stats.passed_for_memory += self.passed_for_memory.get();
        stats.buffered += self.buffered.get();
        stats.accept_shortages += self.accept_shortages.get();
        stats.bytes_in += self.bytes_in.get();
        stats.bytes_out += self.bytes_out.get();
        stats.lines += self.lines.get();
        for (sum, counter) in stats.ended.iter_mut().zip(&self.ended) {
            *sum += counter.get();
        }
    }
}
