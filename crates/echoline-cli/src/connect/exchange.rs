//! Everything from an input to the server and everything back, both at once, with many lines in flight.
//!
//! One thread reads the input and sends; the caller's thread receives, compares and passes on. Each blocks only
//! on its own side, so a server that stops reading until its answers are taken cannot lock the two up.

use super::difference::Difference;
use super::interrupt::Interrupt;
use super::receiver::Receiver;
use super::round_trip::RoundTrips;
use super::sender::Sender;
use super::trace::{Call, Trace};
use super::window::{Position, Window};
use crate::failure::Stop;
use crate::shortage::no_thread;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How an exchange runs.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
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
}

/// Sends all of `input`, hands what comes back to `output`, and returns when both ended or something went wrong.
///
/// # Errors
/// What `output` answers.
pub(super) fn exchange(
    input: impl Read + Send + 'static,
    stream: &Arc<TcpStream>,
    mut output: impl FnMut(&[u8]) -> Result<(), Stop>,
    interrupt: &Interrupt,
    options: Options,
) -> Result<Exchanged, Stop> {
    let shared = Arc::new(Shared::new(options.window));
    let sender = Sender { shared: Arc::clone(&shared), stream: Arc::clone(stream), options };
    let spawned = std::thread::Builder::new().spawn(move || sender.run(input));
    spawned.map_err(|error| no_thread("send", &error))?;
    let mut receiver = Receiver::new(&shared, stream, options);
    let ending = receiver.run(&mut output);
    // Frees the sender, unless it waits for input; then it ends with the process.
    let _ = stream.shutdown(Shutdown::Both);
    shared.lock().stopped = true;
    shared.room.notify_all();
    options.trace.call(Call::Close);
    // What broke behind an interrupt broke because of it: Ctrl-C ends the reader of our output too.
    let ending = if interrupt.is_interrupted() { Ending::Interrupted } else { ending? };
    let (received, round_trips) = (receiver.received, receiver.round_trips);
    Ok(Exchanged { sent: shared.lock().sent, received, round_trips, ending })
}

/// What both sides know.
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is more room in the window, or the exchange has stopped.
    pub(super) room: Condvar,
}

pub(super) struct State {
    pub(super) window: Window,
    pub(super) sent: Tally,
    pub(super) sending: Sending,
    pub(super) stopped: bool,
}

/// What the sender does, and since when without progress.
pub(super) enum Sending {
    Reading,
    WaitingForRoom(Instant),
    Writing(Instant),
    Ended(Instant),
    InputFailed(Option<io::Error>),
    /// The connection broke, and the sender is who was told: the system tells it once, and then shows an end of input.
    Broken(Option<io::Error>),
}

impl Shared {
    fn new(window: NonZeroUsize) -> Self {
        let state = State {
            window: Window::new(window),
            sent: Tally::default(),
            sending: Sending::Reading,
            stopped: false,
        };
        Self { state: Mutex::new(state), room: Condvar::new() }
    }

    /// A thread that panicked already said so; its state is still whole enough to report.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read or write timeout of a socket that was set here. Unix says EAGAIN then; ETIMEDOUT is the end of a connection
/// that the system gave up, since nothing was acknowledged. Windows says of both that they timed out.
pub(super) fn is_timeout(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || cfg!(windows) && error.kind() == ErrorKind::TimedOut
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
