//! Everything from an input to the server and everything back, both at once, with many lines in flight.
//!
//! One thread reads the input and sends; the caller's thread receives, compares and passes on. Each blocks only
//! on its own side, so a server that stops reading until its answers are taken cannot lock the two up.

use super::crlf::Crlf;
use super::difference::{CONTEXT, Difference};
use super::interrupt::Interrupt;
use super::round_trip::RoundTrips;
use super::trace::{Call, Trace};
use super::window::{Position, Window};
use crate::failure::Stop;
use std::io::{self, ErrorKind, Read, Write};
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
    Different(Difference),
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
    std::thread::spawn(move || sender.run(input));
    let mut receiver = Receiver::new(&shared, stream, options);
    let ending = receiver.run(&mut output);
    // Frees the sender, unless it waits for input; then it ends with the process.
    let _ = stream.shutdown(Shutdown::Both);
    shared.lock().stopped = true;
    shared.room.notify_all();
    options.trace.call(Call::Close);
    let ending = ending?;
    let ending = if interrupt.is_interrupted() { Ending::Interrupted } else { ending };
    let (received, round_trips) = (receiver.received, receiver.round_trips);
    Ok(Exchanged { sent: shared.lock().sent, received, round_trips, ending })
}

struct Shared {
    state: Mutex<State>,
    room: Condvar,
}

struct State {
    window: Window,
    sent: Tally,
    sending: Sending,
    stopped: bool,
}

/// What the sender does, and since when without progress.
enum Sending {
    Reading,
    WaitingForRoom(Instant),
    Writing(Instant),
    Ended(Instant),
    InputFailed(Option<io::Error>),
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sender {
    shared: Arc<Shared>,
    stream: Arc<TcpStream>,
    options: Options,
}

impl Sender {
    const READ_MAX: usize = 128 * 1024;
    /// Waiting for a little more room makes fewer, larger sends.
    const ROOM_WORTH_A_SEND: usize = 16 * 1024;

    fn run(&self, mut input: impl Read) {
        let mut buffer = vec![0; Self::READ_MAX];
        let mut crlf = self.options.crlf.then(Crlf::default);
        loop {
            let read = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.set(Sending::InputFailed(Some(error)));
                    // Makes the server finish, so that the receiver comes to its end.
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return;
                }
            };
            let piece = &buffer[..read];
            let piece = crlf.as_mut().map_or(piece, |crlf| crlf.convert(piece));
            if self.send(piece).is_none() {
                return;
            }
            self.set(Sending::Reading);
        }
        // First the note, then the deed: the answer to our FIN must find the note.
        self.set(Sending::Ended(Instant::now()));
        self.options.trace.call(Call::Finish);
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn set(&self, sending: Sending) {
        self.shared.lock().sending = sending;
    }

    /// `None` when nothing more can or shall be sent.
    fn send(&self, mut piece: &[u8]) -> Option<()> {
        while !piece.is_empty() {
            let (now, later) = piece.split_at(self.reserve(piece)?);
            self.options.trace.call(Call::Send(now.len()));
            self.write(now)?;
            piece = later;
        }
        Some(())
    }

    /// Waits for room and notes the start of `piece` as sent; returns how much of it.
    fn reserve(&self, piece: &[u8]) -> Option<usize> {
        let mut state = self.shared.lock();
        let mut length = piece.len();
        if self.options.verify {
            let worth = length.min(Self::ROOM_WORTH_A_SEND).min(self.options.window.get());
            if state.window.room() < worth {
                state.sending = Sending::WaitingForRoom(Instant::now());
            }
            let full = |state: &mut State| !state.stopped && state.window.room() < worth;
            state = self.shared.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
            length = length.min(state.window.room());
            state.window.push(&piece[..length], Instant::now());
        }
        if state.stopped {
            return None;
        }
        state.sent.add(&piece[..length]);
        state.sending = Sending::Writing(Instant::now());
        Some(length)
    }

    fn write(&self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            match (&*self.stream).write(bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.set(Sending::Writing(Instant::now()));
                }
                // The write timeout: the receiver judges whether that is too long.
                Err(error) if is_timeout(&error) || error.kind() == ErrorKind::Interrupted => {
                    if self.shared.lock().stopped {
                        return None;
                    }
                }
                // The socket takes nothing more; the receiver learns why.
                Err(_) => return None,
            }
        }
        Some(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

struct Receiver<'a> {
    shared: &'a Shared,
    stream: &'a TcpStream,
    options: Options,
    buffer: Vec<u8>,
    received: Tally,
    round_trips: RoundTrips,
}

impl<'a> Receiver<'a> {
    const RECV_MAX: usize = 256 * 1024;
    /// How long to look for the bytes that follow a difference, to name it better.
    const CONTEXT_WAIT: Duration = Duration::from_millis(200);

    fn new(shared: &'a Shared, stream: &'a TcpStream, options: Options) -> Self {
        let buffer = vec![0; options.trace.recv_max(Self::RECV_MAX)];
        let (received, round_trips) = (Tally::default(), RoundTrips::new());
        Self { shared, stream, options, buffer, received, round_trips }
    }

    fn run(&mut self, output: &mut impl FnMut(&[u8]) -> Result<(), Stop>) -> Result<Ending, Stop> {
        // So that a stalled write notices progress well before the wait is over.
        let write_timeout = (self.options.wait / 4).max(Duration::from_millis(1));
        if let Err(error) = self.stream.set_write_timeout(Some(write_timeout)) {
            return Ok(Ending::Broken(error, None));
        }
        let mut began = Instant::now();
        let mut timeout = self.wait();
        loop {
            match self.recv(timeout) {
                Ok(0) => return Ok(self.finished()),
                Ok(length) => {
                    let different = self.take(length, output)?;
                    if let Some(difference) = different {
                        return Ok(Ending::Different(difference));
                    }
                    (began, timeout) = (Instant::now(), self.wait());
                }
                Err(error) if is_timeout(&error) => match self.time_left(began) {
                    Ok(left) => timeout = left,
                    Err(ending) => return Ok(ending),
                },
                Err(error) => return Ok(Ending::Broken(error, self.missing())),
            }
        }
    }

    fn wait(&self) -> Duration {
        self.options.wait.max(Duration::from_millis(1))
    }

    fn recv(&mut self, timeout: Duration) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(timeout))?;
        let max = self.buffer.len();
        let result = loop {
            match (&*self.stream).read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        match &result {
            Ok(bytes) => self.options.trace.call(Call::Received { max, bytes: *bytes }),
            Err(error) if is_timeout(error) => {}
            Err(error) => self.options.trace.call(Call::Broken { max, error }),
        }
        result
    }

    /// Compares and passes on what was received.
    fn take(
        &mut self,
        length: usize,
        output: &mut impl FnMut(&[u8]) -> Result<(), Stop>,
    ) -> Result<Option<Difference>, Stop> {
        let received = &self.buffer[..length];
        let same = if self.options.verify {
            let mut state = self.shared.lock();
            let same = state.window.accept(received, Instant::now(), &mut self.round_trips);
            drop(state);
            self.shared.room.notify_all();
            same
        } else {
            length
        };
        self.received.add(received);
        output(received)?;
        Ok((same < length).then(|| self.name_difference(same, length)))
    }

    /// Looks at a few more bytes on both sides to tell an altered byte from an added or a missing one.
    fn name_difference(&mut self, same: usize, length: usize) -> Difference {
        let mut received = self.buffer[same..length].to_vec();
        let deadline = Instant::now() + Self::CONTEXT_WAIT;
        while received.len() < CONTEXT {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match self.recv(left) {
                Ok(more) if more > 0 => received.extend_from_slice(&self.buffer[..more]),
                _ => break,
            }
        }
        received.truncate(CONTEXT);
        let state = self.shared.lock();
        Difference::name(state.window.position(), &state.window.peek(CONTEXT), &received)
    }

    /// The server finished: is that the end?
    fn finished(&self) -> Ending {
        let missing = self.missing();
        match &mut self.shared.lock().sending {
            Sending::InputFailed(error) => {
                Ending::InputFailed(error.take().unwrap_or_else(|| ErrorKind::Other.into()))
            }
            // A service that is no echo may well finish first.
            _ if !self.options.verify => Ending::Complete,
            Sending::Ended(_) => missing.map_or(Ending::Complete, Ending::CutOff),
            _ => Ending::ClosedEarly(missing),
        }
    }

    fn missing(&self) -> Option<Difference> {
        let state = self.shared.lock();
        let bytes = state.window.len() as u64;
        (bytes > 0).then(|| Difference::Missing { at: state.window.position(), bytes })
    }

    /// Nothing came: how long may that still last?
    fn time_left(&self, began: Instant) -> Result<Duration, Ending> {
        let state = &mut *self.shared.lock();
        let (since, stalled) = match &mut state.sending {
            Sending::Reading => return Ok(self.wait()),
            Sending::WaitingForRoom(since) => (*since, Stalled::WindowFull),
            Sending::Writing(since) => (*since, Stalled::Writing),
            Sending::Ended(since) => (*since, Stalled::Ended),
            Sending::InputFailed(error) => {
                return Err(Ending::InputFailed(error.take().unwrap_or_else(|| ErrorKind::Other.into())));
            }
        };
        let deadline = since.max(began) + self.wait();
        let left = deadline.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Ok(left.max(Duration::from_millis(1)));
        }
        let missing = state.window.len() as u64;
        if stalled == Stalled::Ended && missing == 0 {
            return Err(Ending::LeftOpen);
        }
        self.options.trace.call(Call::TimedOut { max: self.buffer.len() });
        Err(Ending::NoReply { missing, from: state.window.position(), stalled })
    }
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
