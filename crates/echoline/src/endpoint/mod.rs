//! Endpoints: a host (a name or an IP address) and a port.

mod kind;
mod parse;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use echoline_diagnosis::{Diagnosis as Error, Operation, Target, text};

use crate::code::{BAD_ADDRESS, BAD_PORT};
use crate::error::error;

pub use kind::AddressKind;

/// A host and a port.
///
/// Read from `host:port`, `[v6]:port`, `[fe80::1%eth0]:port`, `tcp://host:port`, `http://host` (port 80) or
/// `https://host` (port 443). `Display` writes what parses again.
///
/// IPv4 is four numbers from 0 to 255 without leading zeros, and nothing else: the short (`127.1`), octal
/// (`010.0.0.1`) and hexadecimal forms that `getaddrinfo` takes are errors.
///
/// ```
/// use echoline::Endpoint;
///
/// let endpoint: Endpoint = "[::1]:5151".parse()?;
/// assert_eq!(endpoint.port().get(), 5151);
/// assert_eq!(endpoint, Endpoint::try_from(("::1", 5151))?);
/// assert_eq!(endpoint.to_string(), "[::1]:5151");
///
/// let error = "5151".parse::<Endpoint>().unwrap_err();
/// assert_eq!(error.to_string(), "5151 is a number, not a host");
/// assert_eq!(error.remedy(), "write localhost:5151 for that port on this machine");
/// # Ok::<(), echoline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    host: Host,
    port: Port,
}

/// A name or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Host {
    /// A name for the resolver: letters, digits, hyphens, underscores and dots.
    Name(Name),
    /// An IP address.
    Ip(IpAddr),
    /// An IPv6 address that means something on one link only, with the link: `fe80::1%eth0` (RFC 4007 section 11).
    Scoped(Ipv6Addr, Zone),
}

/// A host name that was checked: at most 253 bytes, labels of 1 to 63 (RFC 1123 section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

/// The zone of a scoped address: the name or the number of an interface of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Zone(String);

/// A port, 0 to 65535. Listening on port 0 lets the system pick one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(u16);

impl Endpoint {
    /// An endpoint from its parts.
    pub fn new(host: Host, port: impl Into<Port>) -> Self {
        Self { host, port: port.into() }
    }

    /// Reads an endpoint whose port may be left out. A bare IPv6 address needs no brackets then.
    ///
    /// # Errors
    ///
    /// `bad-address` and `bad-port`; the sentence quotes the offending part.
    pub fn parse_with_default(text: &str, default_port: impl Into<Port>) -> Result<Self, Error> {
        parse::endpoint(text, Some(default_port.into()))
    }

    /// Reads host and port that were given apart. The host may be an IPv6 address with or without brackets.
    ///
    /// # Errors
    ///
    /// `bad-address` and `bad-port`; the sentence quotes the offending part.
    pub fn from_parts(host: &str, port: &str) -> Result<Self, Error> {
        Ok(Self { host: host.parse()?, port: port.parse()? })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> Port {
        self.port
    }

    /// Whether a connection to it can be asked for at all. [`Socket::connect`](crate::Socket::connect) asks first.
    ///
    /// # Errors
    ///
    /// `bad-port` for port 0, where a refusal would read as if a server were merely off; `bad-address` for a multicast
    /// address and for 255.255.255.255, which TCP must refuse (RFC 9293 section 3.9.2.3).
    pub fn can_be_connected_to(&self) -> Result<(), Error> {
        let (code, message, remedy) = match self.host.ip() {
            _ if self.port.get() == 0 => (
                BAD_PORT,
                text!("port 0 is no port to connect to: it lets a server pick a free one"),
                "use the port that the server printed when it started",
            ),
            Some(ip) if AddressKind::of(ip) == AddressKind::Multicast || ip == Ipv4Addr::BROADCAST => (
                BAD_ADDRESS,
                text!("{} stands for a group of hosts, and TCP goes to one", ip),
                "use the address of one host",
            ),
            _ => return Ok(()),
        };
        Err(error(code, Operation::Connect, message).on(self).next(remedy))
    }

    /// What may have been meant by an IPv6 address whose port was left out: `::1:80` without brackets is an address
    /// that ends in `80`, and whoever wrote it may have meant `[::1]:80`. `None` if the address cannot be read so.
    pub fn with_port_in_brackets(&self) -> Option<Self> {
        let Host::Ip(IpAddr::V6(ip)) = self.host else { return None };
        let text = ip.to_string();
        let (before, last) = text.rsplit_once(':')?;
        Some(Self { host: Host::Ip(before.parse::<Ipv6Addr>().ok()?.into()), port: last.parse().ok()? })
    }
}

impl From<&Endpoint> for Target {
    fn from(endpoint: &Endpoint) -> Self {
        Self { host: endpoint.host.to_string(), port: endpoint.port.0 }
    }
}

impl Host {
    /// True for `localhost` and the names below it, which mean this machine whatever a name server says (RFC 6761
    /// section 6.3).
    pub fn is_localhost(&self) -> bool {
        let Self::Name(Name(name)) = self else { return false };
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name == "localhost" || name.ends_with(".localhost")
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::Ip(ip) => Some(*ip),
            Self::Scoped(ip, _) => Some(IpAddr::V6(*ip)),
        }
    }
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Zone {
    /// The zone as text, without the `%`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Port {
    /// Port 5151, where Echoline serves and connects unless told otherwise.
    pub const DEFAULT: Self = Self(5151);

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// True from 1 to 1023: there, most systems let only a privileged user listen. Port 0 asks for any free port.
    pub const fn is_reserved(self) -> bool {
        0 < self.0 && self.0 < 1024
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse::endpoint(text, None)
    }
}

impl FromStr for Host {
    type Err = Error;

    /// Reads a name, an IPv4 address, or an IPv6 address with or without brackets and zone.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse::host(text)
    }
}

impl FromStr for Port {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse::port(text)
    }
}

impl TryFrom<(&str, u16)> for Endpoint {
    type Error = Error;

    fn try_from((host, port): (&str, u16)) -> Result<Self, Error> {
        Ok(Self { host: host.parse()?, port: Port(port) })
    }
}

impl From<(IpAddr, u16)> for Endpoint {
    fn from((ip, port): (IpAddr, u16)) -> Self {
        Self { host: Host::Ip(ip), port: Port(port) }
    }
}

impl From<SocketAddr> for Endpoint {
    /// Keeps a scope as the number of its zone; drops the flow label.
    fn from(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                Host::Scoped(*v6.ip(), Zone(v6.scope_id().to_string()))
            }
            _ => Host::Ip(address.ip()),
        };
        Self { host, port: Port(address.port()) }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl From<Ipv4Addr> for Host {
    fn from(ip: Ipv4Addr) -> Self {
        Self::Ip(ip.into())
    }
}

impl From<Ipv6Addr> for Host {
    fn from(ip: Ipv6Addr) -> Self {
        Self::Ip(ip.into())
    }
}

impl From<u16> for Port {
    fn from(port: u16) -> Self {
        Self(port)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        f.pad(&match host {
            Host::Ip(IpAddr::V6(_)) | Host::Scoped(..) => format!("[{host}]:{port}"),
            Host::Name(_) | Host::Ip(IpAddr::V4(_)) => format!("{host}:{port}"),
        })
    }
}

/// Without brackets: `::1`.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.pad(&name.0),
            Self::Ip(ip) => ip.fmt(f),
            Self::Scoped(ip, zone) => f.pad(&format!("{ip}%{}", zone.0)),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
