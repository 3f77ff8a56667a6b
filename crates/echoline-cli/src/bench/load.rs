//! What the generator's threads are told, and what they tell back.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::samples::Samples;
use super::tape::Tape;
use super::verify::Faults;

/// When lines are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// The next line leaves when an answer has come.
    Closed,
    /// So many lines a second over all connections, whatever the answers do.
    Open { rate_per_s: u64 },
}

/// The load, wherever it goes.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) connections: usize,
    pub(super) threads: usize,
    /// Most lines on their way on a connection.
    pub(super) depth: usize,
    /// Bytes of a line, with its LF.
    pub(super) sizes: RangeInclusive<u32>,
    pub(super) pace: Pace,
    /// A connection for every line.
    pub(super) churn: bool,
    /// Lines in all; `None`: as many as there is time for.
    pub(super) lines: Option<u64>,
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    pub(super) connect_timeout: Duration,
    /// A connection that owes answers and is silent for so long is given up.
    pub(super) wait: Duration,
    /// Of the lines' contents and sizes.
    pub(super) seed: u64,
}

/// The whole load, the same for every thread.
#[derive(Debug, Clone)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    pub(super) shape: Shape,
    pub(super) tape: Arc<Tape>,
}

/// Shared by the threads and their master; times are nanoseconds after `base`.
#[derive(Debug)]
pub(super) struct Control {
    base: Instant,
    /// 0: not yet.
    start_ns: AtomicU64,
    stop: AtomicBool,
}

impl Control {
    pub(super) fn new() -> Self {
        Self { base: Instant::now(), start_ns: AtomicU64::new(0), stop: AtomicBool::new(false) }
    }

    #[expect(clippy::cast_possible_truncation, reason = "64 bits of nanoseconds last 584 years")]
    pub(super) fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    pub(super) fn start(&self, at_ns: u64) {
        self.start_ns.store(at_ns.max(1), Ordering::Release);
    }

    pub(super) fn started_at_ns(&self) -> Option<u64> {
        Some(self.start_ns.load(Ordering::Acquire)).filter(|&at| at > 0)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// From a thread to its master.
#[derive(Debug)]
pub(super) enum Message {
    /// Every connection was opened or has failed.
    Ready {
        opened: usize,
    },
    /// What was measured since the last one; `second` counts from 0 at the end of the warm-up.
    Tick(Box<Tick>),
    Done(Box<Outcome>),
}

#[derive(Debug)]
pub(super) struct Tick {
    pub(super) second: usize,
    /// What is left over at the end of the run; may be nothing.
    pub(super) last: bool,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    /// From the intended moment.
    pub(super) latency: Samples,
    /// From the actual send; `None` in a closed loop, where both are the same.
    pub(super) service: Option<Samples>,
}

/// What a thread knows at its end.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) measured: Totals,
    pub(super) faults: Faults,
    pub(super) failures: Failures,
    /// Lines that were due and never left.
    pub(super) unsent: u64,
    /// Measured lines of each connection.
    pub(super) per_connection: Vec<u64>,
}

/// Over the whole measured time.
#[derive(Debug)]
pub(super) struct Totals {
    /// From the request for a connection until it was open.
    pub(super) connect: Samples,
    /// When the measured time began, and when its last answer came; nanoseconds after the base.
    pub(super) from_ns: u64,
    pub(super) last_answer_ns: u64,
    /// Processor time of this thread, how long it waited for a processor, and the time over which both were taken.
    pub(super) cpu: Duration,
    pub(super) waited: Duration,
    pub(super) wall: Duration,
    /// How long was measured: what came late behind the end of that is no part of it.
    pub(super) measured: Duration,
    /// The open loop: by how much the generator itself came too late, at most.
    pub(super) latest_send_ns: u64,
}

/// Connections that failed, by the code of the failure.
#[derive(Debug, Clone, Default)]
pub(super) struct Failures {
    /// Never opened.
    pub(super) connect: u64,
    /// Opened, and ended before their time.
    pub(super) ended: u64,
    pub(super) by_code: BTreeMap<&'static str, u64>,
}

impl Failures {
    pub(super) fn add(&mut self, other: &Self) {
        self.connect += other.connect;
        self.ended += other.ended;
        for (code, count) in &other.by_code {
            *self.by_code.entry(code).or_default() += count;
        }
    }
}

/// A thread's own part: the load, its number, and (the first thread) a connection that is open already.
pub(super) struct Share {
    pub(super) load: Load,
    pub(super) thread: usize,
    pub(super) first: Option<TcpStream>,
}
