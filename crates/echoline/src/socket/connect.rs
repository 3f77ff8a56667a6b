//! Connecting: Happy Eyeballs over non-blocking sockets, with every attempt on record.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::Socket;
use crate::attempt::{Attempt, Outcome, STAGGER, Schedule, Step};
use crate::code::Code;
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::error::{Error, Operation, deadline, span};
use crate::resolve::{Family, resolve};

/// What [`Socket::connect_with`] tells while it works.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ConnectEvent<'a> {
    /// The host has these addresses, in the order in which they are tried.
    Resolved {
        /// Never empty.
        addresses: &'a [SocketAddr],
        /// How long the lookup took.
        took: Duration,
    },
    /// An attempt has started: a connection request is on its way.
    Started(SocketAddr),
    /// An attempt has ended.
    Ended(&'a Attempt),
}

impl Socket {
    /// Opens a connection. Several addresses are tried by Happy Eyeballs (RFC 8305 sections 4 and 5).
    ///
    /// # Errors
    ///
    /// Those of [`resolve`](crate::resolve()); and, with every attempt in [`Error::attempts`], `refused`,
    /// `no-answer`, `no-route`, `host-unreachable`, `no-local-port`, `address-not-available` (the source),
    /// `permission-denied`, `reset`, `too-many-open-files`, `system`. If the attempts ended differently, the error
    /// has the code that says most: an answer before silence, silence before no way to get there.
    pub fn connect(&self, endpoint: &Endpoint) -> Result<Connection, Error> {
        self.connect_with(endpoint, &mut |_| ())
    }

    /// As [`connect`](Self::connect), and tells what happens as it happens.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_with(
        &self,
        endpoint: &Endpoint,
        observe: &mut dyn FnMut(ConnectEvent<'_>),
    ) -> Result<Connection, Error> {
        let begin = Instant::now();
        let deadline = deadline(begin, self.connect_timeout);
        let addresses = resolve(endpoint, self.connect_family(endpoint)?, self.connect_timeout)?;
        let schedule = Schedule::new(addresses, STAGGER, deadline);
        observe(ConnectEvent::Resolved { addresses: schedule.addresses(), took: begin.elapsed() });
        let mut race = Race { socket: self, begin, pending: Vec::new(), attempts: Vec::new(), observe };
        let won = race.run(schedule);
        race.end_the_rest(won.is_some());
        let mut attempts = race.attempts;
        attempts.sort_by_key(|attempt| attempt.started_after);
        match won {
            Some(stream) => Connection::connected(stream, attempts),
            None => Err(self.failed(endpoint, attempts)),
        }
    }

    /// The families that both the caller and the source address allow.
    fn connect_family(&self, endpoint: &Endpoint) -> Result<Family, Error> {
        let of_source = match self.source {
            Some(ip) if ip.is_ipv4() => Family::V4,
            Some(_) => Family::V6,
            None => Family::Any,
        };
        match (self.family, of_source) {
            (Family::Any, family) | (family, Family::Any) => Ok(family),
            (asked, of_source) if asked == of_source => Ok(asked),
            (asked, of_source) => {
                let message = format!("an {of_source} source address cannot reach {endpoint} over {asked}");
                Err(Error::new(Code::NoAddressOfFamily, Operation::Connect, message).on(endpoint))
            }
        }
    }

    /// The error of a race without a winner.
    fn failed(&self, endpoint: &Endpoint, attempts: Vec<Attempt>) -> Error {
        let codes = attempts.iter().filter_map(|attempt| match attempt.outcome {
            Outcome::Failed { code, os_error } => Some((code, os_error)),
            Outcome::Connected | Outcome::Abandoned => None,
        });
        // With no attempt at all, the lookup used up the time.
        let (code, os_error) = codes.max_by_key(|(code, _)| says(*code)).unwrap_or((Code::NoAnswer, None));
        let message = self.sentence(code, endpoint, &attempts);
        let error = Error::new(code, Operation::Connect, message).on(endpoint).with_attempts(attempts);
        match os_error {
            Some(errno) => error.caused_by(io::Error::from_raw_os_error(errno)),
            None => error,
        }
    }

    fn sentence(&self, code: Code, endpoint: &Endpoint, attempts: &[Attempt]) -> String {
        let whom = match attempts {
            [one] if endpoint.host().ip().is_none() => format!("{endpoint} ({})", one.address.ip()),
            [_, _, ..] => format!("{endpoint} ({} addresses tried)", attempts.len()),
            _ => endpoint.to_string(),
        };
        let time =
            span(attempts.iter().map(|a| a.started_after + a.took).max().unwrap_or(self.connect_timeout));
        match code {
            Code::Refused => format!("{whom} refused the connection"),
            Code::NoAnswer => format!("{whom} did not answer in {time}"),
            Code::NoRoute => format!("there is no route to {whom}"),
            Code::HostUnreachable => {
                format!("{whom} is unreachable: a router, or this machine, cannot find the host")
            }
            Code::PermissionDenied => format!("this machine does not allow a connection to {whom}"),
            Code::Reset => format!("{whom} broke the connection off while it was opened"),
            Code::NoLocalPort => format!("no local port is free for a connection to {whom}"),
            Code::AddressNotAvailable => match self.source {
                Some(source) => {
                    format!("{source} is no address of this machine, so {whom} cannot be reached from it")
                }
                None => format!("{whom} cannot be reached: it is no address to connect to"),
            },
            Code::TooManyOpenFiles => format!("no file descriptor is left for a connection to {whom}"),
            _ => {
                let errno = attempts.iter().find_map(|attempt| match attempt.outcome {
                    Outcome::Failed { code: Code::System, os_error } => os_error,
                    _ => None,
                });
                let said =
                    errno.map_or("an unknown error".into(), |e| io::Error::from_raw_os_error(e).to_string());
                format!("the connection to {whom} failed: {said}")
            }
        }
    }
}

/// How much a code says about the other side: what answered, then what stayed silent, then what never left.
fn says(code: Code) -> u8 {
    match code {
        Code::Refused => 9,
        Code::Reset => 8,
        Code::HostUnreachable => 7,
        Code::NoAnswer => 6,
        Code::PermissionDenied => 5,
        Code::TooManyOpenFiles => 4,
        Code::NoLocalPort | Code::AddressNotAvailable => 3,
        Code::System => 2,
        _ => 1,
    }
}

/// The code for what connect(2) or `SO_ERROR` returned.
fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Code::Refused,
        io::ErrorKind::ConnectionReset => Code::Reset,
        io::ErrorKind::TimedOut => Code::NoAnswer,
        // EINVAL is what a blackhole route returns.
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown | io::ErrorKind::InvalidInput => {
            Code::NoRoute
        }
        io::ErrorKind::HostUnreachable => Code::HostUnreachable,
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Code::NoLocalPort,
        io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => Code::TooManyOpenFiles,
            // No IPv6 in this kernel.
            Some(Errno::AFNOSUPPORT) => Code::NoRoute,
            _ => Code::System,
        },
    }
}

/// Where an attempt failed before it was on its way.
enum Refusal {
    Open(io::Error),
    Bind(io::Error),
    Connect(io::Error),
}

impl Refusal {
    fn outcome(self) -> Outcome {
        match self {
            // Here, EINVAL is about an option; from connect it is about the route.
            Self::Open(error) if error.kind() == io::ErrorKind::InvalidInput => failed(Code::System, &error),
            Self::Bind(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                failed(Code::AddressNotAvailable, &error)
            }
            Self::Open(error) | Self::Bind(error) | Self::Connect(error) => failed(code_of(&error), &error),
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
struct Race<'a> {
    socket: &'a Socket,
    begin: Instant,
    pending: Vec<Pending>,
    attempts: Vec<Attempt>,
    observe: &'a mut dyn FnMut(ConnectEvent<'_>),
}

impl Race<'_> {
    /// Runs the schedule until one attempt wins or all have failed.
    fn run(&mut self, mut schedule: Schedule) -> Option<TcpStream> {
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
            socket.bind(&SocketAddr::new(source, 0).into()).map_err(Refusal::Bind)?;
        }
        match socket.connect(&address.into()) {
            Ok(()) => Ok(socket),
            // Both mean that it goes on in the background (connect(2)).
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::INPROGRESS | Errno::INTR)) => Ok(socket),
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
            Err(error) => failed(code_of(&error), &error),
            Ok(()) if is_self_connected(&socket) => Outcome::Failed { code: Code::Refused, os_error: None },
            Ok(()) => match socket.set_nonblocking(false) {
                Ok(()) => Outcome::Connected,
                Err(error) => failed(Code::System, &error),
            },
        };
        self.ended(address, source, started, outcome);
        if outcome == Outcome::Connected { Ok(socket.into()) } else { Err(index) }
    }

    /// What still runs is abandoned for the winner, or has had no answer by the deadline.
    fn end_the_rest(&mut self, won: bool) {
        let outcome =
            if won { Outcome::Abandoned } else { Outcome::Failed { code: Code::NoAnswer, os_error: None } };
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

/// A connection to a closed port of this machine may get that very port as its own, and then TCP connects it to
/// itself (simultaneous open, RFC 9293 section 3.5). Nobody listens there: that is a refusal.
fn is_self_connected(socket: &socket2::Socket) -> bool {
    match (socket.local_addr(), socket.peer_addr()) {
        (Ok(local), Ok(peer)) => local == peer,
        _ => false,
    }
}
