//! Listening: opening listeners with typed failures, and accepting.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use echoline_diagnosis::{Diagnosis as Error, Operation, text};
use rustix::io::Errno;

use super::Socket;
use crate::code::{self, is_out_of_files};
use crate::connection::Connection;
use crate::endpoint::{Endpoint, Port};
use crate::error::error;
use crate::resolve::resolve;

/// How often a port that the system picked may turn out to be taken for the other family.
const MAX_PORT_PICKS: usize = 16;

/// A socket that waits for connections. Dropping it closes it, and resets the connections that nobody accepted.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    local: SocketAddr,
    no_delay: bool,
}

impl Socket {
    /// Listens on the endpoint; of a name with several addresses, on the first whose family this machine has. Port 0 lets
    /// the system pick one.
    ///
    /// An IPv6 listener takes IPv6 only (`IPV6_V6ONLY`), so that both families can have one side by side; see
    /// [`listen_all`](Self::listen_all).
    ///
    /// # Errors
    ///
    /// Those of [`resolve`](crate::resolve()); `address-in-use`, `permission-denied` (a reserved port),
    /// `address-not-available` (no address of this machine), `too-many-open-files`, `system`.
    pub fn listen(&self, endpoint: &Endpoint) -> Result<Listener, Error> {
        let mut left_out = None;
        for address in resolve(endpoint, self.family, self.connect_timeout)? {
            match self.bind(address) {
                Err(error) if is_missing_family(&error) => {
                    left_out.get_or_insert_with(|| failed(address, error));
                }
                result => return result.map_err(|error| failed(address, error)),
            }
        }
        Err(left_out.expect("a name that was resolved has an address"))
    }

    /// Listens on every address of the endpoint's host, with one port: `localhost` gives a listener for IPv6 and one
    /// for IPv4. A family that this machine does not have is left out as long as another one is there.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn listen_all(&self, endpoint: &Endpoint) -> Result<Vec<Listener>, Error> {
        self.listen_each(&resolve(endpoint, self.family, self.connect_timeout)?)
    }

    /// Listens on all interfaces, for every family asked for, with one port.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn listen_everywhere(&self, port: impl Into<Port>) -> Result<Vec<Listener>, Error> {
        let port = port.into().get();
        let any: [IpAddr; 2] =
            [std::net::Ipv6Addr::UNSPECIFIED.into(), std::net::Ipv4Addr::UNSPECIFIED.into()];
        let addresses =
            any.into_iter().filter(|ip| self.family.admits(*ip)).map(|ip| SocketAddr::new(ip, port));
        self.listen_each(&addresses.collect::<Vec<_>>())
    }

    /// One listener an address, all on the port of the first, also if the system picked it.
    fn listen_each(&self, addresses: &[SocketAddr]) -> Result<Vec<Listener>, Error> {
        let mut picks = 0;
        loop {
            match self.listen_with_one_port(addresses) {
                Err(error) if error.code() == code::ADDRESS_IN_USE && addresses[0].port() == 0 => {
                    picks += 1;
                    if picks == MAX_PORT_PICKS {
                        return Err(error);
                    }
                }
                result => return result,
            }
        }
    }

    fn listen_with_one_port(&self, addresses: &[SocketAddr]) -> Result<Vec<Listener>, Error> {
        let mut port = addresses.first().map_or(0, SocketAddr::port);
        let mut listeners = Vec::new();
        let mut left_out = None;
        for mut address in addresses.iter().copied() {
            address.set_port(port);
            match self.bind(address) {
                Ok(listener) => {
                    port = listener.local.port();
                    listeners.push(listener);
                }
                Err(error) if is_missing_family(&error) => left_out = Some(failed(address, error)),
                Err(error) => return Err(failed(address, error)),
            }
        }
        match left_out {
            Some(error) if listeners.is_empty() => Err(error),
            _ => Ok(listeners),
        }
    }

    fn bind(&self, address: SocketAddr) -> io::Result<Listener> {
        let socket = self.open(address)?;
        // On Unix this lets a restarted server have its port back while old connections are in TIME_WAIT, and does
        // not let two listeners share it (socket(7)). On Windows it would.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(self.backlog.into())?;
        let inner = TcpListener::from(socket);
        Ok(Listener { local: inner.local_addr()?, inner, no_delay: self.no_delay })
    }
}

impl Listener {
    /// The real address and port.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Waits for the next connection, without a limit. Those that broke off while they waited are skipped.
    ///
    /// # Errors
    ///
    /// `too-many-open-files`, after which the connection still waits; `system`.
    pub fn accept(&self) -> Result<Connection, Error> {
        loop {
            match self.inner.accept() {
                Ok((stream, peer)) => {
                    // A peer that has gone already shows at the first read, not here.
                    let _ = stream.set_nodelay(self.no_delay);
                    return Ok(Connection::accepted(stream, self.local, peer));
                }
                Err(source) if broke_off(&source) => {}
                Err(source) => {
                    return Err(not_accepted(self.local, source));
                }
            }
        }
    }
}

fn not_accepted(local: SocketAddr, source: io::Error) -> Error {
    let sentence = text!("a connection to {} was not accepted", local);
    if is_out_of_files(&source) {
        let sentence = sentence.and(": no file descriptor is left");
        return error(code::TOO_MANY_OPEN_FILES, Operation::Accept, sentence).on(local).with_source(source);
    }
    error(code::SYSTEM, Operation::Accept, sentence).on(local).caused_by(source)
}

/// Errors of the connection, not of the listener: accept(2), "Error handling".
fn broke_off(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
    ) || match Errno::from_io_error(error) {
        Some(Errno::NOPROTOOPT | Errno::HOSTDOWN) => true,
        #[cfg(unix)]
        Some(Errno::PROTO) => true,
        _ => false,
    }
}

/// No IPv6 (or IPv4) in this kernel, or not on any interface.
fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || Errno::from_io_error(error) == Some(Errno::AFNOSUPPORT)
}

fn failed(address: SocketAddr, source: io::Error) -> Error {
    let port = Port::from(address.port());
    let (code, sentence) = match source.kind() {
        io::ErrorKind::AddrInUse => (code::ADDRESS_IN_USE, text!("{} is in use by another program", address)),
        io::ErrorKind::PermissionDenied if port.is_reserved() => (
            code::PERMISSION_DENIED,
            text!("port {} is reserved: this user may not listen on it", port.get()),
        ),
        io::ErrorKind::PermissionDenied => {
            (code::PERMISSION_DENIED, text!("this machine does not allow listening on {}", address))
        }
        io::ErrorKind::AddrNotAvailable => {
            (code::ADDRESS_NOT_AVAILABLE, text!("{} is no address of this machine", address.ip()))
        }
        _ if is_out_of_files(&source) => {
            (code::TOO_MANY_OPEN_FILES, text!("no file descriptor is left to listen on {}", address))
        }
        _ if is_missing_family(&source) => {
            (code::ADDRESS_NOT_AVAILABLE, text!("this machine has no address family for {}", address))
        }
        _ => (code::SYSTEM, text!("listening on {} failed", address)),
    };
    let failed = error(code, Operation::Listen, sentence).on(address);
    if code == code::SYSTEM { failed.caused_by(source) } else { failed.with_source(source) }
}

impl From<Listener> for TcpListener {
    fn from(listener: Listener) -> Self {
        listener.inner
    }
}

impl TryFrom<TcpListener> for Listener {
    type Error = Error;

    /// Takes a listener that somebody else opened.
    fn try_from(inner: TcpListener) -> Result<Self, Error> {
        let local = inner.local_addr().map_err(|source| {
            error(code::SYSTEM, Operation::Configure, "the socket has no local address").caused_by(source)
        })?;
        Ok(Self { inner, local, no_delay: true })
    }
}
