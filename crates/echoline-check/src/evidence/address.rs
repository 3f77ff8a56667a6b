//! One address: the way there, the connection, and what is around it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::connect::{Connect, Ended, Icmp};
use super::listening::Queue;
use super::mark;
use super::path::Hop;
use super::word::Word;

/// One address and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct AddressFinding {
    pub address: SocketAddr,
    pub kind: Word,
    /// The address is one of this machine's.
    pub own: bool,
    /// Does a program of this machine listen there? Looked up for own addresses that were not
    /// reached.
    pub listens: Option<bool>,
    /// The connections that wait for that program to take them.
    pub queue: Option<Queue>,
    pub route: Route,
    pub connect: Connect,
    /// The next machine on the way, once the connection failed; `None` where nothing is known of it
    /// now.
    pub neighbour: Option<Neighbour>,
    /// Rules of this machine that stop this connection, whatever is not known of it; looked for
    /// where it seems so, and readable.
    pub own_rules: Vec<String>,
    pub controls: Vec<Control>,
    pub hops: Vec<Hop>,
    /// The same series towards a control port, where an answer is to be compared.
    pub control_hops: Vec<Hop>,
}

/// The way to an address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Route {
    /// The way; `None` if there is none, or it could not be asked for.
    pub found: Option<Way>,
    /// Why there is none: what the kernel said.
    #[serde(serialize_with = "mark::foreign")]
    pub missing: Option<String>,
    /// How long the question took.
    pub took_us: u64,
}

/// A way, as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Way {
    /// The interface that it leaves by.
    #[serde(serialize_with = "mark::foreign")]
    pub interface: String,
    /// `None`: the host is on the interface's own network.
    #[serde(serialize_with = "mark::address")]
    pub gateway: Option<IpAddr>,
    /// The address that it leaves from.
    #[serde(serialize_with = "mark::address")]
    pub source: Option<IpAddr>,
    /// What kind of address that is.
    pub source_kind: Option<Word>,
}

/// The next machine on the way, as this machine's neighbour table has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Neighbour {
    /// Its address: that of the router, or of the host itself.
    #[serde(serialize_with = "mark::address")]
    pub address: IpAddr,
    /// It told its hardware address just now: it is up.
    pub answers: bool,
}

/// Another port of the same host, for comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Control {
    /// The port.
    pub port: u16,
    /// How the request to it ended.
    pub ended: Ended,
    /// A message about it.
    pub icmp: Option<Icmp>,
    /// How long it took.
    pub took_us: u64,
}

impl Control {
    /// Did the host itself answer? A message of a router is none of the host's.
    pub fn shows_host(&self, host: IpAddr) -> bool {
        match &self.icmp {
            None => matches!(self.ended, Ended::Connected | Ended::Refused),
            Some(icmp) => icmp.from == Some(host),
        }
    }
}
