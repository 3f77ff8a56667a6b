//! The input stream of a connection.

use std::io::{self, BufRead, Read};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use echoline_diagnosis::{Diagnosis as Error, Operation, plain, text};
use memchr::memchr;

use super::{Shared, shortest};
use crate::code;
use crate::error::error;

/// How many bytes a buffered read asks for, and what the buffer shrinks back to.
const CHUNK: usize = 16 * 1024;
/// The most that one `recv` allocates, whatever its `max`.
const MAX_RECV: usize = 256 * 1024;

/// The input stream of a [`Connection`](super::Connection): `Read`, `BufRead`, and lines under a limit. The ways of
/// reading mix; all take from one buffer.
#[derive(Debug)]
pub struct Input {
    shared: Arc<Shared>,
    /// `buffer[start..end]` was received and is not read yet. Empty until the first buffered read.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// How many of the unread bytes are known to have no LF.
    clear: usize,
}

impl Input {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, buffer: Vec::new(), start: 0, end: 0, clear: 0 }
    }

    /// As [`Connection::recv`](super::Connection::recv).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv(&mut self, max: usize) -> Result<Vec<u8>, Error> {
        let available = if self.unread().is_empty() { MAX_RECV } else { self.unread().len() };
        let mut bytes = vec![0; max.max(1).min(available)];
        let read = retry(|| self.read(&mut bytes)).map_err(|error| self.failed(error))?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Receives a line of at most `max_line` bytes, whatever its bytes are, with its LF. The last line has none if
    /// the other side finished inside it. `None` when the other side has finished.
    ///
    /// # Errors
    ///
    /// `line-too-long`, and those of [`recv`](Self::recv). Nothing is lost: what has arrived is read next.
    pub fn recv_line_bytes(&mut self, max_line: NonZeroUsize) -> Result<Option<Vec<u8>>, Error> {
        self.line(max_line, None)
    }

    /// A line with its LF; with a deadline, each receive has what is left until then as its timeout.
    fn line(&mut self, max_line: NonZeroUsize, deadline: Option<Instant>) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let unread = self.unread();
            let window = &unread[..unread.len().min(max_line.get())];
            let clear = self.clear.min(window.len());
            if let Some(at) = memchr(b'\n', &window[clear..]) {
                return Ok(Some(self.take(clear + at + 1)));
            }
            if window.len() == max_line.get() {
                return Err(self.too_long(max_line));
            }
            self.clear = window.len();
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(self.late());
                }
                self.set_timeout(Some(left))?;
            }
            match self.fill() {
                Ok(0) => {
                    let rest = self.unread().len();
                    return Ok((rest > 0).then(|| self.take(rest)));
                }
                Ok(_) => {}
                Err(error) => {
                    let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
                    return Err(if is_late && error.code() == code::TIMED_OUT { self.late() } else { error });
                }
            }
        }
    }

    /// As [`Connection::recv_line_within`](super::Connection::recv_line_within).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_line(&mut self, max_line: NonZeroUsize) -> Result<Option<String>, Error> {
        let line = self.line(max_line, None)?;
        line.map(|line| self.text(line)).transpose()
    }

    /// As [`Connection::recv_line_until`](super::Connection::recv_line_until).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn recv_line_until(
        &mut self,
        max_line: NonZeroUsize,
        deadline: Instant,
    ) -> Result<Option<String>, Error> {
        let before = self.shared.set(self.shared.stream.read_timeout())?;
        let line = self.line(max_line, Some(deadline));
        let restored = self.set_timeout(before);
        let line = line?;
        restored?;
        line.map(|line| self.text(line)).transpose()
    }

    fn text(&self, mut line: Vec<u8>) -> Result<String, Error> {
        line.pop_if(|last| *last == b'\n');
        String::from_utf8(line).map_err(|broken| {
            let at = broken.utf8_error().valid_up_to();
            let byte = plain(format!("0x{:02x}", broken.as_bytes()[at]));
            let sentence =
                text!("{} sent a line that is no UTF-8: byte {} is {}", self.shared.peer, at, byte);
            error(code::NOT_UTF8, Operation::Receive, sentence).on(self.shared.peer)
        })
    }

    /// As [`Connection::set_read_timeout`](super::Connection::set_read_timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.shared.set(self.shared.stream.set_read_timeout(shortest(timeout)))
    }

    pub(super) fn into_unread(self) -> Vec<u8> {
        self.unread().to_vec()
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let bytes = self.unread()[..count].to_vec();
        self.consume(count);
        bytes
    }

    /// Receives more behind the unread bytes; 0 at the end of input.
    fn fill(&mut self) -> Result<usize, Error> {
        self.make_room();
        let stream = &self.shared.stream;
        let room = &mut self.buffer[self.end..];
        let read = retry(|| (&*stream).read(room)).map_err(|error| self.failed(error))?;
        self.end += read;
        Ok(read)
    }

    /// Moves the unread bytes, at most one unfinished line, to the front, and doubles a buffer that is full of them.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() - self.end < CHUNK {
            let roomy = (2 * self.buffer.len()).max(CHUNK);
            self.buffer.resize(roomy, 0);
        }
    }

    fn too_long(&self, max_line: NonZeroUsize) -> Error {
        let peer = self.shared.peer;
        let sentence =
            text!("{} sent {} bytes without an LF: more than one line may have", peer, max_line.get());
        error(code::LINE_TOO_LONG, Operation::Receive, sentence).on(peer)
    }

    fn late(&self) -> Error {
        let sentence = text!("{} sent no whole line in time", self.shared.peer);
        error(code::TIMED_OUT, Operation::Receive, sentence).on(self.shared.peer)
    }

    fn failed(&self, error: io::Error) -> Error {
        self.shared.failed(Operation::Receive, "while waiting for bytes", error)
    }
}

impl Read for Input {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.unread().is_empty() {
            return (&self.shared.stream).read(room);
        }
        let read = self.unread().len().min(room.len());
        room[..read].copy_from_slice(&self.unread()[..read]);
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.unread().is_empty() {
            self.fill()?;
        }
        Ok(self.unread())
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        self.clear = self.clear.saturating_sub(count);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            // An idle connection keeps no more than a chunk.
            self.buffer.truncate(CHUNK);
            self.buffer.shrink_to_fit();
        }
    }
}

/// A signal does not end a read (signal(7), "Interruption of system calls").
fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
