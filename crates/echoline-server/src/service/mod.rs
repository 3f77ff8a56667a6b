//! What a server says to a client. A service takes bytes and returns bytes: it does no I/O and reads no clock.

pub mod connect_four;
mod echo;
mod lines;
mod out;
mod whoami;

pub(crate) use echo::{Echo, EchoBytes};
pub use lines::{LineService, Lines};
pub use out::Out;
pub(crate) use out::{Batch, Output, Tally};
pub(crate) use whoami::Instance;

use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::{fmt, sync::Arc};

use crate::config::{Config, UnknownName};
use connect_four::{ConnectFour, Effort};
use whoami::Whoami;

/// One conversation with one client. A new value is made for every connection.
///
/// The session calls it with what arrived and sends what it put into [`Out`], in that order. It runs on the
/// worker's thread, which serves others too, so it must not block. A panic ends the whole server, and
/// [`Server::wait`](crate::Server::wait) reports it.
pub trait Service: Send {
    /// The connection is open: the place for a greeting.
    fn on_open(&mut self, _peer: &Peer, _out: &mut Out<'_>) {}

    /// Bytes arrived. Returns how many were taken; the rest is offered again, with what comes after it,
    /// once pending output has left or a job is done. A service that takes less must have written something or
    /// have a job under way.
    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize;

    /// The job that was begun with [`Out::compute`] is done.
    fn on_computed(&mut self, _result: Vec<u8>, _out: &mut Out<'_>) {}

    /// The client has finished its output; nothing more will arrive. What is written here is still sent.
    /// It is called once all input is taken and no job is under way.
    fn on_finish(&mut self, _out: &mut Out<'_>) {}

    /// The memory in bytes that holds what has arrived of a line that is not whole. While there is some, the client
    /// owes progress ([`Config::min_progress`]), and it counts against [`Config::max_buffered`].
    fn held(&self) -> usize {
        0
    }

    /// That limit is used up, and this connection has the most: let go of what is held, by writing it or by finishing.
    /// Who does neither is closed ([`Ending::Memory`](crate::Ending::Memory)).
    fn on_pressure(&mut self, _out: &mut Out<'_>) {}
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, as the server sees it.
    pub address: SocketAddr,
    /// The server's own address on this connection.
    pub local: SocketAddr,
    /// The kernel's figures as the connection was accepted, for services that show them.
    pub(crate) tcp: Option<TcpFigures>,
}

/// What the kernel measured while the connection was made. Small: every connection has room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpFigures {
    pub(crate) rtt_us: u32,
    pub(crate) rtt_variation_us: u32,
    pub(crate) segment_bytes: u32,
    /// Never zero, so that `None` costs no room.
    pub(crate) path_mtu: NonZeroU32,
}

impl TcpFigures {
    #[cfg(target_os = "linux")]
    pub(crate) fn of(stream: &TcpStream) -> Option<Self> {
        let info = echoline_sys::tcp_info(stream).ok()?;
        Some(Self {
            rtt_us: u32::try_from(info.round_trip.as_micros()).unwrap_or(u32::MAX),
            rtt_variation_us: u32::try_from(info.round_trip_variation.as_micros()).unwrap_or(u32::MAX),
            segment_bytes: info.segment_bytes,
            path_mtu: NonZeroU32::new(info.path_mtu)?,
        })
    }

    /// Other systems have other figures.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(_stream: &TcpStream) -> Option<Self> {
        None
    }
}

/// Makes the service of each new connection.
pub(crate) type Factory = Arc<dyn Fn(&Peer) -> Box<dyn Service> + Send + Sync>;

/// The services that come with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceKind {
    /// Sends a copy of every line back, once it is whole.
    Echo,
    /// Sends every byte back as it comes (RFC 862).
    EchoBytes,
    /// Tells a client what the server sees of it, as JSON (schema 1, described in docs/CHECK.md).
    Whoami,
    /// Plays Connect Four; see [`connect_four`].
    ConnectFour,
}

impl ServiceKind {
    /// Every service, in the order in which a list shows them.
    pub const ALL: [Self; 4] = [Self::Echo, Self::EchoBytes, Self::Whoami, Self::ConnectFour];

    /// The name in commands and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::EchoBytes => "echo-bytes",
            Self::Whoami => "whoami",
            Self::ConnectFour => "connect-four",
        }
    }

    pub(crate) fn factory(self, config: &Config, instance: &Arc<Instance>) -> Factory {
        let instance = Arc::clone(instance);
        let (max_line, long_lines) = (config.max_line, config.long_lines);
        match self {
            Self::Echo => {
                Arc::new(move |_| Box::new(Echo::new(max_line, long_lines).noted_by(Arc::clone(&instance))))
            }
            Self::EchoBytes => {
                Arc::new(move |_| Box::new(EchoBytes::default().noted_by(Arc::clone(&instance))))
            }
            Self::Whoami => Arc::new(move |_| Box::new(Lines::new(max_line, Whoami(Arc::clone(&instance))))),
            Self::ConnectFour => {
                let max_line = max_line.min(connect_four::MAX_LINE);
                Arc::new(move |_| {
                    Box::new(Lines::new(max_line, ConnectFour::new(Effort::DEFAULT, fastrand::u64(..))))
                })
            }
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownName::new(text, "echo, echo-bytes, whoami, connect-four"))
    }
}
