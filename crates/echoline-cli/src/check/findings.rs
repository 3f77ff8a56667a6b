//! What was seen, step by step: evidence, not opinions. `verdict` judges it, `report` shows it.

use echoline::Code;
use serde::{Serialize, Serializer};
use std::net::{IpAddr, SocketAddr};

/// Everything that one check saw.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Findings {
    pub(super) target: Target,
    /// Why the target cannot be read; nothing else was done then.
    pub(super) unreadable: Option<Problem>,
    pub(super) name: Option<NameFinding>,
    /// In the order in which the system prefers them (RFC 6724).
    pub(super) addresses: Vec<AddressFinding>,
    /// Addresses of the name beyond those that are probed.
    pub(super) addresses_left_out: usize,
    pub(super) conversation: Option<Conversation>,
    pub(super) timing: Option<Timing>,
    /// Only when told to ask.
    pub(super) whoami: Option<Whoami>,
    pub(super) backends: Option<Backends>,
}

/// Who answered, when `whoami` was asked again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Backends {
    pub(super) asked: usize,
    /// The instance that answered each connection, in order.
    pub(super) order: Vec<String>,
    /// In how many of them the server saw the address that this machine had sent from.
    pub(super) source_kept: usize,
    /// Why the series ended early.
    pub(super) problem: Option<String>,
    pub(super) took_us: u64,
}

impl Backends {
    /// Each instance and how many connections it had, the most first.
    pub(super) fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for instance in &self.order {
            match counts.iter_mut().find(|(known, _)| known == instance) {
                Some((_, count)) => *count += 1,
                None => counts.push((instance, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// How often one connection went to another instance than the one before.
    pub(super) fn changes(&self) -> usize {
        self.order.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

/// What the other end says about this one.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Whoami {
    pub(super) address: SocketAddr,
    pub(super) sent_from: Option<SocketAddr>,
    /// This end, as the server sees it.
    pub(super) seen_as: Option<SocketAddr>,
    pub(super) instance: Option<String>,
    pub(super) connection: Option<u64>,
    /// How many different instances answered.
    pub(super) instances: usize,
    /// Did our line reach the echo service? `None`: cannot tell.
    pub(super) reached_echo: Option<bool>,
    pub(super) problem: Option<String>,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) expect: Expect,
}

/// What should happen once the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expect {
    /// What is sent comes back, byte for byte
    Echo,
    /// The connection stands; nothing is sent
    Connect,
}

/// A failure of the library, kept as a value.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Problem {
    #[serde(serialize_with = "code_as_text")]
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) remedy: String,
}

impl From<&echoline::Error> for Problem {
    fn from(error: &echoline::Error) -> Self {
        Self { code: error.code(), message: error.to_string(), remedy: error.remedy().to_owned() }
    }
}

fn code_as_text<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct NameFinding {
    pub(super) source: NameSource,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) problem: Option<Problem>,
    /// Asked by check itself, once the system's lookup had failed.
    pub(super) servers: Vec<NameServer>,
    pub(super) took_us: u64,
}

/// Where the addresses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NameSource {
    /// `localhost` is loopback by RFC 6761.
    Loopback,
    HostsFile,
    Resolver,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct NameServer {
    pub(super) address: IpAddr,
    pub(super) answer: NameAnswer,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NameAnswer {
    Silent,
    /// It answered, with this code (RFC 1035 section 4.1.1).
    Code(u8),
    /// The question could not be delivered, and this is what the system said.
    Undelivered(String),
}

/// One address and what became of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AddressFinding {
    pub(super) address: SocketAddr,
    pub(super) kind: &'static str,
    /// The address is one of this machine's.
    pub(super) own: bool,
    /// Does a program of this machine listen there? Looked up for own addresses that were not reached.
    pub(super) listens: Option<bool>,
    pub(super) route: Route,
    pub(super) connect: Connect,
    /// The next machine on the way, once the connection failed.
    pub(super) neighbour: Option<Neighbour>,
    /// Rules of this machine that drop or reject what goes out; looked for where it seems so, and readable.
    pub(super) own_rules: Vec<String>,
    pub(super) controls: Vec<Control>,
    pub(super) hops: Vec<Hop>,
    /// The same series towards a control port, where an answer is to be compared.
    pub(super) control_hops: Vec<Hop>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Route {
    pub(super) found: Option<Way>,
    /// Why there is none: what the kernel said.
    pub(super) missing: Option<String>,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Way {
    pub(super) interface: String,
    /// `None`: the host is on the interface's own network.
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    pub(super) source_kind: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Connect {
    pub(super) source: Option<SocketAddr>,
    pub(super) ended: Ended,
    pub(super) os_error: Option<i32>,
    pub(super) icmp: Option<Icmp>,
    /// What became of the requests (SYN), while nothing came back.
    pub(super) requests: Option<Requests>,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ended {
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Icmp {
    /// 4 or 6: the types and codes of the two differ.
    pub(super) version: u8,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) code: u8,
    /// Who sent it.
    pub(super) from: Option<IpAddr>,
    /// It came from this machine itself.
    pub(super) from_this_machine: bool,
}

impl Icmp {
    /// ICMP 11 (RFC 792), ICMPv6 3 (RFC 4443): the packet's hops were used up.
    pub(super) fn is_time_exceeded(&self) -> bool {
        (self.version, self.kind) == (4, 11) || (self.version, self.kind) == (6, 3)
    }

    /// The name that the RFCs and firewalls use.
    pub(super) fn name(&self) -> String {
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
            _ => return format!("ICMP type {} code {}", self.kind, self.code),
        };
        let protocol = if self.version == 4 { "ICMP" } else { "ICMPv6" };
        format!("{protocol} {name} (type {}, code {})", self.kind, self.code)
    }

    pub(super) fn is_port_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 3) || (self.version, self.kind, self.code) == (6, 1, 4)
    }

    /// Somebody's decision, by its very meaning (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
    pub(super) fn is_prohibited(&self) -> bool {
        match self.version {
            4 => self.kind == 3 && matches!(self.code, 9 | 10 | 13),
            _ => self.kind == 1 && matches!(self.code, 1 | 5 | 6),
        }
    }

    pub(super) fn is_host_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 1) || (self.version, self.kind, self.code) == (6, 1, 3)
    }

    pub(super) fn is_net_unreachable(&self) -> bool {
        (self.version, self.kind, self.code) == (4, 3, 0) || (self.version, self.kind, self.code) == (6, 1, 0)
    }
}

/// The requests that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Requests {
    /// How often the request was due again.
    pub(super) repeated: u32,
    /// Whether the repeated request was handed to the network; `None` before the first repetition, after a second.
    pub(super) left_this_machine: Option<bool>,
}

/// The next machine on the way, as this machine's neighbour table has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Neighbour {
    pub(super) address: IpAddr,
    /// It told its hardware address: it is up.
    pub(super) answers: bool,
}

/// Another port of the same host, for comparison.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Control {
    pub(super) port: u16,
    pub(super) ended: Ended,
    pub(super) icmp: Option<Icmp>,
    pub(super) took_us: u64,
}

impl Control {
    /// Did the host itself answer? A message of a router is none of the host's.
    pub(super) fn shows_host(&self, host: IpAddr) -> bool {
        match &self.icmp {
            None => matches!(self.ended, Ended::Connected | Ended::Refused),
            Some(icmp) => icmp.from == Some(host),
        }
    }
}

/// The answer to a request that may travel so many hops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Hop {
    pub(super) ttl: u8,
    pub(super) answer: HopAnswer,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum HopAnswer {
    /// This router counted the hops down to zero.
    Router(IpAddr),
    Connected,
    Refused,
    /// Another ICMP message, and who sent it.
    Unreachable(Option<IpAddr>),
    Silent,
}

impl HopAnswer {
    /// The end of the way, as far as TCP shows it.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Connected | Self::Refused)
    }
}

/// What happened on the connection that stood.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Conversation {
    pub(super) with: SocketAddr,
    /// What the other side said before it was asked, escaped; cut after 200 bytes.
    pub(super) greeting: Option<String>,
    pub(super) recognised: Option<&'static str>,
    /// Of `--expect connect`: how the connection ended while nothing was sent.
    pub(super) broke: Option<Broke>,
    /// Of `--expect echo`, in this order, up to the first that did not come back identical.
    pub(super) exchanges: Vec<Exchange>,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Broke {
    Closed,
    Reset,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Exchange {
    pub(super) what: What,
    pub(super) sent_bytes: usize,
    pub(super) got_bytes: usize,
    /// In how many pieces the answer came.
    pub(super) reads: u32,
    pub(super) result: Answer,
    /// What came back instead, escaped; cut after 200 bytes.
    pub(super) got: Option<String>,
    pub(super) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum What {
    Line,
    LongLine,
    BinaryLine,
    /// One line, sent in two pieces.
    Pieces,
    /// Two lines, sent at once.
    Pair,
    /// An unfinished line, then the end of our output: it must come back, then their end.
    HalfClose,
}

impl What {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Line => "a line",
            Self::LongLine => "a long line",
            Self::BinaryLine => "a line of all byte values",
            Self::Pieces => "a line in two pieces",
            Self::Pair => "two lines at once",
            Self::HalfClose => "an unfinished line at the end",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    Identical,
    /// The same but for CR before LF, or LF itself.
    LineEndings,
    /// Recognisably what was sent, with this first byte changed.
    Altered {
        at: usize,
    },
    /// Something else altogether.
    Different,
    /// Nothing in time; whether the other side acknowledged (TCP) what was sent.
    Silent {
        acknowledged: Option<bool>,
    },
    Closed,
    Reset,
}

/// Round trips of short lines, and the kernel's own view of the connection.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Timing {
    pub(super) round_trips: usize,
    pub(super) min_us: Option<u64>,
    pub(super) p50_us: Option<u64>,
    pub(super) p99_us: Option<u64>,
    /// The mean difference between one round trip and the next.
    pub(super) jitter_us: Option<u64>,
    /// The kernel's smoothed round-trip time (RFC 6298).
    pub(super) kernel_rtt_us: u64,
    pub(super) segments_sent_again: u32,
    pub(super) took_us: u64,
}
