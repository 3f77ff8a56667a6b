//! The server that a command talks to: elsewhere, as the command line names it, or one in this process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;

use echoline::{Endpoint, Error, Family, Port};
use echoline_diagnosis::Diagnosis;
use echoline_server::{Builder, Server};

use crate::descriptors::{make_room_for, room_for};
use crate::shortage::no_server;

/// Which addresses of a host a command uses.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Families {
    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
}

impl Families {
    pub(crate) fn family(self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }
}

/// What a host and a port on the command line name together.
pub(crate) fn endpoint(host: &str, port: Option<&str>, default: Port) -> Result<Endpoint, Error> {
    match port {
        None => Endpoint::parse_with_default(host, default),
        Some(port) => Endpoint::from_parts(host, port),
    }
}

/// As [`endpoint`], of a command that without a host starts a server in this process.
pub(crate) fn elsewhere(
    host: Option<&str>,
    port: Option<&str>,
    default: Port,
) -> Result<Option<Endpoint>, Diagnosis> {
    let Some(host) = host else { return Ok(None) };
    endpoint(host, port, default).map(Some).map_err(|error| {
        let failure = error;
        // A script whose variable is empty must not talk to itself.
        let empty = host.trim().is_empty();
        if empty {
            failure.evidence("so", "only without any host is there a server in this process")
        } else {
            failure
        }
    })
}

/// That a conversation takes beside its server: both ends of the connection, and two that wait for signals.
const FILES: usize = 4;

/// Starts a server for one conversation within this process; it serves until it is dropped.
pub(crate) fn here(
    family: Family,
    service: impl FnOnce(Builder, TcpListener) -> Builder,
) -> Result<(SocketAddr, Server), Diagnosis> {
    let loopback: IpAddr = match family {
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    // What is short all the same is seen once the server has taken what it needs.
    let _ = make_room_for(FILES);
    let listener = TcpListener::bind((loopback, 0)).map_err(|error| no_server(&error))?;
    let address = listener.local_addr().map_err(|error| no_server(&error))?;
    // One connection needs one worker; and it may think for as long as its user does.
    let config = echoline_server::Config {
        workers: NonZeroUsize::MIN,
        idle_timeout: None,
        ..echoline_server::Config::default()
    };
    let server = service(Server::builder(config), listener).start().map_err(|error| no_server(&error))?;
    room_for(FILES).map_err(|error| no_server(&error))?;
    Ok((address, server))
}
