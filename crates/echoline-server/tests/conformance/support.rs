//! Servers and clients for the bodies, and how a body becomes a test of each engine.

use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use echoline_server::{Config, EngineChoice, Server, ServerError, ServiceKind, Stats};
use echoline_testing::{Random, has_ipv6, may_open, skip};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, SockRef, Socket, Type};

/// Long enough for any machine: a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a test of each engine of every body.
macro_rules! on_each_engine {
    ($($body:ident),* $(,)?) => {
        mod portable {
            $(#[test] fn $body() {
                $crate::support::run(echoline_server::EngineChoice::Portable, concat!(module_path!(), "::", stringify!($body)), super::$body);
            })*
        }
        mod uring {
            $(#[test] fn $body() {
                $crate::support::run(echoline_server::EngineChoice::Uring, concat!(module_path!(), "::", stringify!($body)), super::$body);
            })*
        }
    };
}

/// One body on one engine.
pub(crate) struct Case {
    pub(crate) engine: EngineChoice,
    /// The name of the test, as the test program knows it.
    name: &'static str,
}

pub(crate) fn run(engine: EngineChoice, path: &'static str, body: fn(&Case)) {
    let name = path.split_once("::").expect("a test stands in a module").1;
    if engine == EngineChoice::Uring && !uring_works() {
        return skip(name, "io_uring");
    }
    let (running, ended) = mpsc::channel::<()>();
    let body = thread::spawn(move || {
        let _running = running;
        body(&Case { engine, name });
    });
    // The body drops its end however it ends; a test that hangs says which it is.
    assert_eq!(ended.recv_timeout(3 * PATIENCE), Err(RecvTimeoutError::Disconnected), "{name} hangs");
    if let Err(panic) = body.join() {
        std::panic::resume_unwind(panic);
    }
}

fn uring_works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| {
        let config = Config { engine: EngineChoice::Uring, ..Config::default() };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        match Server::builder(config).listen(ServiceKind::Echo, listener).start() {
            Ok(_) => true,
            Err(ServerError::EngineUnavailable { reason, .. }) => {
                eprintln!("no io_uring here: {reason}");
                false
            }
            Err(other) => panic!("{other}"),
        }
    })
}

impl Case {
    pub(crate) fn config(&self) -> Config {
        Config { engine: self.engine, workers: NonZeroUsize::MIN, ..Config::default() }
    }

    pub(crate) fn server(&self, kind: ServiceKind, change: impl FnOnce(&mut Config)) -> Server {
        let mut config = self.config();
        change(&mut config);
        let server = Server::builder(config).listen(kind, listener()).start().unwrap();
        assert_eq!(server.engine().name, self.engine.to_string());
        server
    }

    /// Runs the body in a process of its own, for what belongs to a process: descriptors, threads, memory.
    pub(crate) fn in_child(&self, body: impl FnOnce()) {
        const MARK: &str = "ECHOLINE_CHILD_OF";
        if std::env::var(MARK).as_deref() == Ok(self.name) {
            return body();
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args([self.name, "--exact", "--nocapture", "--test-threads=1"])
            .env(MARK, self.name)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        text.lines().filter(|line| line.starts_with("measured")).for_each(|line| eprintln!("{line}"));
    }

    /// The same, for what has so many files open: skipped where this machine's hard limit is lower.
    pub(crate) fn in_child_with_files(&self, files: u64, body: impl FnOnce()) {
        if !may_open(self.name, files) {
            return;
        }
        self.in_child(|| {
            let maximum = getrlimit(Resource::Nofile).maximum;
            setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
            body();
        });
    }

    /// Whether there is IPv6 on loopback; says so where what follows is skipped for want of it.
    pub(crate) fn has_ipv6(&self) -> bool {
        has_ipv6(self.name)
    }
}

pub(crate) fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A listener whose connections have little room in the kernel, so that a client that does not read is soon felt.
pub(crate) fn narrow_listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_send_buffer_size(4 * 1024).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(128).unwrap();
    socket.into()
}

pub(crate) fn address(server: &Server) -> SocketAddr {
    server.endpoints()[0].address
}

pub(crate) fn connect(server: &Server) -> TcpStream {
    connect_to(address(server))
}

pub(crate) fn connect_to(address: SocketAddr) -> TcpStream {
    client(TcpStream::connect(address).unwrap())
}

/// A client that takes little before it reads, and has little room for what the server does not read, whatever the sizes
/// that this machine is set to.
pub(crate) fn narrow_client(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.connect(&address(server).into()).unwrap();
    client(socket.into())
}

fn client(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a line and reads it back.
pub(crate) fn exchange(stream: &mut TcpStream, line: &[u8]) {
    stream.write_all(line).unwrap();
    let mut copy = vec![0; line.len()];
    stream.read_exact(&mut copy).unwrap();
    assert_eq!(copy, line);
}

/// Everything up to the server's FIN. A reset is an error.
pub(crate) fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

pub(crate) fn one_read(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    let read = stream.read(&mut buffer).unwrap();
    buffer.truncate(read);
    buffer
}

/// Sends all on a thread of its own, then finishes.
pub(crate) fn send_behind(stream: &TcpStream, pieces: Vec<Vec<u8>>) -> thread::JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    thread::spawn(move || {
        for piece in pieces {
            stream.write_all(&piece).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
    })
}

/// Closes with RST.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

pub(crate) fn is_reset(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Waits until the counters say so.
pub(crate) fn until(server: &Server, holds: impl Fn(&Stats) -> bool) -> Stats {
    until_some(|| Some(server.stats()).filter(|stats| holds(stats)).ok_or_else(|| Box::new(server.stats())))
}

/// Waits until `look` finds something; its error says what there was instead.
pub(crate) fn until_some<T, E: Debug>(look: impl Fn() -> Result<T, E>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) => assert!(start.elapsed() < PATIENCE, "waited in vain; last seen: {instead:?}"),
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Bytes that look random, with a line feed every `line` bytes or so; the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize, line: u64) -> Vec<u8> {
    let numbers = Random::new(seed).take(len);
    numbers.map(|n| if (n >> 16) % line == 0 { b'\n' } else { (n >> 40) as u8 }).collect()
}
