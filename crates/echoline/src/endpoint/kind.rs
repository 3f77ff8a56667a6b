//! What an address can be used for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of an IP address: who can reach it. Source: the IANA special-purpose address registries (RFC 6890).
///
/// ```
/// use echoline::AddressKind;
/// assert_eq!(AddressKind::of("100.64.0.1".parse()?), AddressKind::CarrierGradeNat);
/// assert_eq!(AddressKind::of("127.255.0.9".parse()?).to_string(), "loopback");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressKind {
    /// This machine only: 127.0.0.0/8, `::1`.
    Loopback,
    /// A network of its own, not the internet: 10/8, 172.16/12, 192.168/16 (RFC 1918), fc00::/7 (RFC 4193).
    Private,
    /// Shared by a provider among its customers: 100.64.0.0/10 (RFC 6598).
    CarrierGradeNat,
    /// One link only: 169.254.0.0/16 (RFC 3927), fe80::/10.
    LinkLocal,
    /// For texts, never in use: 192.0.2/24, 198.51.100/24, 203.0.113/24 (RFC 5737), 2001:db8::/32, 3fff::/20.
    Documentation,
    /// A group, not a host: 224.0.0.0/4, ff00::/8. TCP cannot reach it.
    Multicast,
    /// No address: 0.0.0.0, `::`. To listen on it means every interface.
    Unspecified,
    /// Everything else: the internet.
    Global,
}

impl AddressKind {
    /// The kind of `ip`. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) has the kind of the IPv4 address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| of_v6(ip), of_v4),
        }
    }

    /// The field's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::CarrierGradeNat => "carrier-grade NAT",
            Self::LinkLocal => "link-local",
            Self::Documentation => "documentation",
            Self::Multicast => "multicast",
            Self::Unspecified => "unspecified",
            Self::Global => "global",
        }
    }
}

fn of_v4(ip: Ipv4Addr) -> AddressKind {
    match ip.octets() {
        _ if ip.is_unspecified() => AddressKind::Unspecified,
        _ if ip.is_loopback() => AddressKind::Loopback,
        _ if ip.is_private() => AddressKind::Private,
        _ if ip.is_link_local() => AddressKind::LinkLocal,
        _ if ip.is_documentation() => AddressKind::Documentation,
        _ if ip.is_multicast() => AddressKind::Multicast,
        [100, 64..=127, ..] => AddressKind::CarrierGradeNat,
        _ => AddressKind::Global,
    }
}

fn of_v6(ip: Ipv6Addr) -> AddressKind {
    match ip.segments() {
        _ if ip.is_unspecified() => AddressKind::Unspecified,
        _ if ip.is_loopback() => AddressKind::Loopback,
        _ if ip.is_unique_local() => AddressKind::Private,
        _ if ip.is_unicast_link_local() => AddressKind::LinkLocal,
        _ if ip.is_multicast() => AddressKind::Multicast,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressKind::Documentation,
        _ => AddressKind::Global,
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
