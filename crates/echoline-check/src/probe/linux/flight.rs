//! A connection request on its way, and how it ended.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use echoline::attempt::source_for;
use echoline_diagnosis::code;
use echoline_sys::{IcmpVersion, Outcome, QueuedError, next_error, queue_errors, tcp_info};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

use super::own::is_own;
use crate::cancel::Cancel;
use crate::evidence::{Connect, Ended, Icmp, Requests};
use crate::probe::time::micros;

/// How a request is sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    pub(crate) source: Option<IpAddr>,
    /// How many hops the packets may travel; `None`: as usual.
    pub(crate) hop_limit: Option<u8>,
}

/// A request on its way.
pub(crate) struct Flight {
    socket: Socket,
    source: Option<SocketAddr>,
    started: Instant,
    /// What connect(2) said, if it failed at once.
    failed: Option<io::Error>,
    bound: bool,
}

/// A request that has ended.
pub(crate) struct Landed {
    pub(crate) connect: Connect,
    pub(crate) stream: Option<TcpStream>,
}

impl Flight {
    /// Sends the request. What fails at once is found by [`Flight::land`].
    pub(crate) fn start(address: SocketAddr, manner: Manner) -> io::Result<Self> {
        let started = Instant::now();
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        queue_errors(&socket)?;
        match (manner.hop_limit, address.is_ipv4()) {
            (None, _) => {}
            (Some(hops), true) => socket.set_ttl_v4(hops.into())?,
            (Some(hops), false) => socket.set_unicast_hops_v6(hops.into())?,
        }
        let mut flight = Self { socket, source: None, started, failed: None, bound: true };
        if let Some(source) = manner.source
            && let Err(error) = flight.socket.bind(&source_for(address, source).into())
        {
            (flight.failed, flight.bound) = (Some(error), false);
            return Ok(flight);
        }
        match flight.socket.connect(&address.into()) {
            Ok(()) => {}
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::INPROGRESS | Errno::INTR)) => {}
            Err(error) => flight.failed = Some(error),
        }
        flight.source = flight.socket.local_addr().ok().and_then(|local| local.as_socket());
        Ok(flight)
    }

    /// What it saw, now that it has ended or its time is up.
    pub(crate) fn land(self) -> Landed {
        let took_us = micros(self.started.elapsed());
        let bound = self.bound;
        // Before the error is looked for: a reset in between would look like no answer, and is told when it is sent to.
        let stands = self.socket.peer_addr().is_ok() && !is_self_connected(&self.socket);
        let error = self.failed.or_else(|| self.socket.take_error().ok().flatten());
        let icmp = error_queue(&self.socket);
        let connected = error.is_none() && stands;
        let ended = match &error {
            _ if connected => Ended::Connected,
            None if is_self_connected(&self.socket) => Ended::Refused,
            None => Ended::NoAnswer,
            Some(error) if !bound && error.kind() == ErrorKind::AddrNotAvailable => Ended::NoSuchSource,
            // From connect it is about the route; from bind it is about the source.
            Some(error) if !bound && error.kind() == ErrorKind::InvalidInput => Ended::Other,
            Some(error) => ended_of(error),
        };
        let requests = (ended == Ended::NoAnswer).then(|| requests(&self.socket)).flatten();
        let os_error = error.and_then(|error| error.raw_os_error());
        let connect = Connect { source: self.source, ended, os_error, icmp, requests, took_us };
        let stream = connected.then(|| TcpStream::from(self.socket));
        let stream = stream.filter(|stream| stream.set_nonblocking(false).is_ok());
        Landed { connect, stream }
    }

    /// It was due again, and this machine has not let it out.
    pub(crate) fn is_kept_here(&self) -> bool {
        requests(&self.socket).is_some_and(|requests| requests.left_this_machine == Some(false))
    }

    fn has_failed(&self) -> bool {
        self.failed.is_some()
    }
}

/// Waits until one of them has ended; the positions of those that have, ascending; none if the time is up.
pub(crate) fn wait(flights: &[&Flight], until: Instant, cancel: &Cancel) -> Vec<usize> {
    let at_once: Vec<usize> = (0..flights.len()).filter(|at| flights[*at].has_failed()).collect();
    if !at_once.is_empty() {
        return at_once;
    }
    let mut fds: Vec<_> = flights.iter().map(|flight| PollFd::new(&flight.socket, PollFlags::OUT)).collect();
    loop {
        // Also where no time is left: one may have ended already.
        let step = cancel.step(until);
        let timeout = Timespec::try_from(step.unwrap_or_default()).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Ok(0) if step.is_some() => {}
            _ => break,
        }
    }
    (0..fds.len()).filter(|at| !fds[*at].revents().is_empty()).collect()
}

/// One that could not even be sent, as a finding.
pub(super) fn unsent(error: &io::Error) -> Connect {
    let (ended, os_error) = (ended_of(error), error.raw_os_error());
    Connect { source: None, ended, os_error, icmp: None, requests: None, took_us: 0 }
}

fn ended_of(error: &io::Error) -> Ended {
    match echoline::code::of_connect(error) {
        code::REFUSED => Ended::Refused,
        // The library counts as a reset also what ends a connection that stood.
        code::RESET if error.kind() == ErrorKind::ConnectionReset => Ended::Reset,
        code::NO_ANSWER => Ended::NoAnswer,
        code::NO_ROUTE => Ended::NetUnreachable,
        code::HOST_UNREACHABLE => Ended::HostUnreachable,
        code::PERMISSION_DENIED => Ended::Denied,
        code::NO_LOCAL_PORT => Ended::NoLocalPort,
        _ => Ended::Other,
    }
}

/// A closed port of this machine may be met by its own request (simultaneous open, RFC 9293 section 3.5).
fn is_self_connected(socket: &Socket) -> bool {
    matches!((socket.local_addr(), socket.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

fn requests(socket: &Socket) -> Option<Requests> {
    let info = tcp_info(socket).ok()?;
    let left_this_machine = (info.timeouts > 0).then_some(info.sent_again > 0);
    Some(Requests { repeated: info.timeouts, left_this_machine })
}

/// The first ICMP message about this socket.
fn error_queue(socket: &Socket) -> Option<Icmp> {
    let Outcome::Answer(QueuedError::Icmp(error)) = next_error(socket) else { return None };
    let version = match error.version {
        IcmpVersion::V4 => 4,
        IcmpVersion::V6 => 6,
    };
    let from_this_machine = error.offender.is_some_and(is_own);
    Some(Icmp { version, kind: error.kind, code: error.code, from: error.offender, from_this_machine })
}

/// A whole second: the first repetition of a request (RFC 6298 section 2), and a little.
pub(super) const FIRST_REPETITION: Duration = Duration::from_millis(1_050);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn what_the_system_says_of_a_request_decides_how_it_ended() {
        for (errno, ended) in [
            (Errno::CONNREFUSED, Ended::Refused),
            (Errno::CONNRESET, Ended::Reset),
            (Errno::TIMEDOUT, Ended::NoAnswer),
            (Errno::NETUNREACH, Ended::NetUnreachable),
            (Errno::NETDOWN, Ended::NetUnreachable),
            (Errno::INVAL, Ended::NetUnreachable),
            (Errno::AFNOSUPPORT, Ended::NetUnreachable),
            (Errno::HOSTUNREACH, Ended::HostUnreachable),
            (Errno::ACCESS, Ended::Denied),
            (Errno::PERM, Ended::Denied),
            (Errno::ADDRNOTAVAIL, Ended::NoLocalPort),
            (Errno::ADDRINUSE, Ended::NoLocalPort),
            (Errno::PIPE, Ended::Other),
            (Errno::CONNABORTED, Ended::Other),
            (Errno::MFILE, Ended::Other),
            (Errno::NOBUFS, Ended::Other),
        ] {
            assert_eq!(ended_of(&errno.into()), ended, "{errno:?}");
        }
    }

    #[test]
    fn a_source_that_cannot_be_bound_is_no_missing_route() {
        let manner = Manner { source: Some("fe80::7".parse().unwrap()), hop_limit: None };
        let landed = Flight::start("[2001:db8::9]:80".parse().unwrap(), manner).map(Flight::land);
        // Where there is no IPv6 at all, there is no socket either.
        if let Ok(landed) = landed {
            assert_ne!(landed.connect.ended, Ended::NetUnreachable);
        }
    }

    #[test]
    fn a_connection_that_is_reset_as_soon_as_it_stands_is_never_one_without_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Many, since the reset must come at the moment at which one is landed.
        const MANY: usize = 3_000;
        let resetting = std::thread::spawn(move || {
            for _ in 0..MANY {
                let (accepted, _) = listener.accept().unwrap();
                SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).unwrap();
            }
        });
        for _ in 0..MANY {
            let flight = Flight::start(address, Manner::default()).unwrap();
            wait(&[&flight], Instant::now() + Duration::from_secs(20), &Cancel::new());
            assert_ne!(flight.land().connect.ended, Ended::NoAnswer);
        }
        resetting.join().unwrap();
    }
}
