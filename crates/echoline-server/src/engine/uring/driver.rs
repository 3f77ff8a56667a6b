//! The engine's logic, without the kernel: which request follows from which completion.

mod listeners;

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::SockRef;

use self::listeners::Listener;
use crate::accept::AcceptFailure;
use crate::engine::uring::kernel::{Appetite, Completion, Kernel, Patience, Received, Request, Sending};
use crate::service::Batch;
use crate::session::Wants;
use crate::shared::{Accepted, News};
use crate::slots::{Key, Slots};
use crate::stats::Ending;
use crate::worker::{Client, TURN, Worker};

/// Small buffers filled one after the other before a connection gets large ones.
const FULL_BEFORE_BULK: u8 = 4;
/// Buffers from one connection before others have their turn: the kernel fills up to 32 of them at a time.
pub(super) const TURN_BUFFERS: u8 = if cfg!(test) { 2 } else { 8 };
/// So often a turn asks for what else has happened before it sees to a crowd: bytes may stand behind it.
pub(super) const MORE_ENTRIES: usize = 16;

pub(super) struct Driver<K> {
    pub(super) kernel: K,
    connections: Slots<Connection>,
    listeners: Vec<Option<Listener>>,
    /// Their receive ended for want of a buffer.
    starved: Vec<Key>,
    /// Who comes and who leaves, in order. Bytes of those who are there go first.
    crowd: VecDeque<Completion>,
    /// So many in the crowd have come, and hold a descriptor.
    arrivals: usize,
    /// Received from those who have had their turn, in order. Bounded by the buffers.
    more: Vec<Completion>,
    /// Which turn this is.
    round: u32,
}

/// Invariant: the slot, and with it the socket, stays until no request of the connection is under way. So the
/// close sends FIN at once, and no late completion meets another connection.
struct Connection {
    socket: TcpStream,
    client: Client,
    receiving: Receiving,
    /// The send that is under way, and whether it was cancelled.
    sending: Option<(Patience, bool)>,
    appetite: Appetite,
    /// Small buffers that were filled in a row.
    filled: u8,
    /// Of which turn it has had how much.
    turn: (u32, u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Receiving {
    No,
    UnderWay(Appetite),
    Cancelled,
    /// No buffer was free; it begins again when one is.
    Starved,
}

impl<K: Kernel> Driver<K> {
    pub(super) fn new(kernel: K) -> Self {
        Self {
            kernel,
            connections: Slots::new(),
            listeners: Vec::new(),
            starved: Vec::new(),
            crowd: VecDeque::new(),
            arrivals: 0,
            more: Vec::new(),
            round: 0,
        }
    }

    /// One turn: asks for what is wanted, waits, and handles what has happened. False when there is no more to do.
    pub(super) fn turn(&mut self, worker: &mut Worker, now: &mut Instant) -> io::Result<bool> {
        let accept_again = self.accept_all(worker, *now);
        let is_behind = !self.more.is_empty() || !self.crowd.is_empty();
        let again_at = if is_behind { Some(*now) } else { accept_again };
        let mut has_more = self.kernel.enter(worker.sleep(again_at, *now))?;
        *now = self.kernel.now();
        self.round = self.round.wrapping_add(1);
        for completion in std::mem::take(&mut self.more) {
            self.in_turn(worker, completion, *now);
        }
        self.take_completions(worker, *now);
        for _ in 0..MORE_ENTRIES {
            if self.crowd.is_empty() || !has_more {
                break;
            }
            has_more = self.kernel.enter(Some(Duration::ZERO))?;
            self.take_completions(worker, *now);
        }
        for _ in 0..TURN {
            let Some(completion) = self.crowd.pop_front() else { break };
            self.arrivals -= usize::from(completion.is_arrival());
            self.on_completion(worker, completion, *now);
        }
        for key in worker.take_due(*now) {
            if let Some(Connection { socket, client, .. }) = self.connections.get_mut(key) {
                worker.on_due(key, client, &SockRef::from(&*socket), *now);
                self.settle(worker, key, *now);
            }
        }
        self.feed_starved(worker, *now);
        self.follow_orders(worker, *now);
        Ok(!worker.is_over() && !worker.orders().stop)
    }

    fn take_completions(&mut self, worker: &mut Worker, now: Instant) {
        while let Some(completion) = self.kernel.next() {
            self.in_turn(worker, completion, now);
        }
    }

    /// Handles a completion, or puts it off for the sake of others. What is received from one connection stays in order:
    /// once some of it is put off, so is all that follows in this turn, and what was put off comes first in the next.
    fn in_turn(&mut self, worker: &mut Worker, completion: Completion, now: Instant) {
        if let Completion::Received { key, result, .. } = &completion
            && let Some(connection) = self.connections.get_mut(*key)
            && connection.has_had_its_turn(self.round)
        {
            // A send that fails after it, in this turn, would hide an error that is noted only in the next.
            if let Err(error) = result {
                connection.note_failure(error);
            }
            self.more.push(completion);
        } else if completion.can_wait() {
            self.put_off(completion);
        } else {
            self.on_completion(worker, completion, now);
        }
    }

    /// A crowd is seen to over several turns. Those who were accepted and wait here have descriptors, also if they are to
    /// be refused: whether any are short shows once they have been seen to, when the listener asks again.
    fn put_off(&mut self, mut completion: Completion) {
        if let Completion::Accepted { result: result @ Err(_), .. } = &mut completion
            && result.as_ref().is_err_and(|error| AcceptFailure::of(error) == AcceptFailure::Shortage)
            && self.arrivals > 0
        {
            *result = Err(Errno::CANCELED.into());
        }
        self.arrivals += usize::from(completion.is_arrival());
        self.crowd.push_back(completion);
    }

    fn on_completion(&mut self, worker: &mut Worker, completion: Completion, now: Instant) {
        self.handle(worker, completion, now);
        self.relieve(worker, now);
    }

    fn handle(&mut self, worker: &mut Worker, completion: Completion, now: Instant) {
        match completion {
            Completion::Received { key, result, more } => self.on_received(worker, key, result, more, now),
            Completion::Sent { key, sending, result } => self.on_sent(worker, key, sending, result, now),
            Completion::Accepted { listener, result, more } => {
                self.on_accepted(worker, listener, result, more, now);
            }
            Completion::Woken => {
                for news in worker.take_inbox() {
                    match news {
                        News::Accepted(accepted) => self.adopt(worker, accepted, now),
                        News::Computed(key, result) => self.on_computed(worker, key, result, now),
                    }
                }
            }
        }
    }

    fn on_received(
        &mut self,
        worker: &mut Worker,
        key: Key,
        result: io::Result<Received>,
        more: bool,
        now: Instant,
    ) {
        let connection = self.connections.get_mut(key).expect("a slot stays until its requests are over");
        if !more {
            connection.receiving = Receiving::No;
        }
        match result {
            Ok(received) if received.len == 0 => {
                self.kernel.recycle(received);
                let batch = connection.client.session.on_end_of_input(now);
                self.send(key, batch, None, Patience::Now);
            }
            Ok(received) => {
                connection.note_size(received.len, self.kernel.stream_buffer());
                let batch = worker.on_input(&mut connection.client, self.kernel.bytes(&received), now);
                self.send(key, batch, Some(received), Patience::Now);
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {
                connection.receiving = Receiving::Starved;
                self.starved.push(key);
            }
            Err(error) => connection.note_failure(&error),
        }
        self.settle(worker, key, now);
    }

    fn on_sent(
        &mut self,
        worker: &mut Worker,
        key: Key,
        sending: Sending,
        result: io::Result<usize>,
        now: Instant,
    ) {
        let connection = self.connections.get_mut(key).expect("a slot stays until its requests are over");
        connection.sending = None;
        // An interrupted send has taken nothing, as one that found the socket full.
        let result = match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            result => result,
        };
        let Sending { batch, source } = sending;
        let bytes = source.as_ref().map_or(&[][..], |source| self.kernel.bytes(source));
        let socket = &SockRef::from(&connection.socket);
        let mut next = worker.on_sent(&mut connection.client, socket, batch, bytes, result, now);
        if let Some(source) = source {
            self.kernel.recycle(source);
        }
        let mut patience = Patience::Now;
        if connection.client.session.is_blocked() {
            // What was not taken is the session's own now: it may wait as long as it takes.
            next = connection.client.session.on_writable(now);
            patience = Patience::Wait;
        }
        self.send(key, next, None, patience);
        self.settle(worker, key, now);
    }

    fn on_computed(&mut self, worker: &mut Worker, key: Key, result: Option<Vec<u8>>, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let batch = worker.on_computed(&mut connection.client, result, now);
        self.send(key, batch, None, Patience::Now);
        self.settle(worker, key, now);
    }

    /// Sends a batch, with the buffer that it refers to; a buffer that it does not need is given back.
    fn send(&mut self, key: Key, batch: Option<Batch>, mut source: Option<Received>, patience: Patience) {
        if batch.as_ref().is_none_or(|batch| batch.input.is_empty())
            && let Some(source) = source.take()
        {
            self.kernel.recycle(source);
        }
        if let (Some(batch), Some(connection)) = (batch, self.connections.get_mut(key)) {
            connection.sending = Some((patience, false));
            self.kernel.send(key, connection.socket.as_fd(), Sending { batch, source }, patience);
        }
    }

    /// Asks for what the session wants now; closes once nothing is under way.
    fn settle(&mut self, worker: &mut Worker, key: Key, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.client.session.wants() == Wants::ShutOutput {
            match self.kernel.shut_output(connection.socket.as_fd()) {
                Ok(()) => connection.client.session.on_output_shut(now),
                Err(error) => connection.client.session.on_failed(Ending::by(&error)),
            }
        }
        match connection.client.session.wants() {
            Wants::Close(ending) => self.close(worker, key, ending, now),
            wants => {
                let read = wants == Wants::Events { read: true };
                worker.start_job(key, &mut connection.client);
                connection.receive(&mut self.kernel, key, read);
                worker.watch(key, &mut connection.client, now);
            }
        }
    }

    /// Takes memory from those who hold the most, if all of it is in use.
    fn relieve(&mut self, worker: &mut Worker, now: Instant) {
        for key in worker.must_relieve(self.connections.iter().map(|(key, one)| (key, &one.client))) {
            if let Some(connection) = self.connections.get_mut(key) {
                let batch = worker.relieve(&mut connection.client, now);
                self.send(key, batch, None, Patience::Now);
                self.settle(worker, key, now);
            }
        }
    }

    fn close(&mut self, worker: &mut Worker, key: Key, ending: Ending, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if let Receiving::UnderWay(appetite) = connection.receiving {
            connection.receiving = Receiving::Cancelled;
            self.kernel.cancel(key, Request::Receive(appetite));
        }
        if let Some((Patience::Wait, cancelled @ false)) = &mut connection.sending {
            *cancelled = true;
            self.kernel.cancel(key, Request::Send);
        }
        if connection.receiving == Receiving::Cancelled || connection.sending.is_some() {
            return;
        }
        if let Some(Connection { socket, client, .. }) = self.connections.remove(key) {
            drop(socket);
            worker.on_closed(client, ending, now);
        }
    }

    fn adopt(&mut self, worker: &mut Worker, accepted: Accepted, now: Instant) {
        let (socket, client) = worker.open(accepted, now);
        let key = self.connections.insert(Connection {
            socket,
            client,
            receiving: Receiving::No,
            sending: None,
            appetite: Appetite::Stream,
            filled: 0,
            turn: (0, 0),
        });
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut batch = worker.on_open(&mut connection.client, now);
        if worker.is_finishing() {
            batch = batch.or(connection.client.session.finish(Ending::Drained, now));
        }
        self.send(key, batch, None, Patience::Now);
        self.settle(worker, key, now);
    }

    fn feed_starved(&mut self, worker: &mut Worker, now: Instant) {
        for key in std::mem::take(&mut self.starved) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.receiving != Receiving::Starved {
                continue;
            }
            if self.kernel.has_buffer(connection.appetite) {
                connection.receiving = Receiving::No;
                self.settle(worker, key, now);
            } else {
                self.starved.push(key);
            }
        }
    }

    fn follow_orders(&mut self, worker: &mut Worker, now: Instant) {
        let retire = worker.orders().retire;
        for index in 0..self.listeners.len() {
            self.retire(worker, index, retire, now);
        }
        if worker.must_finish_all(now) {
            for key in self.connections.keys() {
                if let Some(connection) = self.connections.get_mut(key) {
                    let batch = connection.client.session.finish(Ending::Drained, now);
                    self.send(key, batch, None, Patience::Now);
                    self.settle(worker, key, now);
                }
            }
        }
    }
}

impl Connection {
    /// Counts what was received from it in this turn. True if that is more than others should wait for.
    fn has_had_its_turn(&mut self, round: u32) -> bool {
        if self.turn.0 != round {
            self.turn = (round, 0);
        }
        self.turn.1 = self.turn.1.saturating_add(1);
        self.turn.1 > TURN_BUFFERS
    }

    /// Starts or cancels receiving, as the session wants it.
    fn receive(&mut self, kernel: &mut impl Kernel, key: Key, read: bool) {
        match self.receiving {
            // A large buffer is sent from where it is, so the next one comes after the send. A send
            // that waits for a slow reader has its bytes elsewhere: how much such a client may
            // leave unread is for the session to say.
            Receiving::No if read && (self.appetite == Appetite::Stream || !self.sends_at_once()) => {
                self.receiving = Receiving::UnderWay(self.appetite);
                kernel.receive(key, self.socket.as_fd(), self.appetite);
            }
            Receiving::UnderWay(appetite) if !read || appetite != self.appetite => {
                self.receiving = Receiving::Cancelled;
                kernel.cancel(key, Request::Receive(appetite));
            }
            _ => {}
        }
    }

    /// Ends the session for an error of a receive, unless the error ends that request alone.
    fn note_failure(&mut self, error: &io::Error) {
        let of_request = [Errno::NOBUFS, Errno::CANCELED, Errno::INTR, Errno::AGAIN];
        if !Errno::from_io_error(error).is_some_and(|errno| of_request.contains(&errno)) {
            self.client.session.on_failed(Ending::by(error));
        }
    }

    fn sends_at_once(&self) -> bool {
        matches!(self.sending, Some((Patience::Now, _)))
    }

    /// Chooses between many small receives, which cost a silent connection nothing, and few large ones.
    fn note_size(&mut self, len: usize, small_buffer: usize) {
        if len < small_buffer {
            self.filled = 0;
            self.appetite = Appetite::Stream;
        } else if self.filled < FULL_BEFORE_BULK {
            self.filled += 1;
        } else {
            self.appetite = Appetite::Bulk;
        }
    }
}
