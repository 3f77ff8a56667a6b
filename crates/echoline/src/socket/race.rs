//! The race of the attempts: Happy Eyeballs over non-blocking sockets.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use echoline_diagnosis::Code;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Socket;
use super::event::ConnectEvent;
use crate::attempt::{Attempt, Outcome, Schedule, Step, source_for};
use crate::code;

/// Where an attempt failed before it was on its way.
enum Refusal {
    Open(io::Error),
    Bind(io::Error),
    Connect(io::Error),
    /// There is no address of this machine to send from.
    NoWay(io::Error),
}

impl Refusal {
    fn outcome(self) -> Outcome {
        match self {
            // Here, EINVAL is about an option or the source; from connect it is about the route.
            Self::Open(error) | Self::Bind(error) if error.kind() == io::ErrorKind::InvalidInput => {
                failed(code::SYSTEM, &error)
            }
            Self::Bind(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                failed(code::ADDRESS_NOT_AVAILABLE, &error)
            }
            Self::NoWay(error) => failed(code::NO_ROUTE, &error),
            Self::Open(error) | Self::Bind(error) | Self::Connect(error) => {
                failed(code::of_connect(&error), &error)
            }
        }
    }
}

/// An attempt under way.
struct Pending {
    index: usize,
    socket: socket2::Socket,
    address: SocketAddr,
    source: Option<SocketAddr>,
    started: Instant,
}

/// All attempts of one connect.
pub(super) struct Race<'a> {
    socket: &'a Socket,
    begin: Instant,
    pending: Vec<Pending>,
    attempts: Vec<Attempt>,
    observe: &'a mut dyn FnMut(ConnectEvent<'_>),
}

impl<'a> Race<'a> {
    /// `begin` is what the attempts count their start from.
    pub(super) fn new(
        socket: &'a Socket,
        begin: Instant,
        observe: &'a mut dyn FnMut(ConnectEvent<'_>),
    ) -> Self {
        Self { socket, begin, pending: Vec::new(), attempts: Vec::new(), observe }
    }

    /// Runs the schedule until one attempt wins or all have failed; returns every attempt in the order of starts.
    pub(super) fn run(mut self, schedule: Schedule) -> (Option<TcpStream>, Vec<Attempt>) {
        let winner = self.until_won(schedule);
        self.end_the_rest(winner.is_some());
        self.attempts.sort_by_key(|attempt| attempt.started_after);
        (winner, self.attempts)
    }

    fn until_won(&mut self, mut schedule: Schedule) -> Option<TcpStream> {
        loop {
            match schedule.next(Instant::now()) {
                Step::Over => return None,
                Step::Start(index) => {
                    let address = schedule.addresses()[index];
                    (self.observe)(ConnectEvent::Started(address));
                    let started = Instant::now();
                    match self.start(address) {
                        Ok(socket) => {
                            let source = socket.local_addr().ok().and_then(|local| local.as_socket());
                            self.pending.push(Pending { index, socket, address, source, started });
                        }
                        Err(refusal) => {
                            self.ended(address, None, started, refusal.outcome());
                            schedule.failed(index);
                        }
                    }
                }
                Step::Wait(until) => {
                    for position in self.ready(until).into_iter().rev() {
                        let pending = self.pending.swap_remove(position);
                        match self.finish(pending) {
                            Ok(stream) => return Some(stream),
                            Err(index) => schedule.failed(index),
                        }
                    }
                }
            }
        }
    }

    /// Sends the connection request to one address.
    fn start(&self, address: SocketAddr) -> Result<socket2::Socket, Refusal> {
        let socket = self.socket.open(address).map_err(Refusal::Open)?;
        socket.set_nonblocking(true).map_err(Refusal::Open)?;
        if let Some(source) = self.socket.source {
            socket.bind(&source_for(address, source).into()).map_err(Refusal::Bind)?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => Ok(socket),
            Err(error) if goes_on(&error) => Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && !has_way(address) => {
                Err(Refusal::NoWay(error))
            }
            Err(error) => Err(Refusal::Connect(error)),
        }
    }

    /// Waits until an attempt has ended. Returns the positions in `pending` of those that have, ascending.
    fn ready(&self, until: Instant) -> Vec<usize> {
        let mut fds: Vec<_> =
            self.pending.iter().map(|pending| PollFd::new(&pending.socket, PollFlags::OUT)).collect();
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        // An error here is EINTR or a lack of memory: the caller asks the schedule again, which has the deadline.
        let _ = poll(&mut fds, timeout.as_ref());
        fds.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| at).collect()
    }

    /// Takes the result of an attempt that has ended; its index if it failed.
    fn finish(&mut self, pending: Pending) -> Result<TcpStream, usize> {
        let Pending { index, socket, address, source, started } = pending;
        let result = socket.take_error().and_then(|error| error.map_or(Ok(()), Err));
        let outcome = match result {
            Err(error) => failed(code::of_connect(&error), &error),
            Ok(()) if is_self_connected(&socket) => Outcome::Failed { code: code::REFUSED, os_error: None },
            Ok(()) => match socket.set_nonblocking(false) {
                Ok(()) => Outcome::Connected,
                Err(error) => failed(code::SYSTEM, &error),
            },
        };
        self.ended(address, source, started, outcome);
        if outcome == Outcome::Connected { Ok(socket.into()) } else { Err(index) }
    }

    /// What still runs is abandoned for the winner, or has had no answer by the deadline.
    fn end_the_rest(&mut self, won: bool) {
        let outcome =
            if won { Outcome::Abandoned } else { Outcome::Failed { code: code::NO_ANSWER, os_error: None } };
        for pending in std::mem::take(&mut self.pending) {
            self.ended(pending.address, pending.source, pending.started, outcome);
        }
    }

    fn ended(&mut self, address: SocketAddr, source: Option<SocketAddr>, started: Instant, outcome: Outcome) {
        let started_after = started - self.begin;
        let attempt = Attempt { address, source, started_after, took: started.elapsed(), outcome };
        (self.observe)(ConnectEvent::Ended(&attempt));
        self.attempts.push(attempt);
    }
}

fn failed(code: Code, error: &io::Error) -> Outcome {
    Outcome::Failed { code, os_error: error.raw_os_error() }
}

/// Does this machine have a way to send to it?
///
/// Linux says EADDRNOTAVAIL both where every local port is taken and where there is no address to send from, as with
/// IPv6 switched off. UDP has ports of its own, and its connect sends nothing (udp(7)).
fn has_way(address: SocketAddr) -> bool {
    let domain = socket2::Domain::for_address(address);
    socket2::Socket::new(domain, socket2::Type::DGRAM, None)
        .is_ok_and(|socket| socket.connect(&address.into()).is_ok())
}

/// A connection to a closed port of this machine may get that very port as its own, and then TCP connects it to
/// itself (simultaneous open, RFC 9293 section 3.5). Nobody listens there: that is a refusal.
fn is_self_connected(socket: &socket2::Socket) -> bool {
    match (socket.local_addr(), socket.peer_addr()) {
        (Ok(local), Ok(peer)) => local == peer,
        _ => false,
    }
}

/// Whether connecting goes on in the background (connect(2); on Windows, connect of winsock2.h).
fn goes_on(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        Some(Errno::INPROGRESS | Errno::INTR) => true,
        #[cfg(windows)]
        Some(Errno::WOULDBLOCK) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_connected_to_itself_is_recognised() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let socket = Socket::new().open(any).unwrap();
        socket.bind(&any.into()).unwrap();
        let own = socket.local_addr().unwrap();
        socket.connect(&own).unwrap();
        assert!(is_self_connected(&socket));

        let listener = std::net::TcpListener::bind(any).unwrap();
        let socket = Socket::new().open(any).unwrap();
        socket.connect(&listener.local_addr().unwrap().into()).unwrap();
        assert!(!is_self_connected(&socket));
    }

    #[test]
    fn an_option_or_a_source_that_the_system_refuses_is_not_taken_for_a_missing_route() {
        let bad_option = Refusal::Open(Errno::INVAL.into()).outcome();
        assert!(matches!(bad_option, Outcome::Failed { code: code::SYSTEM, .. }));
        let bad_source = Refusal::Bind(Errno::INVAL.into()).outcome();
        assert!(matches!(bad_source, Outcome::Failed { code: code::SYSTEM, .. }));
    }
}
