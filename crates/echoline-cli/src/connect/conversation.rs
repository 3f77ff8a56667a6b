//! What a conversation from a pipe and one on a terminal have in common: how it runs, and what comes of it.

use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::time::Duration;

use echoline_diagnosis::units::{count, human_size};
use serde::Serialize;

use super::difference::Difference;
use super::round_trip::RoundTrips;
use super::trace::Trace;
use super::window::Position;

/// How a conversation runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Compare what comes back with what was sent.
    pub(super) verify: bool,
    /// Put a CR before each LF that has none.
    pub(super) crlf: bool,
    /// How long nothing may move, once all is sent or the server stops reading.
    pub(super) wait: Duration,
    /// Bytes that may be sent and not be back.
    pub(super) window: NonZeroUsize,
    pub(super) trace: Trace,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Exchanged {
    pub(super) sent: Tally,
    pub(super) received: Tally,
    pub(super) round_trips: RoundTrips,
    pub(super) ending: Ending,
}

/// How the conversation ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// All was sent, all that was compared came back, and the server finished.
    Complete,
    /// As above, but the server left its side open for the whole wait.
    LeftOpen,
    /// And the protocol that its first bytes give away.
    Different(Difference, Option<&'static str>),
    /// The server finished; `None` if all that was sent came back, but the input had not ended.
    ClosedEarly(Option<Difference>),
    /// The server finished behind the end of our side, before all was back.
    CutOff(Difference),
    Broken(io::Error, Option<Difference>),
    /// Nothing moved for the whole wait.
    NoReply {
        missing: u64,
        from: Position,
        stalled: Stalled,
    },
    Interrupted,
    /// Our own input could not be read.
    InputFailed(io::Error),
}

/// What we waited with when nothing moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stalled {
    /// Everything was sent.
    Ended,
    /// The server takes no more bytes.
    Writing,
    /// The server took the whole window and returned nothing of it.
    WindowFull,
}

/// Lines and bytes. An unfinished last line counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) bytes: u64,
    #[serde(skip)]
    unfinished: bool,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last() else { return };
        self.bytes += bytes.len() as u64;
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        // The open line was counted when it began; its LF counts it again.
        self.lines -= u64::from(self.unfinished);
        self.unfinished = last != b'\n';
        self.lines += u64::from(self.unfinished);
    }

    /// As `2 lines, 8 B`.
    pub(super) fn amount(self) -> String {
        if self.bytes == 0 {
            return "nothing".to_owned();
        }
        format!("{}, {}", count(self.lines, "line"), human_size(self.bytes))
    }
}

/// A read or write timeout of a socket that was set here. Unix says EAGAIN then; ETIMEDOUT is the end of a connection
/// that the system gave up, since nothing was acknowledged. Windows says of both that they timed out.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || cfg!(windows) && error.kind() == ErrorKind::TimedOut
}
