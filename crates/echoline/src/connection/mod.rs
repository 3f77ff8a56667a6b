//! Connections: an input stream and an output stream.

mod input;
mod output;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use echoline_diagnosis::{Diagnosis as Error, Operation, Text, text};

use crate::attempt::Attempt;
use crate::code;
use crate::error::error;

pub use input::Input;
pub use output::Output;

/// One end of a conversation: an [`Input`] and an [`Output`], each ordered, over TCP.
///
/// Calls block until something happens, or until the timeout set for them. An interrupted system call resumes. A
/// write to a connection that is gone is an error, never a SIGPIPE: the standard library sends with `MSG_NOSIGNAL`.
#[derive(Debug)]
pub struct Connection {
    input: Input,
    output: Output,
    attempts: Vec<Attempt>,
}

/// What both halves know.
#[derive(Debug)]
struct Shared {
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Connection {
    pub(crate) fn connected(stream: TcpStream, attempts: Vec<Attempt>) -> Result<Self, Error> {
        let mut connection = Self::try_from(stream)?;
        connection.attempts = attempts;
        Ok(connection)
    }

    pub(crate) fn accepted(stream: TcpStream, listener: SocketAddr, peer: SocketAddr) -> Self {
        // On a listener for every interface, this is where the real local address shows.
        let local = stream.local_addr().unwrap_or(listener);
        Self::new(Shared { stream, local, peer })
    }

    fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let input = Input::new(Arc::clone(&shared));
        Self { input, output: Output::new(shared), attempts: Vec::new() }
    }

    /// Sends all of `bytes`: blocks until the kernel has taken them. That the peer has them is not known yet.
    ///
    /// # Errors
    ///
    /// `reset` when the connection is gone, `timed-out` after the write timeout, `system`. The sentence says how many
    /// bytes were taken before.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output.send(bytes)
    }

    /// Receives the next bytes: blocks until there are some, and returns between 1 and `max` of them (0 counts as
    /// 1), or none when the other side has finished. TCP has no messages: what was sent in one piece may arrive in
    /// several, and the other way round.
    ///
    /// # Errors
    ///
    /// `reset` when the connection broke off, `timed-out` after the read timeout, `system`.
    pub fn recv(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        self.input.recv(max)
    }

    /// Sends `line` as UTF-8 and an LF behind it, in one write. An LF inside makes it several lines to the other side.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn send_line(&mut self, line: &str) -> Result<(), Error> {
        self.output.send_line(line)
    }

    /// Receives a line of at most 64 KiB, LF included, and returns its text without the LF; a CR stays. The last line
    /// needs no LF. `None` when the other side has finished.
    ///
    /// # Errors
    ///
    /// `not-utf8`, where the sentence says at which byte; `line-too-long`; and those of [`recv`](Self::recv). In the
    /// first case the line is taken; in the others nothing is lost: what has arrived of it is read next.
    pub fn recv_line(&mut self) -> Result<Option<String>, Error> {
        self.input.recv_line(crate::line::DEFAULT_MAX_LINE)
    }

    /// As [`recv_line`](Self::recv_line), with a limit of `max_line` bytes, LF included.
    ///
    /// # Errors
    ///
    /// Those of [`recv_line`](Self::recv_line).
    pub fn recv_line_within(&mut self, max_line: NonZeroUsize) -> Result<Option<String>, Error> {
        self.input.recv_line(max_line)
    }

    /// As [`recv_line_within`](Self::recv_line_within), with one deadline for the whole line. A read timeout begins
    /// anew with every receive, so a peer that sends a byte now and then stays below it for as long as it likes. It
    /// does not count here, and stands again afterwards.
    ///
    /// ```
    /// use echoline::{Socket, code};
    /// use std::num::NonZeroUsize;
    /// use std::time::{Duration, Instant};
    ///
    /// # let listener = Socket::new().listen(&"127.0.0.1:0".parse()?)?;
    /// # let mut connection = Socket::new().connect(&listener.local().into())?;
    /// # let mut other = listener.accept()?;
    /// # other.send(b"half a li")?;
    /// let max_line = NonZeroUsize::new(4096).unwrap();
    /// let deadline = Instant::now() + Duration::from_millis(50);
    /// let error = connection.recv_line_until(max_line, deadline).unwrap_err();
    /// assert_eq!(error.code(), code::TIMED_OUT); // and what has come of the line is still there
    /// # Ok::<(), echoline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`recv_line`](Self::recv_line), with `timed-out` when the line is not whole at the deadline.
    pub fn recv_line_until(
        &mut self,
        max_line: NonZeroUsize,
        deadline: Instant,
    ) -> Result<Option<String>, Error> {
        self.input.recv_line_until(max_line, deadline)
    }

    /// Ends the output: the other side receives all that was sent, then the end. The input stays open.
    ///
    /// # Errors
    ///
    /// `reset` when the connection is gone already, `system`.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.output.finish()
    }

    /// Closes both directions, as dropping does.
    ///
    /// To be sure that the other side gets all that was sent, [`finish`](Self::finish) and then read to the end
    /// first: a close while received bytes are unread sends a reset (RFC 1122 section 4.2.2.13), and a reset makes
    /// the other side lose what it has not read yet.
    pub fn close(self) {
        drop(self);
    }

    /// The two halves, for two threads. The connection closes when both are dropped.
    pub fn split(self) -> (Input, Output) {
        (self.input, self.output)
    }

    /// Our address and port.
    pub fn local(&self) -> SocketAddr {
        self.output.shared.local
    }

    /// The other side's address and port.
    pub fn peer(&self) -> SocketAddr {
        self.output.shared.peer
    }

    /// Every try to connect, in the order of their starts; empty for a connection that was accepted.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// How long a receive may wait; `None`, as at the start, for ever. Zero counts as the shortest wait there is.
    ///
    /// # Errors
    ///
    /// `system`.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.input.set_timeout(timeout)
    }

    /// How long a send may wait for room; `None`, as at the start, for ever. Zero counts as the shortest wait there is.
    ///
    /// # Errors
    ///
    /// `system`.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.output.set_timeout(timeout)
    }

    /// The socket of the standard library, and the bytes that were received but not yet read here.
    pub fn into_stream(self) -> (TcpStream, Vec<u8>) {
        let Self { input, output, .. } = self;
        let unread = input.into_unread();
        let shared = Arc::into_inner(output.shared).expect("both halves were here, so nobody else holds it");
        (shared.stream, unread)
    }
}

impl TryFrom<TcpStream> for Connection {
    type Error = Error;

    /// Takes a connection that somebody else opened. It must be blocking.
    fn try_from(stream: TcpStream) -> Result<Self, Error> {
        let addresses = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        match addresses {
            Ok((local, peer)) => Ok(Self::new(Shared { stream, local, peer })),
            // The only reason of getpeername(2) that leaves a socket: the peer was there and is gone.
            Err(source) if source.kind() == io::ErrorKind::NotConnected => {
                let message = "the other side broke the connection off at once";
                Err(error(code::RESET, Operation::Connect, message).with_source(source))
            }
            Err(source) => {
                let message = "the connection does not tell its addresses";
                Err(error(code::SYSTEM, Operation::Configure, message).caused_by(source))
            }
        }
    }
}

impl Shared {
    /// The error for what a call on the established connection returned. `doing` is how the sentence starts.
    fn failed(&self, operation: Operation, doing: impl Into<Text>, source: io::Error) -> Error {
        let peer = self.peer;
        let (code, what) = match source.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected => (code::RESET, text!("{} broke the connection off", peer)),
            // Linux says EAGAIN when a timeout of ours is over, Windows ETIMEDOUT.
            io::ErrorKind::WouldBlock => {
                (code::TIMED_OUT, text!("nothing moved on the connection to {} in time", peer))
            }
            io::ErrorKind::TimedOut => (code::TIMED_OUT, text!("{} no longer answers", peer)),
            _ => (code::SYSTEM, text!("the connection to {} failed", peer)),
        };
        let failed = error(code, operation, text!("{} {}", what, doing.into())).on(peer);
        if code == code::SYSTEM { failed.caused_by(source) } else { failed.with_source(source) }
    }

    fn set<T>(&self, result: io::Result<T>) -> Result<T, Error> {
        result.map_err(|source| {
            let sentence = text!("the connection to {} cannot be set up", self.peer);
            error(code::SYSTEM, Operation::Configure, sentence).on(self.peer).caused_by(source)
        })
    }
}

/// A zero timeout would mean "for ever" to the kernel, and is an error to the standard library.
fn shortest(timeout: Option<Duration>) -> Option<Duration> {
    timeout.map(|timeout| timeout.max(Duration::from_micros(1)))
}
