//! A kernel of the test's own: it completes requests in any order that the real one may choose, from a seed, and
//! answers with every error that the real one may answer with.

mod by_hand;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::io::Errno;

use crate::engine::errors::{self, Operation};
use crate::engine::uring::kernel::{Appetite, Completion, Kernel, Patience, Received, Request, Sending};
use crate::engine::uring::ring::is_passing;
use crate::slots::Key;
use crate::stats::Ending;

pub(super) const CONNECTIONS: usize = 4;
/// One answer in so many is an error that the seed did not ask for.
const RARE: u16 = 400;

/// One client: what it sends, what it got, and what of its connection is under way.
#[derive(Default)]
pub(super) struct Client {
    pub(super) says: Vec<u8>,
    pub(super) said: usize,
    pub(super) heard: Vec<u8>,
    /// After so many bytes said, the client resets the connection.
    resets_at: Option<usize>,
    pub(super) receive: Option<(Key, Appetite)>,
    receive_cancelled: bool,
    pub(super) send: Option<(Key, Sending, Patience)>,
    send_cancelled: bool,
    output_shut: bool,
    /// The last send was cut short: trying again at once would spin.
    is_full: bool,
    /// Neither says nor finishes anything any more.
    silent: bool,
    /// The first error that ends the connection, as it is to be counted.
    pub(super) failed: Option<Ending>,
}

/// `None` is the kernel's, `Some` holds the bytes that it handed out.
pub(super) struct Pool {
    lent: Vec<Option<Vec<u8>>>,
    size: usize,
}

pub(super) struct FakeKernel {
    rng: Rng,
    now: Instant,
    /// By the descriptor that stands for the connection.
    pub(super) clients: BTreeMap<RawFd, Client>,
    pub(super) gone: Vec<Client>,
    pub(super) to_accept: Vec<Client>,
    accept: Option<bool>,
    accept_cancelled: bool,
    /// The listener was told that it will never accept again.
    pub(super) broken: bool,
    pub(super) stream: Pool,
    pub(super) bulk: Pool,
    /// The answer that this seed has to give, after so many other answers to such a request.
    wanted: Option<(Operation, Errno)>,
    wanted_after: u8,
    /// Every error that was answered.
    pub(super) answered: BTreeSet<(Operation, i32)>,
    /// Clients may fall silent.
    pub(super) silence: bool,
    /// Nothing happens but what the test itself has happen, and nothing fails.
    pub(super) by_hand: bool,
    /// Once so many turns are over, entering fails with this for ever.
    pub(super) enter_fails: Option<(usize, Errno)>,
    /// There are no descriptors left.
    pub(super) exhausted: bool,
    /// Failed accepts, by the time at which they failed.
    pub(super) failed_accepts: Vec<Instant>,
    ready: VecDeque<Completion>,
    /// It completes so many requests an entry, and has completed so many since the last.
    pub(super) an_entry: usize,
    completed: usize,
    null: Rc<OwnedFd>,
}

impl Pool {
    pub(super) fn new(count: usize, size: usize) -> Self {
        Self { lent: vec![None; count], size }
    }

    fn free(&self) -> Option<usize> {
        self.lent.iter().position(Option::is_none)
    }

    pub(super) fn all_returned(&self) -> bool {
        self.lent.iter().all(Option::is_none)
    }
}

impl Client {
    fn random(rng: &mut Rng) -> Self {
        let len = rng.usize(..400);
        let says = (0..len).map(|_| if rng.u8(..6) == 0 { b'\n' } else { rng.u8(..) }).collect();
        let resets_at = (rng.u8(..5) == 0).then(|| rng.usize(..=len));
        Self { says, resets_at, ..Self::default() }
    }

    fn left(&self) -> usize {
        self.says.len() - self.said
    }
}

impl FakeKernel {
    pub(super) fn new(seed: u64, wanted: Option<(Operation, Errno)>, null: Rc<OwnedFd>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let to_accept = (0..CONNECTIONS).map(|_| Client::random(&mut rng)).collect();
        let stream = Pool::new(rng.usize(1..6), 8);
        let bulk = Pool::new(rng.usize(1..3), 32);
        let (now, an_entry) = (Instant::now(), rng.usize(1..20));
        Self {
            wanted,
            // There may be one look into the queue alone.
            wanted_after: if matches!(wanted, Some((Operation::AcceptQueued, _))) { 0 } else { rng.u8(..3) },
            rng,
            now,
            clients: BTreeMap::new(),
            gone: Vec::new(),
            to_accept,
            accept: None,
            accept_cancelled: false,
            broken: false,
            stream,
            bulk,
            answered: BTreeSet::new(),
            silence: false,
            by_hand: false,
            enter_fails: None,
            exhausted: false,
            failed_accepts: Vec::new(),
            ready: VecDeque::new(),
            an_entry,
            completed: 0,
            null,
        }
    }

    /// Is one accept under way that is not to go on?
    pub(super) fn accepts_once(&self) -> bool {
        self.accept == Some(false)
    }

    /// An error to answer with: the one that the seed wants, or rarely any other. Only a request that was cancelled
    /// says that it was.
    fn error(&mut self, operation: Operation) -> Option<Errno> {
        self.any_error(operation).filter(|errno| *errno != Errno::CANCELED)
    }

    fn any_error(&mut self, operation: Operation) -> Option<Errno> {
        if let Some((_, errno)) =
            self.wanted.filter(|wanted| wanted.0 == operation && wanted.1 != Errno::CANCELED)
        {
            if self.wanted_after == 0 {
                self.wanted = None;
                return Some(errno);
            }
            self.wanted_after -= 1;
        }
        if self.by_hand {
            return None;
        }
        // Only accepting of one at a time follows from a shortage.
        let wants_shortage = matches!(self.wanted, Some((Operation::AcceptOnce, _)));
        if wants_shortage && operation == Operation::AcceptMany {
            return Some(Errno::MFILE);
        }
        if self.rng.u16(..RARE) > 0 {
            return None;
        }
        let all = errors::of(operation);
        Some(all[self.rng.usize(..all.len())])
    }

    /// Notes an answer.
    fn note<T>(&mut self, operation: Operation, result: Result<T, Errno>) -> io::Result<T> {
        if let Err(errno) = &result {
            self.answered.insert((operation, errno.raw_os_error()));
        }
        Ok(result?)
    }

    /// Notes an answer that may end a connection.
    fn note_for<T>(&mut self, fd: RawFd, operation: Operation, result: Result<T, Errno>) -> io::Result<T> {
        let client = self.clients.get_mut(&fd).expect("the socket of a client");
        if let Err(errno) = &result
            && client.failed.is_none()
        {
            client.failed = errors::ending(operation, *errno);
        }
        self.note(operation, result)
    }

    fn pool(&mut self, appetite: Appetite) -> &mut Pool {
        match appetite {
            Appetite::Stream => &mut self.stream,
            Appetite::Bulk => &mut self.bulk,
        }
    }

    fn client(&mut self, socket: BorrowedFd<'_>) -> &mut Client {
        self.clients.get_mut(&socket.as_raw_fd()).expect("the socket of a client")
    }

    fn step(&mut self) {
        let chosen = self.rng.usize(..=self.clients.len());
        match self.clients.keys().nth(chosen).copied() {
            None => self.step_accept(),
            Some(fd) if self.rng.bool() => self.step_receive(fd),
            Some(fd) => self.step_send(fd),
        }
    }

    fn step_accept(&mut self) {
        let Some(many) = self.accept else { return };
        let operation = if many { Operation::AcceptMany } else { Operation::AcceptOnce };
        let (result, more) = if self.accept_cancelled && self.rng.bool() {
            (Err(Errno::CANCELED), false)
        } else if let Some(errno) = self.exhausted.then_some(Errno::MFILE).or_else(|| self.error(operation)) {
            self.note_accept(errno);
            (Err(errno), false)
        } else if let Some(client) = self.to_accept.pop() {
            let more = many && self.rng.u8(..4) > 0;
            (Ok(self.connect(client)), more)
        } else {
            return;
        };
        if !more {
            self.accept = None;
            self.accept_cancelled = false;
        }
        let result = self.note(operation, result);
        self.ready.push_back(Completion::Accepted { listener: 0, result, more });
    }

    fn note_accept(&mut self, errno: Errno) {
        self.broken |= errors::breaks_a_listener(errno);
        self.failed_accepts.push(self.now);
    }

    /// A descriptor of its own stands for the connection; no byte goes through it.
    fn connect(&mut self, client: Client) -> (TcpStream, SocketAddr) {
        let socket = TcpStream::from(self.null.try_clone().expect("a descriptor"));
        // The number of a closed descriptor comes again.
        self.gone.extend(self.clients.insert(socket.as_raw_fd(), client));
        (socket, SocketAddr::from(([192, 0, 2, 1], 1024)))
    }

    fn step_receive(&mut self, fd: RawFd) {
        let client = self.clients.get_mut(&fd).expect("chosen from the keys");
        let Some((key, appetite)) = client.receive else { return };
        if self.silence && client.failed.is_none() && self.rng.u8(..32) == 0 {
            client.silent = true;
            client.failed = Some(Ending::Idle);
        }
        let (cancelled, silent) = (client.receive_cancelled, client.silent);
        if silent && !cancelled {
            return;
        }
        let left = client.left();
        let reset_now = client.resets_at.is_some_and(|at| client.said >= at);
        let size = self.pool(appetite).size;
        let operation = match appetite {
            Appetite::Stream => Operation::ReceiveStream,
            Appetite::Bulk => Operation::ReceiveBulk,
        };
        let (result, more) = if cancelled && (silent || self.rng.bool()) {
            (Err(Errno::CANCELED), false)
        } else if reset_now {
            (Err(Errno::CONNRESET), false)
        } else if let Some(errno) = self.error(operation) {
            (Err(errno), false)
        } else if left == 0 {
            (Ok(Received { pool: appetite, buffer: u16::MAX, len: 0 }), false)
        } else if self.pool(appetite).free().is_none() {
            (Err(Errno::NOBUFS), false)
        } else {
            // Often a full buffer, so that large ones come into play.
            let len = if self.rng.bool() { size.min(left) } else { self.rng.usize(1..=size.min(left)) };
            let more = appetite == Appetite::Stream && self.rng.u8(..8) > 0;
            (Ok(self.deliver(fd, appetite, len)), more)
        };
        let result = self.note_for(fd, operation, result);
        let client = self.clients.get_mut(&fd).expect("as above");
        if !more {
            client.receive = None;
            client.receive_cancelled = false;
        }
        self.ready.push_back(Completion::Received { key, result, more });
    }

    fn deliver(&mut self, fd: RawFd, appetite: Appetite, len: usize) -> Received {
        let client = self.clients.get_mut(&fd).expect("chosen from the keys");
        let bytes = client.says[client.said..client.said + len].to_vec();
        client.said += len;
        let pool = self.pool(appetite);
        let buffer = pool.free().expect("one is free");
        pool.lent[buffer] = Some(bytes);
        Received { pool: appetite, buffer: u16::try_from(buffer).expect("few buffers"), len }
    }

    fn step_send(&mut self, fd: RawFd) {
        let client = self.clients.get_mut(&fd).expect("chosen from the keys");
        let Some((key, sending, patience)) = client.send.take() else { return };
        let mut bytes = sending.batch.held.clone();
        if let Some(source) = &sending.source {
            bytes.extend_from_slice(&self.bytes(source)[sending.batch.input.clone()]);
        }
        let (cancelled, dice) = (self.clients[&fd].send_cancelled, self.rng.u8(..8));
        let short = self.rng.usize(1..=bytes.len());
        let operation = match patience {
            Patience::Now => Operation::SendNow,
            Patience::Wait => Operation::SendWait,
        };
        let client = &self.clients[&fd];
        let silent = client.silent;
        let broken = (client.failed.is_some() && !silent).then_some(Errno::PIPE);
        let result = match (patience, dice) {
            (Patience::Wait, _) if cancelled => Err(Errno::CANCELED),
            _ => match broken.or_else(|| self.error(operation).filter(|_| !silent)) {
                Some(errno) => Err(errno),
                None if (patience, dice) == (Patience::Now, 0) => Err(Errno::AGAIN),
                None if dice < 4 => Ok(short),
                None => Ok(bytes.len()),
            },
        };
        let result = self.note_for(fd, operation, result);
        let client = self.clients.get_mut(&fd).expect("as above");
        client.is_full = match &result {
            Ok(sent) => *sent < bytes.len(),
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        };
        if let Ok(sent) = result {
            client.heard.extend_from_slice(&bytes[..sent]);
        }
        client.send_cancelled = false;
        self.ready.push_back(Completion::Sent { key, sending, result });
    }
}

impl Kernel for FakeKernel {
    fn now(&self) -> Instant {
        self.now
    }

    fn receive(&mut self, key: Key, socket: BorrowedFd<'_>, appetite: Appetite) {
        let client = self.client(socket);
        assert!(client.receive.is_none(), "one receive at a time");
        client.receive = Some((key, appetite));
    }

    fn send(&mut self, key: Key, socket: BorrowedFd<'_>, sending: Sending, patience: Patience) {
        assert!(sending.batch.len() > 0, "a send has bytes");
        assert!(patience == Patience::Now || sending.source.is_none(), "no buffer waits for a slow reader");
        let client = self.client(socket);
        assert!(client.send.is_none(), "one send in flight");
        assert!(patience == Patience::Wait || !client.is_full, "a full socket is waited for");
        assert!(!client.output_shut, "nothing follows the end of the output");
        client.send = Some((key, sending, patience));
    }

    fn cancel(&mut self, key: Key, what: Request) {
        // The driver is not told what became of it: the request completes by itself, or has already.
        // A receive from a silent client has no other end.
        let failure = self.error(Operation::Cancel).filter(|_| !self.silence);
        let found = self.clients.values_mut().find_map(|client| match what {
            Request::Receive(appetite) if client.receive == Some((key, appetite)) => {
                Some(&mut client.receive_cancelled)
            }
            Request::Send if client.send.as_ref().is_some_and(|(of, ..)| *of == key) => {
                Some(&mut client.send_cancelled)
            }
            _ => None,
        });
        let result = match (found, failure) {
            (None, _) => Err(Errno::NOENT),
            (Some(_), Some(errno)) => Err(errno),
            (Some(cancelled), None) => {
                *cancelled = true;
                Ok(())
            }
        };
        let _ = self.note(Operation::Cancel, result);
    }

    fn accept(&mut self, _listener: usize, _socket: BorrowedFd<'_>, many: bool) {
        assert!(self.accept.replace(many).is_none(), "one accept at a time");
    }

    fn cancel_accept(&mut self, _listener: usize) {
        self.accept_cancelled = self.accept.is_some();
    }

    fn accept_queued(&mut self, _socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let exhausted = self.exhausted.then_some(Errno::MFILE);
        let failure =
            exhausted.or_else(|| self.error(Operation::AcceptQueued)).filter(|errno| *errno != Errno::AGAIN);
        let result = match (failure, self.to_accept.pop()) {
            (Some(errno), client) => {
                self.to_accept.extend(client);
                self.note_accept(errno);
                Err(errno)
            }
            (None, Some(client)) => Ok(self.connect(client)),
            (None, None) => Err(Errno::AGAIN),
        };
        self.note(Operation::AcceptQueued, result)
    }

    fn shut_output(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let client = self.client(socket);
        assert!(client.send.is_none(), "the output ends after the last byte");
        client.output_shut = true;
        let result = self.error(Operation::ShutOutput).map_or(Ok(()), Err);
        self.note_for(socket.as_raw_fd(), Operation::ShutOutput, result)
    }

    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.completed = 0;
        if let Some((turns, errno)) = &mut self.enter_fails {
            match turns.checked_sub(1) {
                Some(left) => *turns = left,
                None => return Err((*errno).into()),
            }
        }
        if self.by_hand {
            return Ok(self.ready.len() >= self.an_entry);
        }
        if let Some(errno) = self.error(Operation::Enter) {
            let told = self.note::<bool>(Operation::Enter, Err(errno));
            return told.or_else(|error| if is_passing(&error) { Ok(false) } else { Err(error) });
        }
        for _ in 0..self.rng.usize(1..12) {
            self.step();
        }
        self.now += Duration::from_millis(self.rng.u64(..3));
        if self.ready.is_empty() {
            // What a sleep would come to: the deadlines here are far, so only a pause of accepting is slept out.
            self.now += timeout.unwrap_or_default().min(Duration::from_millis(200));
        }
        Ok(self.ready.len() >= self.an_entry)
    }

    fn next(&mut self) -> Option<Completion> {
        let next = self.ready.pop_front_if(|_| self.completed < self.an_entry);
        self.completed += usize::from(next.is_some());
        next
    }

    fn bytes(&self, received: &Received) -> &[u8] {
        if received.len == 0 {
            return &[];
        }
        let pool = if received.pool == Appetite::Stream { &self.stream } else { &self.bulk };
        pool.lent[usize::from(received.buffer)].as_deref().expect("the buffer is lent")
    }

    fn recycle(&mut self, received: Received) {
        if received.len > 0 {
            let place = &mut self.pool(received.pool).lent[usize::from(received.buffer)];
            assert!(place.take().is_some(), "recycled once");
        }
    }

    fn stream_buffer(&self) -> usize {
        self.stream.size
    }

    fn has_buffer(&self, appetite: Appetite) -> bool {
        let pool = if appetite == Appetite::Stream { &self.stream } else { &self.bulk };
        pool.free().is_some()
    }
}
