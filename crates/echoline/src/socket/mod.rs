//! Sockets before they are connected or listen: options, then `connect` or `listen`.

mod connect;
mod event;
mod listen;
mod race;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, TcpKeepalive, Type};

use crate::resolve::Family;

pub use event::ConnectEvent;
pub use listen::Listener;

/// Options of a TCP socket, then [`connect`](Socket::connect) or [`listen`](Socket::listen).
///
/// ```
/// use std::time::Duration;
/// use echoline::{Family, Socket};
///
/// let socket = Socket::new().connect_timeout(Duration::from_millis(200)).family(Family::V4);
/// # let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
/// # bound.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
/// # let endpoint = echoline::Endpoint::from(bound.local_addr()?.as_socket().unwrap());
/// let error = socket.connect(&endpoint).unwrap_err(); // nobody listens there
/// assert_eq!(error.to_string(), format!("{endpoint} refused the connection"));
/// assert_eq!(error.attempts().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Socket {
    connect_timeout: Duration,
    source: Option<IpAddr>,
    family: Family,
    no_delay: bool,
    keepalive: Option<Keepalive>,
    recv_buffer: Option<usize>,
    send_buffer: Option<usize>,
    backlog: u16,
}

/// When the kernel asks a silent peer whether it is still there (RFC 9293 section 3.8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// How long the connection is silent before the first question. Whole seconds, at least one.
    pub idle: Duration,
    /// The time between questions. Whole seconds, at least one.
    pub interval: Duration,
    /// How many questions stay without an answer before the connection is given up.
    pub probes: u32,
}

impl Default for Keepalive {
    /// A peer that is gone is noticed after two minutes: 60 s, then 4 questions, 15 s apart.
    fn default() -> Self {
        Self { idle: Duration::from_secs(60), interval: Duration::from_secs(15), probes: 4 }
    }
}

impl Socket {
    /// Options with their defaults: 5 s to connect, any source, both families, no delay, no keepalive, the system's
    /// buffer sizes, a backlog of 1,024.
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            source: None,
            family: Family::Any,
            no_delay: true,
            keepalive: None,
            recv_buffer: None,
            send_buffer: None,
            backlog: 1024,
        }
    }

    /// How long looking up the name and trying its addresses may take together.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self }
    }

    /// The local address to connect from. Only addresses of its family are tried.
    pub fn source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// The IP versions to use.
    pub fn family(self, family: Family) -> Self {
        Self { family, ..self }
    }

    /// On, each write leaves at once (`TCP_NODELAY`); off, small writes wait for the answer to the one before
    /// (Nagle's algorithm, RFC 9293 section 3.7.4). On by default: a line is one write.
    pub fn no_delay(self, no_delay: bool) -> Self {
        Self { no_delay, ..self }
    }

    /// Notice a peer that is gone without a word.
    pub fn keepalive(self, keepalive: Keepalive) -> Self {
        Self { keepalive: Some(keepalive), ..self }
    }

    /// How many bytes the kernel stores for us to read (`SO_RCVBUF`). Linux doubles the number.
    pub fn recv_buffer(self, bytes: usize) -> Self {
        Self { recv_buffer: Some(bytes), ..self }
    }

    /// How many bytes the kernel stores that are not acknowledged yet (`SO_SNDBUF`). Linux doubles the number.
    pub fn send_buffer(self, bytes: usize) -> Self {
        Self { send_buffer: Some(bytes), ..self }
    }

    /// How many connections wait for `accept`; the system has a limit of its own (`somaxconn` on Linux).
    pub fn backlog(self, connections: u16) -> Self {
        Self { backlog: connections, ..self }
    }

    /// A socket of the address's family with the options that matter before it connects or listens.
    fn open(&self, address: SocketAddr) -> io::Result<socket2::Socket> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // Before the handshake, so that the window scale fits the buffer (tcp(7)).
        if let Some(bytes) = self.recv_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(Keepalive { idle, interval, probes }) = self.keepalive {
            let seconds = |time: Duration| time.max(Duration::from_secs(1));
            let params = TcpKeepalive::new().with_time(seconds(idle)).with_interval(seconds(interval));
            let params = params.with_retries(probes);
            socket.set_tcp_keepalive(&params)?;
        }
        socket.set_tcp_nodelay(self.no_delay)?;
        Ok(socket)
    }
}

impl Default for Socket {
    fn default() -> Self {
        Self::new()
    }
}
