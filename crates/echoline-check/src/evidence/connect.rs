//! One connection request, and how it ended.

use std::net::{IpAddr, SocketAddr};

use echoline_diagnosis::{Text, plain};
use serde::{Deserialize, Serialize};

use super::mark;

/// What became of one connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Connect {
    /// The local address and port.
    #[serde(serialize_with = "mark::address")]
    pub source: Option<SocketAddr>,
    /// How it ended.
    pub ended: Ended,
    /// The number of the system's error, if there was one.
    pub os_error: Option<i32>,
    /// A message about the request, if one came.
    pub icmp: Option<Icmp>,
    /// What became of the requests (SYN), while nothing came back.
    pub requests: Option<Requests>,
    /// How long it took.
    pub took_us: u64,
}

/// How a connection request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The connection stands.
    Connected,
    /// ECONNREFUSED: a reset, or an ICMP message that means the same.
    Refused,
    /// ECONNRESET, before the connection stood.
    Reset,
    /// ENETUNREACH, ENETDOWN, or EINVAL of a blackhole route.
    NetUnreachable,
    /// EHOSTUNREACH.
    HostUnreachable,
    /// EACCES or EPERM.
    Denied,
    /// The time ran out, here or in the kernel (ETIMEDOUT).
    NoAnswer,
    /// Every local port is taken.
    NoLocalPort,
    /// `--source` is no address of this machine.
    NoSuchSource,
    /// Another error: see its number.
    Other,
}

/// A message about our request, from the socket's error queue (ip(7), `IP_RECVERR`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Icmp {
    /// 4 or 6: the types and codes of the two differ.
    pub version: u8,
    /// The type.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The code.
    pub code: u8,
    /// Who sent it.
    #[serde(serialize_with = "mark::address")]
    pub from: Option<IpAddr>,
    /// It came from this machine itself.
    pub from_this_machine: bool,
}

impl Icmp {
    /// ICMP 11 (RFC 792), ICMPv6 3 (RFC 4443): the packet's hops were used up.
    pub fn is_time_exceeded(&self) -> bool {
        (self.version, self.kind) == (4, 11) || (self.version, self.kind) == (6, 3)
    }

    /// The name that the RFCs and firewalls use.
    pub fn name(&self) -> Text {
        let name = match (self.version, self.kind, self.code) {
            (4, 3, 0) => "net-unreachable",
            (4, 3, 1) => "host-unreachable",
            (4, 3, 2) => "protocol-unreachable",
            (4 | 6, _, _) if self.is_port_unreachable() => "port-unreachable",
            (4, 3, 9) => "net-prohibited",
            (4, 3, 10) => "host-prohibited",
            (4, 3, 13) | (6, 1, 1) => "admin-prohibited",
            (6, 1, 0) => "no-route",
            (6, 1, 3) => "address-unreachable",
            (6, 1, 5) => "policy-fail",
            (6, 1, 6) => "reject-route",
            _ if self.is_time_exceeded() => "time-exceeded",
            _ => return plain(format!("ICMP type {} code {}", self.kind, self.code)),
        };
        let protocol = if self.version == 4 { "ICMP" } else { "ICMPv6" };
        plain(format!("{protocol} {name} (type {}, code {})", self.kind, self.code))
    }

    /// The host, or a rule, says that nothing listens on the port.
    pub fn is_port_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 3) || (self.version, self.kind, self.code) == (6, 1, 4)
    }

    /// Somebody's decision, by its very meaning (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
    pub fn is_prohibited(&self) -> bool {
        match self.version {
            4 => self.kind == 3 && matches!(self.code, 9 | 10 | 13),
            _ => self.kind == 1 && matches!(self.code, 1 | 5 | 6),
        }
    }

    /// A router could not find the host.
    pub fn is_host_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 1) || (self.version, self.kind, self.code) == (6, 1, 3)
    }

    /// A router knows no way to the network.
    pub fn is_net_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 0) || (self.version, self.kind, self.code) == (6, 1, 0)
    }
}

/// The requests that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Requests {
    /// How often the request was due again.
    pub repeated: u32,
    /// Whether the repeated request was handed to the network; `None` before the first repetition,
    /// after a second.
    pub left_this_machine: Option<bool>,
}
