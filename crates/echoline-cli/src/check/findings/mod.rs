//! What was seen, step by step: evidence, not opinions. `verdict` judges it, `report` shows it.

mod conversation;
mod idle;
mod listening;
mod machine;
pub(in crate::check) mod mark;
mod other_end;
pub(in crate::check) mod problem;

pub(in crate::check) use conversation::{Answer, Broke, Conversation, Exchange, LineEnds, Timing, What};
pub(in crate::check) use idle::{Idle, IdleEnd, IdleTry, Poke};
pub(in crate::check) use listening::{
    Firewall, Knock, ListenFindings, Listener, Place, Queue, Ruling, Stop, Wanted, takes,
};
pub(in crate::check) use machine::{Address, Listening, Machine, MachineReport, Router};
pub(in crate::check) use other_end::{Backends, Whoami};

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use echoline::Family;
use echoline_diagnosis::{Diagnosis, Text, plain};
use serde::{Deserialize, Serialize};

/// A word of ours; of a document that was read, whatever stands there.
pub(in crate::check) type Word = Cow<'static, str>;

/// Everything that one check saw.
#[derive(Debug, Clone)]
pub(in crate::check) struct Findings {
    pub(in crate::check) target: Target,
    /// Why the target cannot be read; nothing else was done then.
    pub(in crate::check) unreadable: Option<Diagnosis>,
    pub(in crate::check) name: Option<NameFinding>,
    /// In the order in which the system prefers them (RFC 6724).
    pub(in crate::check) addresses: Vec<AddressFinding>,
    /// Which addresses were asked for.
    pub(in crate::check) family: Family,
    /// The address to connect from, where it alone decided which family of the name is tried.
    pub(in crate::check) narrowed_by: Option<IpAddr>,
    /// Addresses of the name beyond those that are probed.
    pub(in crate::check) addresses_left_out: usize,
    pub(in crate::check) conversation: Option<Conversation>,
    pub(in crate::check) timing: Option<Timing>,
    /// Only when told to ask.
    pub(in crate::check) whoami: Option<Whoami>,
    pub(in crate::check) backends: Option<Backends>,
    /// Only when told, and only where all else was well.
    pub(in crate::check) idle: Option<Idle>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Target {
    #[serde(serialize_with = "mark::host")]
    pub(in crate::check) host: String,
    pub(in crate::check) port: u16,
    pub(in crate::check) expect: Expect,
    /// Of a URL that promises a protocol.
    pub(in crate::check) scheme: Option<Scheme>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::check) enum Scheme {
    /// A HEAD request is sent.
    Http,
    /// Nothing is sent.
    Https,
}

/// What should happen once the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::check) enum Expect {
    /// What is sent comes back, byte for byte
    Echo,
    /// The connection stands; nothing is sent
    Connect,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct NameFinding {
    pub(in crate::check) source: NameSource,
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) addresses: Vec<IpAddr>,
    #[serde(with = "problem::optional")]
    pub(in crate::check) problem: Option<Diagnosis>,
    /// Asked by check itself, once the system's lookup had failed.
    pub(in crate::check) servers: Vec<NameServer>,
    pub(in crate::check) took_us: u64,
}

/// Where the addresses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum NameSource {
    /// `localhost` is loopback by RFC 6761.
    Loopback,
    HostsFile,
    Resolver,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct NameServer {
    /// As it is configured: a link-local one has a zone.
    #[serde(serialize_with = "mark::host")]
    pub(in crate::check) address: String,
    pub(in crate::check) answer: NameAnswer,
    pub(in crate::check) took_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum NameAnswer {
    Silent,
    /// It answered, with this code (RFC 1035 section 4.1.1).
    Code(u8),
    /// The question could not be delivered, and this is what the system said.
    Undelivered(#[serde(serialize_with = "mark::foreign")] String),
}

/// One address and what became of it.
#[derive(Debug, Clone)]
pub(in crate::check) struct AddressFinding {
    pub(in crate::check) address: SocketAddr,
    pub(in crate::check) kind: Word,
    /// The address is one of this machine's.
    pub(in crate::check) own: bool,
    /// Does a program of this machine listen there? Looked up for own addresses that were not reached.
    pub(in crate::check) listens: Option<bool>,
    /// The connections that wait for that program to take them.
    pub(in crate::check) queue: Option<Queue>,
    pub(in crate::check) route: Route,
    pub(in crate::check) connect: Connect,
    /// The next machine on the way, once the connection failed; `None` where nothing is known of it now.
    pub(in crate::check) neighbour: Option<Neighbour>,
    /// Rules of this machine that stop this connection, whatever is not known of it; looked for where it seems so, and
    /// readable.
    pub(in crate::check) own_rules: Vec<String>,
    pub(in crate::check) controls: Vec<Control>,
    pub(in crate::check) hops: Vec<Hop>,
    /// The same series towards a control port, where an answer is to be compared.
    pub(in crate::check) control_hops: Vec<Hop>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Route {
    pub(in crate::check) found: Option<Way>,
    /// Why there is none: what the kernel said.
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) missing: Option<String>,
    pub(in crate::check) took_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Way {
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) interface: String,
    /// `None`: the host is on the interface's own network.
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) gateway: Option<IpAddr>,
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) source: Option<IpAddr>,
    pub(in crate::check) source_kind: Option<Word>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Connect {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) source: Option<SocketAddr>,
    pub(in crate::check) ended: Ended,
    pub(in crate::check) os_error: Option<i32>,
    pub(in crate::check) icmp: Option<Icmp>,
    /// What became of the requests (SYN), while nothing came back.
    pub(in crate::check) requests: Option<Requests>,
    pub(in crate::check) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum Ended {
    Connected,
    /// ECONNREFUSED: a reset, or an ICMP message that means the same.
    Refused,
    /// ECONNRESET, before the connection stood.
    Reset,
    /// ENETUNREACH, ENETDOWN, or EINVAL of a blackhole route.
    NetUnreachable,
    HostUnreachable,
    /// EACCES or EPERM.
    Denied,
    /// The time ran out, here or in the kernel (ETIMEDOUT).
    NoAnswer,
    NoLocalPort,
    /// `--source` is no address of this machine.
    NoSuchSource,
    Other,
}

/// A message about our request, from the socket's error queue (ip(7), `IP_RECVERR`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Icmp {
    /// 4 or 6: the types and codes of the two differ.
    pub(in crate::check) version: u8,
    #[serde(rename = "type")]
    pub(in crate::check) kind: u8,
    pub(in crate::check) code: u8,
    /// Who sent it.
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) from: Option<IpAddr>,
    /// It came from this machine itself.
    pub(in crate::check) from_this_machine: bool,
}

impl Icmp {
    /// ICMP 11 (RFC 792), ICMPv6 3 (RFC 4443): the packet's hops were used up.
    pub(in crate::check) fn is_time_exceeded(&self) -> bool {
        (self.version, self.kind) == (4, 11) || (self.version, self.kind) == (6, 3)
    }

    /// The name that the RFCs and firewalls use.
    pub(in crate::check) fn name(&self) -> Text {
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

    pub(in crate::check) fn is_port_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 3) || (self.version, self.kind, self.code) == (6, 1, 4)
    }

    /// Somebody's decision, by its very meaning (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
    pub(in crate::check) fn is_prohibited(&self) -> bool {
        match self.version {
            4 => self.kind == 3 && matches!(self.code, 9 | 10 | 13),
            _ => self.kind == 1 && matches!(self.code, 1 | 5 | 6),
        }
    }

    pub(in crate::check) fn is_host_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 1) || (self.version, self.kind, self.code) == (6, 1, 3)
    }

    pub(in crate::check) fn is_net_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 0) || (self.version, self.kind, self.code) == (6, 1, 0)
    }
}

/// The requests that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Requests {
    /// How often the request was due again.
    pub(in crate::check) repeated: u32,
    /// Whether the repeated request was handed to the network; `None` before the first repetition, after a second.
    pub(in crate::check) left_this_machine: Option<bool>,
}

/// The next machine on the way, as this machine's neighbour table has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Neighbour {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) address: IpAddr,
    /// It told its hardware address just now: it is up.
    pub(in crate::check) answers: bool,
}

/// Another port of the same host, for comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Control {
    pub(in crate::check) port: u16,
    pub(in crate::check) ended: Ended,
    pub(in crate::check) icmp: Option<Icmp>,
    pub(in crate::check) took_us: u64,
}

impl Control {
    /// Did the host itself answer? A message of a router is none of the host's.
    pub(in crate::check) fn shows_host(&self, host: IpAddr) -> bool {
        match &self.icmp {
            None => matches!(self.ended, Ended::Connected | Ended::Refused),
            Some(icmp) => icmp.from == Some(host),
        }
    }
}

/// The answer to a request that may travel so many hops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Hop {
    pub(in crate::check) ttl: u8,
    pub(in crate::check) answer: HopAnswer,
    pub(in crate::check) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum HopAnswer {
    /// This router counted the hops down to zero.
    Router(#[serde(serialize_with = "mark::address")] IpAddr),
    Connected,
    Refused,
    /// Another ICMP message, and who sent it.
    Unreachable(#[serde(serialize_with = "mark::address")] Option<IpAddr>),
    Silent,
}

impl HopAnswer {
    /// The end of the way, as far as TCP shows it.
    pub(in crate::check) fn is_final(self) -> bool {
        matches!(self, Self::Connected | Self::Refused)
    }
}

/// How far away the end of the way is.
pub(in crate::check) fn end_of(hops: &[Hop]) -> Option<u8> {
    hops.iter().find(|hop| hop.answer.is_final()).map(|hop| hop.ttl)
}
