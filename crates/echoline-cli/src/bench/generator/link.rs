//! One connection of the generator: its socket, what is on its way, and when that left.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};

use mio::net::TcpStream;

use crate::bench::tape::{Cursor, Tape};
use crate::bench::verify::{Faults, Verifier};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No socket: before the start, between two connections of a churn, or after a failure.
    Idle,
    Connecting,
    Open,
    /// Our output is finished; what still comes is surplus.
    Finishing,
}

/// Lines that left together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) intended_ns: u64,
    pub(super) sent_ns: u64,
    pub(super) lines: usize,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) phase: Phase,
    pub(super) stream: Option<TcpStream>,
    verifier: Verifier,
    next: Cursor,
    /// Lines begun and not wholly handed to the kernel.
    unsent: usize,
    /// On their way, oldest first; in step with the verifier.
    sent: VecDeque<Sent>,
    /// Due and not begun.
    pub(super) pending: u64,
    /// Lines begun or dropped since the start: the index of the next one in the schedule.
    pub(super) begun: u64,
    /// When this connection was asked for.
    pub(super) opened_ns: u64,
    /// When its answers last came on; while idle, when it may be opened again.
    pub(super) since_ns: u64,
    /// Measured lines that came back.
    pub(super) answered: u64,
    /// Failed for good: no line is sent here any more.
    pub(super) dead: bool,
}

impl Link {
    pub(super) fn new(start: Cursor) -> Self {
        Self {
            phase: Phase::Idle,
            stream: None,
            verifier: Verifier::new(start),
            next: start,
            unsent: 0,
            sent: VecDeque::new(),
            pending: 0,
            begun: 0,
            opened_ns: 0,
            since_ns: 0,
            answered: 0,
            dead: false,
        }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.verifier.on_their_way()
    }

    pub(super) fn has_unsent(&self) -> bool {
        self.unsent > 0
    }

    pub(super) fn faults(&self) -> Faults {
        self.verifier.faults()
    }

    /// How far the answers have come: it moves with each byte that is the expected one, and with each line.
    pub(super) fn place(&self) -> Cursor {
        self.verifier.expected()
    }

    pub(super) fn is_endless(&self) -> bool {
        self.verifier.is_endless()
    }

    /// Begins `lines` more, timed from `intended_ns`.
    pub(super) fn begin(&mut self, lines: usize, intended_ns: u64, now_ns: u64) {
        if self.verifier.on_their_way() == 0 {
            self.since_ns = now_ns;
        }
        self.verifier.sending(lines);
        self.sent.push_back(Sent { intended_ns, sent_ns: now_ns, lines });
        self.unsent += lines;
        self.pending -= lines as u64;
        self.begun += lines as u64;
    }

    /// Hands what was begun to the kernel, as much as it takes; one call where all lines are one piece of the tape.
    pub(super) fn write(&mut self, tape: &Tape) -> io::Result<()> {
        while self.unsent > 0 {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let [first, second] = tape.ahead(self.next, self.unsent);
            let written = if second.is_empty() {
                stream.write(first)
            } else {
                stream.write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
            };
            match written {
                Ok(bytes) => self.unsent -= tape.advance(&mut self.next, bytes),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One receive. `None`: nothing is there now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        loop {
            match stream.read(buffer) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Compares what was received and says which lines it answers, through `each`. Returns how many.
    pub(super) fn take(&mut self, tape: &Tape, received: &[u8], mut each: impl FnMut(Sent)) -> usize {
        let answered = self.verifier.received(tape, received);
        let mut rest = answered;
        while rest > 0 {
            let oldest = self.sent.front_mut().expect("what is on its way was sent");
            let lines = rest.min(oldest.lines);
            each(Sent { lines, ..*oldest });
            oldest.lines -= lines;
            rest -= lines;
            if oldest.lines == 0 {
                self.sent.pop_front();
            }
        }
        answered
    }

    /// Drops the socket and what was on its way; the next connection starts with the next line. Returns the faults.
    pub(super) fn close(&mut self, tape: &Tape) -> Faults {
        let faults = self.verifier.close(tape);
        self.stream = None;
        self.phase = Phase::Idle;
        if self.unsent > 0 {
            self.next = tape.at(tape.after(self.next.line, self.unsent));
            self.unsent = 0;
        }
        self.verifier = Verifier::new(self.next);
        self.sent.clear();
        faults
    }
}
