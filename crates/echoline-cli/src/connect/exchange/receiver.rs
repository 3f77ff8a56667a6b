//! The receiving side of an exchange: receives, compares, passes on, and judges how it ended.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use echoline_check::recognise;

use super::shared::{Sending, Shared, State};
use crate::connect::conversation::{Ending, Options, Stalled, Tally, is_timeout};
use crate::connect::difference::{CONTEXT, Difference};
use crate::connect::round_trip::RoundTrips;
use crate::connect::trace::Call;
use crate::failure::Stop;

pub(super) struct Receiver<'a> {
    shared: &'a Shared,
    stream: &'a TcpStream,
    options: Options,
    buffer: Vec<u8>,
    /// The first bytes that came.
    head: Vec<u8>,
    pub(super) received: Tally,
    pub(super) round_trips: RoundTrips,
}

impl<'a> Receiver<'a> {
    const RECV_MAX: usize = 256 * 1024;
    /// How long to look for the bytes that follow a difference, to name it better.
    const CONTEXT_WAIT: Duration = Duration::from_millis(200);
    /// So many bytes behind all that was sent, within that time, have no end.
    const ENDLESS: usize = 1 << 20;
    /// How long a sender that has been told why the connection broke may take to note it.
    const NOTE_WAIT: Duration = Duration::from_millis(200);
    /// Enough to know a protocol by.
    const HEAD: usize = 200;

    pub(super) fn new(shared: &'a Shared, stream: &'a TcpStream, options: Options) -> Self {
        let buffer = vec![0; options.trace.recv_max(Self::RECV_MAX)];
        let (received, round_trips) = (Tally::default(), RoundTrips::new());
        Self { shared, stream, options, buffer, head: Vec::new(), received, round_trips }
    }

    /// Returns when the conversation is over, or with what `output` answers.
    pub(super) fn run(&mut self, output: &mut impl FnMut(&[u8]) -> Result<(), Stop>) -> Result<Ending, Stop> {
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
                        let speaks = recognise(&self.head).filter(|_| difference.is_at_the_start());
                        return Ok(Ending::Different(difference, speaks));
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
        self.keep_head(length);
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
            let Some(more) = self.more_until(deadline) else { break };
            received.extend_from_slice(&self.buffer[..more]);
        }
        let mut came = received.len();
        received.truncate(CONTEXT);
        let state = self.shared.lock();
        let mut difference =
            Difference::name(state.window.position(), &state.window.peek(CONTEXT), &received);
        drop(state);
        if let Difference::Surplus { endless, .. } = &mut difference {
            while came < Self::ENDLESS {
                let Some(more) = self.more_until(deadline) else { break };
                came += more;
            }
            *endless = came >= Self::ENDLESS;
        }
        difference
    }

    /// Bytes received into the buffer; none at the end of input, or when nothing came in time.
    fn more_until(&mut self, deadline: Instant) -> Option<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        let more = self.recv(left).ok().filter(|more| *more > 0)?;
        self.keep_head(more);
        Some(more)
    }

    fn keep_head(&mut self, length: usize) {
        let room = Self::HEAD - self.head.len();
        self.head.extend_from_slice(&self.buffer[..length.min(room)]);
    }

    /// The server finished: is that the end?
    fn finished(&self) -> Ending {
        let missing = self.missing();
        let writing = |state: &mut State| matches!(state.sending, Sending::Writing(_));
        let noted = self.shared.room.wait_timeout_while(self.shared.lock(), Self::NOTE_WAIT, writing);
        let (mut state, _) = noted.unwrap_or_else(PoisonError::into_inner);
        match &mut state.sending {
            Sending::Broken(error) => {
                Ending::Broken(error.take().unwrap_or_else(|| ErrorKind::Other.into()), missing)
            }
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
        Self::missing_in(&self.shared.lock())
    }

    fn missing_in(state: &State) -> Option<Difference> {
        let bytes = state.window.len() as u64;
        (bytes > 0).then(|| Difference::Missing { at: state.window.position(), bytes })
    }

    /// Nothing came: how long may that still last?
    fn time_left(&self, began: Instant) -> Result<Duration, Ending> {
        let state = &mut *self.shared.lock();
        let missing = Self::missing_in(state);
        let (since, stalled) = match &mut state.sending {
            Sending::Reading => return Ok(self.wait()),
            Sending::WaitingForRoom(since) => (*since, Stalled::WindowFull),
            Sending::Writing(since) => (*since, Stalled::Writing),
            Sending::Ended(since) => (*since, Stalled::Ended),
            Sending::Broken(error) => {
                let error = error.take().unwrap_or_else(|| ErrorKind::Other.into());
                return Err(Ending::Broken(error, missing));
            }
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
