//! The kernel's side of the engine: one `io_uring`, its buffers and the memory of its requests.

use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use io_uring::types::{Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use rustix::event::{EventfdFlags, eventfd};

use crate::engine::Unavailable;
use crate::engine::uring::buffers::Pool;
use crate::engine::uring::kernel::{Appetite, Completion, Kernel, Patience, Received, Request, Sending};
use crate::engine::uring::message::Message;
use crate::engine::uring::tag::{Kind, parse, user_data};
use crate::shared::Wake;
use crate::slots::Key;

/// Requests that one turn makes before it has to submit in between.
const SUBMISSIONS: u32 = 512;
/// Completions that fit before the kernel keeps the rest aside (IORING_FEAT_NODROP: none is lost).
const COMPLETIONS: u32 = 4096;
/// Linux 6.14 and later complete no more than so many requests an entry, or as many as are waited for
/// (`IO_LOCAL_TW_DEFAULT_MAX` in its `io_uring/`), however many are ready: the rest waits for the next entry.
const AN_ENTRY: usize = 20;

/// Small buffers: a first batch of one connection was measured at 33 of them, and all of it may have to be kept.
const STREAM_BUFFERS: u16 = 512;
const STREAM_BUFFER: usize = 4 * 1024;
const BULK_BUFFERS: u16 = 16;
const BULK_BUFFER: usize = 64 * 1024;

/// Runs what completions wait for, also when none is waited for (io_uring_enter(2); with DEFER_TASKRUN nothing else does).
const IORING_ENTER_GETEVENTS: u32 = 1;

/// Dropping waits so long for the next of the cancelled requests, then leaks their memory rather than free it under the
/// kernel.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);

/// A send that the kernel has.
struct InFlight {
    /// Invariant: the kernel reads `sending.batch.held`, and the source buffer, until the send's completion.
    /// They are neither touched nor dropped while this stands in `Ring::sends`.
    sending: Sending,
    /// For a send of two parts. Invariant: as above; it points into itself and into `sending`.
    message: Option<Box<Message>>,
}

/// Invariant: `outstanding` counts the requests, other than cancels, whose last completion has not come. While it
/// is above 0, nothing that a request points to is freed; `drop` brings it to 0 first.
pub(super) struct Ring {
    /// Dropped before the pools, which it points to.
    ring: ManuallyDrop<IoUring>,
    stream: ManuallyDrop<Pool>,
    bulk: ManuallyDrop<Pool>,
    /// One send a connection at most, by the index of its slot.
    sends: ManuallyDrop<Vec<Option<InFlight>>>,
    /// Invariant: the kernel writes to it until the wake request completes.
    wake_count: ManuallyDrop<Box<u64>>,
    wake: Arc<WakeFd>,
    outstanding: usize,
    /// Requests that did not fit into the submission queue.
    waiting: VecDeque<squeue::Entry>,
    completions: VecDeque<cqueue::Entry>,
}

/// Wakes a ring by adding to a counter that the ring reads.
#[derive(Debug)]
pub(super) struct WakeFd(OwnedFd);

impl Wake for WakeFd {
    fn wake(&self) {
        // EAGAIN means that 2^64 - 2 wake-ups wait already: then the ring wakes anyway.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

impl Ring {
    pub(super) fn new() -> Result<Self, Unavailable> {
        let ring: IoUring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_submit_all()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)
            .map_err(|error| {
                Unavailable::new("io_uring_setup with DEFER_TASKRUN (Linux 6.1 and later)", error)
            })?;
        let (stream, bulk) = (Pool::new(STREAM_BUFFERS, STREAM_BUFFER), Pool::new(BULK_BUFFERS, BULK_BUFFER));
        for (pool, appetite) in [(&stream, Appetite::Stream), (&bulk, Appetite::Bulk)] {
            pool.register(&ring.submitter(), appetite as u16)
                .map_err(|error| Unavailable::new("io_uring_register of a buffer ring", error))?;
        }
        let counter =
            eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| Unavailable::new("eventfd", error.into()))?;
        let mut this = Self {
            ring: ManuallyDrop::new(ring),
            stream: ManuallyDrop::new(stream),
            bulk: ManuallyDrop::new(bulk),
            sends: ManuallyDrop::new(Vec::new()),
            wake_count: ManuallyDrop::new(Box::new(0)),
            wake: Arc::new(WakeFd(counter)),
            outstanding: 0,
            waiting: VecDeque::new(),
            completions: VecDeque::new(),
        };
        this.watch_waker();
        Ok(this)
    }

    pub(super) fn waker(&self) -> Arc<WakeFd> {
        Arc::clone(&self.wake)
    }

    fn watch_waker(&mut self) {
        let counter = Fd(self.wake.0.as_raw_fd());
        let target: *mut u64 = &raw mut **self.wake_count;
        self.request(opcode::Read::new(counter, target.cast(), 8).build(), Kind::Wake, 0, 0);
    }

    /// Counts a request and queues it. What it points to is the caller's to keep, until its last completion.
    fn request(&mut self, entry: squeue::Entry, kind: Kind, index: u32, generation: u32) {
        self.outstanding += 1;
        self.queue(entry.user_data(user_data(kind, index, generation)));
    }

    fn queue(&mut self, entry: squeue::Entry) {
        if self.waiting.is_empty() {
            // SAFETY: whatever the entry points to stays valid until its last completion: the field that holds it
            // says how (`sends`, `wake_count`, the pools); descriptors are looked up by the kernel at submission.
            if unsafe { self.ring.submission().push(&entry) }.is_ok() {
                return;
            }
        }
        self.waiting.push_back(entry);
    }

    fn queue_cancel(&mut self, of: u64) {
        // It completes visibly only if it found nothing to cancel.
        let entry = opcode::AsyncCancel::new(of).build().flags(squeue::Flags::SKIP_SUCCESS);
        self.queue(entry.user_data(user_data(Kind::Cancel, 0, 0)));
    }

    /// Moves waiting requests into the submission queue. True if all fitted.
    fn fill(&mut self) -> bool {
        while let Some(entry) = self.waiting.pop_front() {
            // SAFETY: as in `queue`.
            if unsafe { self.ring.submission().push(&entry) }.is_err() {
                self.waiting.push_front(entry);
                return false;
            }
        }
        true
    }

    fn submit(&mut self, wait_for: usize, timeout: Option<Duration>) -> io::Result<()> {
        let submitted = match timeout {
            // A timeout of no time would put the thread to sleep, if only for a moment.
            Some(Duration::ZERO) => {
                let waiting = u32::try_from(self.ring.submission().len()).expect("a small ring");
                let submitter = self.ring.submitter();
                // SAFETY: it has no argument, and what the entries point to is valid, as in `queue`.
                unsafe { submitter.enter::<libc::sigset_t>(waiting, 0, IORING_ENTER_GETEVENTS, None) }
            }
            None => self.ring.submitter().submit_and_wait(wait_for),
            Some(timeout) => {
                let timeout = Timespec::from(timeout);
                let arguments = SubmitArgs::new().timespec(&timeout);
                self.ring.submitter().submit_with_args(wait_for, &arguments)
            }
        };
        match submitted {
            Ok(_) => Ok(()),
            Err(error) if is_passing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Submits all that waits and takes what has completed; waits for so many completions if there are none yet. True if
    /// the kernel may have more.
    fn enter_for(&mut self, many: usize, timeout: Option<Duration>) -> io::Result<bool> {
        let before = self.completions.len();
        while !self.fill() {
            self.submit(0, Some(Duration::ZERO))?;
            self.completions.extend(self.ring.completion());
        }
        let wait_for = if self.completions.is_empty() { many } else { 0 };
        self.submit(wait_for, timeout)?;
        self.completions.extend(self.ring.completion());
        Ok(self.completions.len() - before >= AN_ENTRY)
    }

    fn pool(&mut self, appetite: Appetite) -> &mut Pool {
        match appetite {
            Appetite::Stream => &mut self.stream,
            Appetite::Bulk => &mut self.bulk,
        }
    }

    fn on_received(&mut self, entry: &cqueue::Entry, appetite: Appetite) -> Completion {
        let (_, key) = parse(entry.user_data());
        let more = cqueue::more(entry.flags());
        let buffer = cqueue::buffer_select(entry.flags());
        if let Some(buffer) = buffer {
            self.pool(appetite).lend(buffer);
        }
        let result = outcome(entry).map(|len| match buffer {
            Some(buffer) => Received { pool: appetite, buffer, len },
            // The end of input takes no buffer; `NO_BUFFER` is recycled to nowhere.
            None => Received { pool: appetite, buffer: NO_BUFFER, len: 0 },
        });
        if let (Some(buffer), true) = (buffer, result.is_err()) {
            // Picked for nothing.
            self.pool(appetite).recycle(buffer);
        }
        Completion::Received { key, result, more }
    }
}

/// Stands for "no buffer": the pools are far smaller.
const NO_BUFFER: u16 = u16::MAX;

impl Kernel for Ring {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn receive(&mut self, key: Key, socket: BorrowedFd<'_>, appetite: Appetite) {
        let (socket, group) = (Fd(socket.as_raw_fd()), appetite as u16);
        let (entry, kind) = match appetite {
            Appetite::Stream => (opcode::RecvMulti::new(socket, group).build(), Kind::ReceiveStream),
            Appetite::Bulk => {
                let len = u32::try_from(BULK_BUFFER).expect("a small constant");
                let entry = opcode::Recv::new(socket, std::ptr::null_mut(), len).buf_group(group).build();
                (entry.flags(squeue::Flags::BUFFER_SELECT), Kind::ReceiveBulk)
            }
        };
        self.request(entry, kind, key.index, key.generation);
    }

    fn send(&mut self, key: Key, socket: BorrowedFd<'_>, sending: Sending, patience: Patience) {
        let socket = Fd(socket.as_raw_fd());
        let flags = libc::MSG_NOSIGNAL | if patience == Patience::Now { libc::MSG_DONTWAIT } else { 0 };
        let held: &[u8] = &sending.batch.held;
        let input = match &sending.source {
            Some(source) => &self.bytes(source)[sending.batch.input.clone()],
            None => &[],
        };
        let mut message = None;
        let entry = if held.is_empty() || input.is_empty() {
            let bytes = if held.is_empty() { input } else { held };
            // The limits may be set so high; a send that takes less than all is nothing special.
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            opcode::Send::new(socket, bytes.as_ptr(), len).flags(flags).build()
        } else {
            let message = message.insert(Message::new(held, input));
            opcode::SendMsg::new(socket, &raw const message.header).flags(flags.cast_unsigned()).build()
        };
        let index = key.index as usize;
        if index >= self.sends.len() {
            self.sends.resize_with(index + 1, || None);
        }
        assert!(self.sends[index].is_none(), "a connection has one send in flight");
        self.sends[index] = Some(InFlight { sending, message });
        self.request(entry, Kind::Send, key.index, key.generation);
    }

    fn cancel(&mut self, key: Key, what: Request) {
        let kind = match what {
            Request::Receive(Appetite::Stream) => Kind::ReceiveStream,
            Request::Receive(Appetite::Bulk) => Kind::ReceiveBulk,
            Request::Send => Kind::Send,
        };
        self.queue_cancel(user_data(kind, key.index, key.generation));
    }

    fn accept(&mut self, listener: usize, socket: BorrowedFd<'_>, many: bool) {
        let socket = Fd(socket.as_raw_fd());
        let index = u32::try_from(listener).expect("listeners are few");
        let entry = if many {
            opcode::AcceptMulti::new(socket).flags(libc::SOCK_CLOEXEC).build()
        } else {
            let no_address = std::ptr::null_mut();
            opcode::Accept::new(socket, no_address, std::ptr::null_mut()).flags(libc::SOCK_CLOEXEC).build()
        };
        self.request(entry, Kind::Accept, index, 0);
    }

    fn cancel_accept(&mut self, listener: usize) {
        let index = u32::try_from(listener).expect("listeners are few");
        self.queue_cancel(user_data(Kind::Accept, index, 0));
    }

    fn accept_queued(&mut self, socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        socket.accept()
    }

    fn shut_output(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
    }

    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.enter_for(1, timeout)
    }

    fn next(&mut self) -> Option<Completion> {
        loop {
            let entry = self.completions.pop_front()?;
            let (kind, key) = parse(entry.user_data());
            if kind != Kind::Cancel && !cqueue::more(entry.flags()) {
                self.outstanding -= 1;
            }
            return Some(match kind {
                Kind::ReceiveStream => self.on_received(&entry, Appetite::Stream),
                Kind::ReceiveBulk => self.on_received(&entry, Appetite::Bulk),
                Kind::Send => {
                    let in_flight = self.sends[key.index as usize].take();
                    let InFlight { sending, message } = in_flight.expect("a send completes once");
                    drop(message);
                    Completion::Sent { key, sending, result: outcome(&entry) }
                }
                Kind::Accept => {
                    let stream = outcome(&entry).map(stream_of);
                    let result = stream.and_then(|stream| stream.peer_addr().map(|peer| (stream, peer)));
                    let more = cqueue::more(entry.flags());
                    Completion::Accepted { listener: key.index as usize, result, more }
                }
                Kind::Wake => {
                    self.watch_waker();
                    Completion::Woken
                }
                Kind::Cancel => continue,
            });
        }
    }

    fn bytes(&self, received: &Received) -> &[u8] {
        match (received.buffer, received.pool) {
            (NO_BUFFER, _) => &[],
            (buffer, Appetite::Stream) => self.stream.bytes(buffer, received.len),
            (buffer, Appetite::Bulk) => self.bulk.bytes(buffer, received.len),
        }
    }

    fn recycle(&mut self, received: Received) {
        if received.buffer != NO_BUFFER {
            self.pool(received.pool).recycle(received.buffer);
        }
    }

    fn stream_buffer(&self) -> usize {
        STREAM_BUFFER
    }

    fn has_buffer(&self, appetite: Appetite) -> bool {
        match appetite {
            Appetite::Stream => self.stream.has_free(),
            Appetite::Bulk => self.bulk.has_free(),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let everything = opcode::AsyncCancel2::new(io_uring::types::CancelBuilder::any().all()).build();
        let (mut left, mut give_up) = (usize::MAX, Instant::now() + CANCEL_PATIENCE);
        while self.outstanding > 0 && Instant::now() < give_up {
            if self.outstanding < left {
                (left, give_up) = (self.outstanding, Instant::now() + CANCEL_PATIENCE);
            }
            self.queue(everything.clone().user_data(user_data(Kind::Cancel, 0, 0)));
            // The kernel looks through all requests for each that it cancels: so once for as many as a wait can bring.
            let many = self.outstanding.min(COMPLETIONS as usize);
            if self.enter_for(many, Some(Duration::from_millis(10))).is_err() {
                break;
            }
            while let Some(entry) = self.completions.pop_front() {
                let (kind, _) = parse(entry.user_data());
                if kind != Kind::Cancel && !cqueue::more(entry.flags()) {
                    self.outstanding -= 1;
                }
                if kind == Kind::Accept && entry.result() >= 0 {
                    drop(outcome(&entry).map(stream_of));
                }
            }
        }
        if self.outstanding > 0 {
            tracing::error!(
                requests = self.outstanding,
                "requests could not be cancelled: their memory is leaked"
            );
            return;
        }
        // SAFETY: dropped once, here. The ring goes first, so that it never points to what is gone.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        // SAFETY: dropped once, here; no request is under way, as for all that follow.
        unsafe { ManuallyDrop::drop(&mut self.stream) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.bulk) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.sends) };
        // SAFETY: as above.
        unsafe { ManuallyDrop::drop(&mut self.wake_count) };
    }
}

/// io_uring_enter(2): the time is up, a signal came, completions have to be taken first, or there is no memory for a
/// request now. All of it is over at the next call.
pub(super) fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN))
}

fn outcome(entry: &cqueue::Entry) -> io::Result<usize> {
    usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()))
}

fn stream_of(accepted: usize) -> TcpStream {
    let descriptor = i32::try_from(accepted).expect("the kernel's descriptors are ints");
    // SAFETY: the accept completed with this new descriptor, and nobody else has it.
    unsafe { TcpStream::from_raw_fd(descriptor) }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
