//! The portable engine: readiness through mio, one receive buffer for all connections of a worker.

mod calls;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::accept::{AcceptFailure, Permission};
use crate::engine::{Engine, Unavailable};
use crate::service::Batch;
use crate::session::Wants;
use crate::shared::{Accepted, News, Wake};
use crate::slots::{Key, Slots};
use crate::stats::Ending;
use crate::worker::{Client, LAST_TURN, TURN, Worker};

const WAKE: Token = Token(usize::MAX);
/// Listeners have tokens from here on; connections have their slot's index.
const LISTENERS: usize = usize::MAX / 2;

const RECEIVE_BUFFER: usize = 64 * 1024;
const EVENTS: usize = 1024;
/// What one turn receives, of all together, as far as the least share of each allows: a crowd in which everybody says
/// much must not have one who says little wait until it is over.
const TURN_BYTES: usize = 4 * RECEIVE_BUFFER;
const LEAST_SHARE: usize = 4 * 1024;

/// An urgent byte must be heard of: a receive stops before it, however much stands behind it.
#[cfg(target_os = "linux")]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE).add(Interest::PRIORITY);
#[cfg(not(target_os = "linux"))]
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

pub(crate) struct Portable {
    poll: Poll,
    waker: Arc<mio::Waker>,
    connections: Slots<Connection>,
    listeners: Vec<Acceptor>,
    /// There is more to do for them, once others have had their turn.
    unfinished: VecDeque<Key>,
    /// Bytes of one connection before others have their turn.
    share: usize,
    /// Bytes of all connections since the unfinished began to go on.
    received: usize,
    /// The listeners have their last turn.
    retiring: bool,
    buffer: Box<[u8]>,
}

struct Connection {
    stream: TcpStream,
    client: Client,
    /// Events come once (edge-triggered), so this remembers that there may be input.
    readable: bool,
    /// A FIN or an urgent byte was announced: a receive that fills less than the buffer is not the last.
    read_to_end: bool,
    /// It is among the unfinished.
    unfinished: bool,
    /// The last receive brought as much as the least share.
    says_much: bool,
}

struct Acceptor {
    token: Token,
    listener: TcpListener,
    address: SocketAddr,
    service: usize,
    /// There may be connections in the queue.
    ready: bool,
    broken: bool,
}

impl Wake for mio::Waker {
    fn wake(&self) {
        // It fails when descriptors for it are gone, which cannot happen while it exists.
        if let Err(error) = mio::Waker::wake(self) {
            tracing::error!(%error, "a worker could not be woken");
        }
    }
}

impl Engine for Portable {
    const NAME: &'static str = "portable";

    fn new() -> Result<Self, Unavailable> {
        let poll = Poll::new().map_err(|error| Unavailable::new("no poller", error))?;
        let waker =
            mio::Waker::new(poll.registry(), WAKE).map_err(|error| Unavailable::new("no waker", error))?;
        Ok(Self {
            poll,
            waker: Arc::new(waker),
            connections: Slots::new(),
            listeners: Vec::new(),
            unfinished: VecDeque::new(),
            share: RECEIVE_BUFFER,
            received: 0,
            retiring: false,
            buffer: vec![0; RECEIVE_BUFFER].into_boxed_slice(),
        })
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.waker) as Arc<dyn Wake>
    }

    fn run(mut self, mut worker: Worker) -> io::Result<()> {
        self.listen(&mut worker)?;
        let mut events = Events::with_capacity(EVENTS);
        let mut now = Instant::now();
        while !worker.is_over() {
            if !self.follow_orders(&mut worker, now) {
                break;
            }
            let accept_again = self.accept_all(&mut worker, now);
            self.drop_listeners(&worker);
            let again_at = if self.unfinished.is_empty() { accept_again } else { Some(now) };
            match self.poll.poll(&mut events, worker.sleep(again_at, now)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => now = Instant::now(),
            }
            self.on_events(&mut worker, &events, now);
            self.go_on(&mut worker, now);
            for key in worker.take_due(now) {
                if let Some(Connection { stream, client, .. }) = self.connections.get_mut(key) {
                    worker.on_due(key, client, &SockRef::from(&*stream), now);
                    self.advance(&mut worker, key, now);
                }
            }
        }
        Ok(())
    }
}

impl Portable {
    fn listen(&mut self, worker: &mut Worker) -> io::Result<()> {
        for (index, listening) in worker.listeners.drain(..).enumerate() {
            let token = Token(LISTENERS + index);
            let mut listener = TcpListener::from_std(listening.listener);
            self.poll.registry().register(&mut listener, token, Interest::READABLE)?;
            let (address, service) = (listening.address, listening.service);
            self.listeners.push(Acceptor { token, listener, address, service, ready: true, broken: false });
        }
        Ok(())
    }

    fn on_events(&mut self, worker: &mut Worker, events: &Events, now: Instant) {
        self.share = (TURN_BYTES / events.iter().count().max(1)).max(LEAST_SHARE);
        for event in events {
            self.on_event(worker, event, now);
            self.relieve(worker, now);
        }
    }

    fn on_event(&mut self, worker: &mut Worker, event: &Event, now: Instant) {
        let token = event.token();
        if token == WAKE {
            for news in worker.take_inbox() {
                match news {
                    News::Accepted(accepted) => self.adopt(worker, accepted, now),
                    News::Computed(key, result) => self.on_computed(worker, key, result, now),
                }
            }
        } else if token.0 >= LISTENERS {
            let acceptor = self.listeners.iter_mut().find(|acceptor| acceptor.token == token);
            acceptor.into_iter().for_each(|acceptor| acceptor.ready = true);
        } else if let Some((key, connection)) = self.connections.at_mut(token.0) {
            let read_to_end = event.is_read_closed() || event.is_error() || event.is_priority();
            connection.readable |= event.is_readable() || read_to_end;
            connection.read_to_end |= read_to_end;
            if event.is_writable() && connection.client.session.is_blocked() {
                let batch = connection.client.session.on_writable(now);
                connection.send_all(worker, batch, &[], now);
            }
            // Who leaves, waits for a turn already, or says much in a crowd can wait; an error cannot: what follows it
            // would hide it.
            let is_of_many = connection.says_much && self.share < RECEIVE_BUFFER;
            let can_wait = event.is_read_closed() || connection.unfinished || is_of_many;
            if can_wait && !event.is_error() {
                self.put_off(key);
            } else {
                self.advance(worker, key, now);
            }
        }
    }

    /// Sees to some of those whose turn ended before they had said all: few, since new events wait meanwhile.
    fn go_on(&mut self, worker: &mut Worker, now: Instant) {
        self.share = RECEIVE_BUFFER;
        self.received = 0;
        for _ in 0..TURN.min(self.unfinished.len()) {
            if self.received >= RECEIVE_BUFFER {
                break;
            }
            let Some(key) = self.unfinished.pop_front() else { break };
            if let Some(connection) = self.connections.get_mut(key) {
                connection.unfinished = false;
                self.advance(worker, key, now);
                self.relieve(worker, now);
            }
        }
    }

    /// Sees to the connection once others have had their turn.
    fn put_off(&mut self, key: Key) {
        if let Some(connection) = self.connections.get_mut(key)
            && !std::mem::replace(&mut connection.unfinished, true)
        {
            self.unfinished.push_back(key);
        }
    }

    fn on_computed(&mut self, worker: &mut Worker, key: Key, result: Option<Vec<u8>>, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let batch = worker.on_computed(&mut connection.client, result, now);
        connection.send_all(worker, batch, &[], now);
        self.advance(worker, key, now);
    }

    /// Accepts what is queued, as far as permitted. Returns when to try again if nothing else happens.
    fn accept_all(&mut self, worker: &mut Worker, now: Instant) -> Option<Instant> {
        let turn = if self.retiring { LAST_TURN } else { TURN };
        let mut again = None;
        let mut adopted = Vec::new();
        for acceptor in &mut self.listeners {
            let next = acceptor.accept_some(worker, turn, &mut adopted, now);
            again = [again, next].into_iter().flatten().min();
        }
        for accepted in adopted {
            self.adopt(worker, accepted, now);
        }
        again
    }

    /// Drops listeners that are broken, and when retiring those that had their last turn.
    fn drop_listeners(&mut self, worker: &Worker) {
        let retiring = self.retiring;
        self.listeners.retain(|acceptor| {
            // One that is held back keeps its queue as long as there is time.
            let over = acceptor.broken || (retiring && (!acceptor.ready || worker.is_finishing()));
            if over {
                worker.shared.listener_retired();
            }
            !over
        });
    }

    /// False when everything is to be dropped.
    fn follow_orders(&mut self, worker: &mut Worker, now: Instant) -> bool {
        let orders = worker.orders();
        if orders.retire && !std::mem::replace(&mut self.retiring, true) {
            // Connections may have come whose event has not: look into every queue once more.
            self.listeners.iter_mut().for_each(|acceptor| acceptor.ready = true);
        }
        if worker.must_finish_all(now) {
            for key in self.connections.keys() {
                if let Some(connection) = self.connections.get_mut(key) {
                    connection.finish(worker, now);
                    self.advance(worker, key, now);
                }
            }
        }
        !orders.stop
    }

    /// Takes memory from those who hold the most, if all of it is in use.
    fn relieve(&mut self, worker: &mut Worker, now: Instant) {
        for key in worker.must_relieve(self.connections.iter().map(|(key, one)| (key, &one.client))) {
            if let Some(connection) = self.connections.get_mut(key) {
                let batch = worker.relieve(&mut connection.client, now);
                connection.send_all(worker, batch, &[], now);
                self.advance(worker, key, now);
            }
        }
    }

    fn adopt(&mut self, worker: &mut Worker, accepted: Accepted, now: Instant) {
        let (stream, client) = worker.open(accepted, now);
        // Every connection of this engine comes from mio's accept, so it does not block.
        let stream = TcpStream::from_std(stream);
        let connection = Connection {
            stream,
            client,
            readable: false,
            read_to_end: false,
            unfinished: false,
            says_much: false,
        };
        let key = self.connections.insert(connection);
        let Some(connection) = self.connections.get_mut(key) else { return };
        let token = Token(key.index as usize);
        if let Err(error) = self.poll.registry().register(&mut connection.stream, token, INTEREST) {
            if let Some(more) = worker.shared.bursts.unwatched.note(now) {
                tracing::warn!(%error, more, "a connection could not be watched and was closed");
            }
            connection.client.session.on_failed(Ending::Reset);
        } else {
            let batch = worker.on_open(&mut connection.client, now);
            connection.send_all(worker, batch, &[], now);
            if worker.is_finishing() {
                connection.finish(worker, now);
            }
        }
        self.advance(worker, key, now);
    }

    /// Does what the session wants until it waits for an event, or its turn is over.
    fn advance(&mut self, worker: &mut Worker, key: Key, now: Instant) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut left = self.share;
        for _ in 0..TURN {
            match connection.client.session.wants() {
                Wants::Close(ending) => {
                    if let Some(Connection { stream, client, .. }) = self.connections.remove(key) {
                        drop(stream);
                        worker.on_closed(client, ending, now);
                    }
                    return;
                }
                Wants::ShutOutput => connection.shut_output(now),
                Wants::Events { read } if read && connection.readable => {
                    let room = left.min(self.buffer.len());
                    let received = connection.receive(worker, &mut self.buffer[..room], now);
                    self.received += received;
                    left -= received;
                    if left == 0 {
                        break;
                    }
                }
                Wants::Events { .. } => {
                    worker.start_job(key, &mut connection.client);
                    worker.watch(key, &mut connection.client, now);
                    return;
                }
            }
        }
        worker.start_job(key, &mut connection.client);
        worker.watch(key, &mut connection.client, now);
        self.put_off(key);
    }
}

impl Connection {
    /// Returns how many bytes came.
    fn receive(&mut self, worker: &Worker, buffer: &mut [u8], now: Instant) -> usize {
        match calls::receive(&self.stream, buffer) {
            Ok(0) => {
                self.readable = false;
                let batch = self.client.session.on_end_of_input(now);
                self.send_all(worker, batch, &[], now);
            }
            Ok(received) => {
                // A short receive empties a stream's queue (epoll(7)); what was announced is the exception.
                self.readable = received == buffer.len() || self.read_to_end;
                self.says_much = received >= LEAST_SHARE;
                let batch = worker.on_input(&mut self.client, &buffer[..received], now);
                self.send_all(worker, batch, &buffer[..received], now);
                return received;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.client.session.on_failed(Ending::by(&error)),
        }
        0
    }

    fn send_all(&mut self, worker: &Worker, mut next: Option<Batch>, source: &[u8], now: Instant) {
        while let Some(batch) = next {
            let sent = calls::send(&self.stream, &batch.held, &source[batch.input.clone()]);
            let socket = &SockRef::from(&self.stream);
            next = worker.on_sent(&mut self.client, socket, batch, source, sent, now);
        }
    }

    fn shut_output(&mut self, now: Instant) {
        match calls::shut_output(&self.stream) {
            Ok(()) => self.client.session.on_output_shut(now),
            Err(error) => self.client.session.on_failed(Ending::by(&error)),
        }
    }

    fn finish(&mut self, worker: &Worker, now: Instant) {
        let batch = self.client.session.finish(Ending::Drained, now);
        self.send_all(worker, batch, &[], now);
    }
}

impl Acceptor {
    /// Up to `turn` accepts. Returns when to go on, if there may be more.
    fn accept_some(
        &mut self,
        worker: &mut Worker,
        turn: usize,
        adopted: &mut Vec<Accepted>,
        now: Instant,
    ) -> Option<Instant> {
        for _ in 0..turn {
            if !self.ready {
                return None;
            }
            if let Permission::NotBefore(time) = worker.shared.gate.ask(now) {
                return Some(time);
            }
            adopted.extend(self.accept(worker, now));
        }
        self.ready.then_some(now)
    }

    /// One accept. Returns the connection if it is this worker's own.
    fn accept(&mut self, worker: &mut Worker, now: Instant) -> Option<Accepted> {
        match calls::accept(&self.listener) {
            Ok((stream, peer)) => worker.on_accepted(stream.into(), peer, self.service, now),
            Err(error) => {
                match worker.on_accept_failed(&error, self.address, now) {
                    AcceptFailure::Empty => self.ready = false,
                    AcceptFailure::Skip | AcceptFailure::Gone | AcceptFailure::Shortage => {}
                    AcceptFailure::Broken => self.broken = true,
                }
                self.ready &= !self.broken;
                None
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[path = "portable/tests.rs"]
mod tests;
