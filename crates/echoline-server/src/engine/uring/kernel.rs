//! What the driver asks of the kernel and what it is told: the seam where tests put a kernel of their own.
//!
//! Memory that the kernel reads or writes belongs to the implementation until the completion hands it back, so a
//! driver cannot free, change or reuse it too early: it does not have it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use crate::service::Batch;
use crate::slots::Key;

/// Bytes that arrived, in a buffer of the pool. Not `Clone`: who has it has the buffer, until `recycle`.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) pool: Appetite,
    pub(super) buffer: u16,
    pub(super) len: usize,
}

/// A batch on its way, with the buffer that its input range refers to.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) batch: Batch,
    pub(super) source: Option<Received>,
}

/// What a send does when the socket's buffer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It completes at once with what fitted, so that no buffer of the pool waits for a slow reader.
    Now,
    /// It waits until something fits: for bytes in the session's own memory.
    Wait,
}

/// How a receive goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Appetite {
    /// Many receives from one request, into small buffers.
    Stream,
    /// One receive into a large buffer: for a connection that fills the small ones.
    Bulk,
}

#[derive(Debug)]
pub(super) enum Completion {
    /// Bytes, or none at the end of input. Without `more` the request has ended.
    Received { key: Key, result: io::Result<Received>, more: bool },
    /// A send is over, and its memory comes back.
    Sent { key: Key, sending: Sending, result: io::Result<usize> },
    /// A connection was accepted. Without `more` the request has ended.
    Accepted { listener: usize, result: io::Result<(TcpStream, SocketAddr)>, more: bool },
    /// Somebody called the waker.
    Woken,
}

impl Completion {
    /// A client that comes or leaves, and nobody else waits for that. An error does not wait: what follows it would hide it.
    pub(super) fn can_wait(&self) -> bool {
        match self {
            Self::Accepted { .. } => true,
            Self::Received { result, .. } => result.as_ref().is_ok_and(|received| received.len == 0),
            Self::Sent { .. } | Self::Woken => false,
        }
    }

    /// A client that comes.
    pub(super) fn is_arrival(&self) -> bool {
        matches!(self, Self::Accepted { result: Ok(_), .. })
    }
}

pub(super) trait Kernel {
    /// Monotonic time.
    fn now(&self) -> Instant;

    fn receive(&mut self, key: Key, socket: BorrowedFd<'_>, appetite: Appetite);

    fn send(&mut self, key: Key, socket: BorrowedFd<'_>, sending: Sending, patience: Patience);

    /// Cancels what the connection has under way; each request still completes.
    fn cancel(&mut self, key: Key, what: Request);

    /// Accepts one connection after the other, or just the next.
    fn accept(&mut self, listener: usize, socket: BorrowedFd<'_>, many: bool);

    /// Cancels accepting; the request still completes.
    fn cancel_accept(&mut self, listener: usize);

    /// Takes one connection from the queue, without waiting.
    fn accept_queued(&mut self, socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)>;

    fn shut_output(&mut self, socket: BorrowedFd<'_>) -> io::Result<()>;

    /// Submits what was asked and waits for a completion, at most so long. True if there may be more than it took.
    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<bool>;

    /// The next completion, if there is one.
    fn next(&mut self) -> Option<Completion>;

    fn bytes(&self, received: &Received) -> &[u8];

    /// Gives a buffer back to the pool.
    fn recycle(&mut self, received: Received);

    /// How many bytes a buffer of [`Appetite::Stream`] holds.
    fn stream_buffer(&self) -> usize;

    /// Can a receive of this appetite get a buffer?
    fn has_buffer(&self, appetite: Appetite) -> bool;
}

/// What of a connection may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Receive(Appetite),
    Send,
}
