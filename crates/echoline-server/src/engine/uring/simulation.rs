//! A kernel of the test's own: it completes requests in any order that the real one may choose, from a seed.
//!
//! A failing seed is repeated with `ECHOLINE_SEED=n cargo test -p echoline-server simulation`; `ECHOLINE_SEEDS=n`
//! plays fewer than usual, for slow instrumented builds, or more.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::io::Errno;

use crate::config::Config;
use crate::engine::uring::driver::Driver;
use crate::engine::uring::kernel::{Appetite, Completion, Kernel, Patience, Received, Request, Sending};
use crate::service::{Instance, ServiceKind};
use crate::shared::{NamedService, Shared};
use crate::slots::Key;
use crate::stats::Stats;
use crate::worker::{Listening, Worker};

const SEEDS: u64 = 10_000;
const CONNECTIONS: usize = 4;
/// Far more turns than any seed needs: one that gets here is stuck.
const TURNS: usize = 20_000;

/// One client: what it sends, what it got, and what of its connection is under way.
#[derive(Default)]
struct Client {
    says: Vec<u8>,
    said: usize,
    heard: Vec<u8>,
    /// After so many bytes said, the client resets the connection.
    resets_at: Option<usize>,
    receive: Option<(Key, Appetite)>,
    receive_cancelled: bool,
    send: Option<(Key, Sending, Patience)>,
    send_cancelled: bool,
    output_shut: bool,
    /// The last send was cut short: trying again at once would spin.
    is_full: bool,
    was_reset: bool,
}

/// `None` is the kernel's, `Some` holds the bytes that it handed out.
struct Pool {
    lent: Vec<Option<Vec<u8>>>,
    size: usize,
}

struct FakeKernel {
    rng: Rng,
    now: Instant,
    /// By the descriptor that stands for the connection.
    clients: BTreeMap<RawFd, Client>,
    gone: Vec<Client>,
    to_accept: Vec<Client>,
    accept: Option<bool>,
    accept_cancelled: bool,
    stream: Pool,
    bulk: Pool,
    ready: VecDeque<Completion>,
    null: Rc<OwnedFd>,
}

impl Pool {
    fn new(count: usize, size: usize) -> Self {
        Self { lent: vec![None; count], size }
    }

    fn free(&self) -> Option<usize> {
        self.lent.iter().position(Option::is_none)
    }

    fn all_returned(&self) -> bool {
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
}

impl FakeKernel {
    fn new(seed: u64, null: Rc<OwnedFd>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let to_accept = (0..CONNECTIONS).map(|_| Client::random(&mut rng)).collect();
        let stream = Pool::new(rng.usize(1..6), 8);
        let bulk = Pool::new(rng.usize(1..3), 32);
        let now = Instant::now();
        let (clients, ready) = (BTreeMap::new(), VecDeque::new());
        Self {
            rng,
            now,
            clients,
            gone: Vec::new(),
            to_accept,
            accept: None,
            accept_cancelled: false,
            stream,
            bulk,
            ready,
            null,
        }
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
        let failure = match self.rng.u8(..12) {
            0 => Some(Errno::MFILE),
            1 => Some(Errno::CONNABORTED),
            2 => Some(Errno::NOBUFS),
            _ => None,
        };
        let (result, more) = if self.accept_cancelled && self.rng.bool() {
            (Err(Errno::CANCELED.into()), false)
        } else if let Some(errno) = failure {
            (Err(errno.into()), false)
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
        self.ready.push_back(Completion::Accepted { listener: 0, result, more });
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
        let cancelled = client.receive_cancelled;
        let left = client.says.len() - client.said;
        let reset_now = client.resets_at.is_some_and(|at| client.said >= at);
        let size = self.pool(appetite).size;
        let (result, more) = if cancelled && self.rng.bool() {
            (Err(Errno::CANCELED.into()), false)
        } else if reset_now {
            (Err(Errno::CONNRESET.into()), false)
        } else if left == 0 {
            (Ok(Received { pool: appetite, buffer: u16::MAX, len: 0 }), false)
        } else if self.pool(appetite).free().is_none() {
            (Err(Errno::NOBUFS.into()), false)
        } else {
            // Often a full buffer, so that large ones come into play.
            let len = if self.rng.bool() { size.min(left) } else { self.rng.usize(1..=size.min(left)) };
            let more = appetite == Appetite::Stream && self.rng.u8(..8) > 0;
            (Ok(self.deliver(fd, appetite, len)), more)
        };
        let client = self.clients.get_mut(&fd).expect("as above");
        client.was_reset |= reset_now && result.is_err();
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
        let client = self.clients.get_mut(&fd).expect("as above");
        let result = match (patience, dice) {
            _ if client.was_reset => Err(Errno::PIPE.into()),
            (Patience::Wait, _) if cancelled => Err(Errno::CANCELED.into()),
            (Patience::Now, 0) => Err(Errno::AGAIN.into()),
            (_, 1..=3) => Ok(short),
            _ => Ok(bytes.len()),
        };
        client.is_full =
            result.as_ref().is_ok_and(|sent| *sent < bytes.len()) || (patience, dice) == (Patience::Now, 0);
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
        // What has completed already, unknown to the driver, is not found: as with the real kernel.
        for client in self.clients.values_mut() {
            match what {
                Request::Receive(appetite) if client.receive == Some((key, appetite)) => {
                    client.receive_cancelled = true;
                }
                Request::Send if client.send.as_ref().is_some_and(|(of, ..)| *of == key) => {
                    client.send_cancelled = true;
                }
                _ => {}
            }
        }
    }

    fn accept(&mut self, _listener: usize, _socket: BorrowedFd<'_>, many: bool) {
        assert!(self.accept.replace(many).is_none(), "one accept at a time");
    }

    fn cancel_accept(&mut self, _listener: usize) {
        self.accept_cancelled = self.accept.is_some();
    }

    fn accept_queued(&mut self, _socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        match self.to_accept.pop() {
            Some(client) => Ok(self.connect(client)),
            None => Err(Errno::AGAIN.into()),
        }
    }

    fn shut_output(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let client = self.client(socket);
        assert!(client.send.is_none(), "the output ends after the last byte");
        client.output_shut = true;
        Ok(())
    }

    fn enter(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        for _ in 0..self.rng.usize(1..12) {
            self.step();
        }
        self.now += Duration::from_millis(self.rng.u64(..3));
        if self.ready.is_empty() {
            // What a sleep would come to: the deadlines here are far, so only a pause of accepting is slept out.
            self.now += timeout.unwrap_or_default().min(Duration::from_millis(200));
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Completion> {
        self.ready.pop_front()
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

    fn buffer_size(&self, appetite: Appetite) -> usize {
        if appetite == Appetite::Stream { self.stream.size } else { self.bulk.size }
    }

    fn has_buffer(&self, appetite: Appetite) -> bool {
        let pool = if appetite == Appetite::Stream { &self.stream } else { &self.bulk };
        pool.free().is_some()
    }
}

/// Serves all clients of one seed, then drains.
fn play(seed: u64, listener: &TcpListener, null: &Rc<OwnedFd>) -> (Driver<FakeKernel>, Stats) {
    let kernel = FakeKernel::new(seed, Rc::clone(null));
    let mut now = kernel.now();
    let config = Config {
        max_line: NonZeroUsize::new(16).expect("not zero"),
        max_pending_output: NonZeroUsize::new(24).expect("not zero"),
        workers: NonZeroUsize::MIN,
        ..Config::default()
    };
    let kind = if seed.is_multiple_of(2) { ServiceKind::Echo } else { ServiceKind::EchoBytes };
    let service =
        NamedService { name: kind.to_string(), factory: kind.factory(&config, &Arc::new(Instance::new())) };
    let shared = Arc::new(Shared::new(config, vec![service], 1, now));
    let address = listener.local_addr().expect("bound");
    let listening = Listening { listener: listener.try_clone().expect("a descriptor"), address, service: 0 };
    let mut worker = Worker::new(Arc::clone(&shared), 0, vec![listening]);
    let mut driver = Driver::new(kernel);
    driver.listen(&mut worker).expect("a listener");
    for turn in 0.. {
        assert!(turn < TURNS, "seed {seed} is stuck");
        // Retiring with clients still in the queue must lose none of them.
        if driver.kernel.to_accept.len() <= usize::try_from(seed % 3).expect("small") {
            shared.order(|orders| orders.retire = true);
        }
        if !driver.turn(&mut worker, &mut now).expect("the kernel answers") {
            break;
        }
    }
    (driver, shared.stats())
}

#[test]
fn no_order_of_completions_loses_changes_or_reorders_a_byte_or_leaks_a_buffer() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let one = number("ECHOLINE_SEED");
    let all = 0..number("ECHOLINE_SEEDS").unwrap_or(SEEDS);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let null = Rc::new(OwnedFd::from(std::fs::File::open("/dev/null").expect("/dev/null")));
    let mut bytes = 0;
    for seed in one.map_or(all, |seed| seed..seed + 1) {
        let (driver, stats) = play(seed, &listener, &null);
        let kernel = &driver.kernel;
        assert!(kernel.stream.all_returned() && kernel.bulk.all_returned(), "seed {seed} leaked a buffer");
        assert_eq!((stats.accepted, stats.open), (CONNECTIONS as u64, 0), "seed {seed}");
        assert_eq!(stats.ended.iter().sum::<u64>(), stats.accepted, "seed {seed}");
        for client in kernel.clients.values().chain(&kernel.gone) {
            assert!(client.receive.is_none() && client.send.is_none(), "seed {seed}: closed too early");
            assert!(client.says.starts_with(&client.heard), "seed {seed}: changed or reordered");
            if !client.was_reset {
                assert_eq!(client.heard.len(), client.says.len(), "seed {seed}: lost");
            }
            bytes += client.heard.len();
        }
    }
    println!("{bytes} bytes came back");
}
