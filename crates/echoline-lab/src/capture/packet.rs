//! What a frame says, as far as a conversation needs it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use etherparse::{
    Icmpv4Type, LaxNetSlice, LaxSlicedPacket, TcpOptionElement, TcpSlice, TransportSlice, icmpv4, icmpv6,
};

/// What [`Packet::Icmp`] says for MLD (RFC 3810).
pub(super) const MULTICAST_LISTENER: &str = "multicast listener message";

/// A decoded frame. What cannot be decoded is `None` from [`Packet::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram.
    Udp {
        /// Its sender.
        src: SocketAddr,
        /// Its receiver.
        dst: SocketAddr,
        /// What it carries.
        payload: &'a [u8],
    },
    /// An ICMP message of either version.
    Icmp {
        /// Its sender.
        src: IpAddr,
        /// Its receiver.
        dst: IpAddr,
        /// What it says, in the words of its RFC.
        says: &'static str,
        /// The receiver of the packet that an error is about, with its port.
        about: Option<SocketAddr>,
    },
    /// "Who has `target`? Tell `sender`", or the answer.
    Arp {
        /// True for the question.
        request: bool,
        /// Who asks, or who answers.
        sender: Ipv4Addr,
        /// Who is sought, or who had asked.
        target: Ipv4Addr,
    },
    /// A piece of a packet that was cut up on its way.
    Fragment {
        /// Its sender.
        src: IpAddr,
        /// Its receiver.
        dst: IpAddr,
    },
}

/// The control bits of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Opens a connection.
    pub syn: bool,
    /// `ack` counts.
    pub ack: bool,
    /// Nothing follows from this side.
    pub fin: bool,
    /// The connection is no more.
    pub rst: bool,
}

/// A TCP segment (RFC 9293) and what of its IP header tells it from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its sender.
    pub src: SocketAddr,
    /// Its receiver.
    pub dst: SocketAddr,
    /// The control bits.
    pub flags: Flags,
    /// The sequence number of its first byte.
    pub seq: u32,
    /// The next byte that its sender expects.
    pub ack: u32,
    /// How much more its sender takes, not scaled.
    pub window: u16,
    /// The largest segment that its sender takes; on a SYN.
    pub mss: Option<u16>,
    /// The sender's clock (RFC 7323), which tells a segment sent again from a copy.
    pub timestamp: Option<u32>,
    /// Routers that it may still pass.
    pub ttl: u8,
    /// The identification of the IPv4 packet.
    pub ip_id: Option<u16>,
    /// Its data.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Decodes an Ethernet frame; `None` for what is no ARP, IP, TCP, UDP or ICMP, or is damaged.
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let slices = LaxSlicedPacket::from_ethernet(frame).ok()?;
        if let Some(LaxNetSlice::Arp(arp)) = &slices.net {
            let arp = arp.to_packet().try_eth_ipv4().ok()?;
            return Some(Self::Arp {
                request: arp.operation == etherparse::ArpOperation::REQUEST,
                sender: arp.sender_ipv4.into(),
                target: arp.target_ipv4.into(),
            });
        }
        let ip = Ip::of(slices.net.as_ref()?)?;
        if ip.fragment {
            return Some(Self::Fragment { src: ip.src, dst: ip.dst });
        }
        match slices.transport? {
            TransportSlice::Tcp(tcp) => Some(Self::Tcp(Segment::of(&ip, &tcp))),
            TransportSlice::Udp(udp) => Some(Self::Udp {
                src: SocketAddr::new(ip.src, udp.source_port()),
                dst: SocketAddr::new(ip.dst, udp.destination_port()),
                payload: udp.payload(),
            }),
            TransportSlice::Icmpv4(icmp) => {
                let about = is_error4(&icmp.icmp_type()).then(|| about(icmp.payload())).flatten();
                Some(Self::Icmp { src: ip.src, dst: ip.dst, says: says4(&icmp.icmp_type()), about })
            }
            TransportSlice::Icmpv6(icmp) => {
                // Types below 128 are errors (RFC 4443 section 2.1).
                let about = (icmp.type_u8() < 128).then(|| about(icmp.payload())).flatten();
                Some(Self::Icmp { src: ip.src, dst: ip.dst, says: says6(&icmp.icmp_type()), about })
            }
            _ => None,
        }
    }
}

impl Segment<'_> {
    /// The sequence number behind it: SYN and FIN take one each (RFC 9293 section 3.4).
    pub fn end(&self) -> u32 {
        let controls = u32::from(self.flags.syn) + u32::from(self.flags.fin);
        self.seq.wrapping_add(self.payload.len() as u32).wrapping_add(controls)
    }
}

impl<'a> Segment<'a> {
    fn of(ip: &Ip, tcp: &TcpSlice<'a>) -> Self {
        let (mut mss, mut timestamp) = (None, None);
        for option in tcp.options_iterator().flatten() {
            match option {
                TcpOptionElement::MaximumSegmentSize(size) => mss = Some(size),
                TcpOptionElement::Timestamp(value, _) => timestamp = Some(value),
                _ => {}
            }
        }
        Self {
            src: SocketAddr::new(ip.src, tcp.source_port()),
            dst: SocketAddr::new(ip.dst, tcp.destination_port()),
            flags: Flags { syn: tcp.syn(), ack: tcp.ack(), fin: tcp.fin(), rst: tcp.rst() },
            seq: tcp.sequence_number(),
            ack: tcp.acknowledgment_number(),
            window: tcp.window_size(),
            mss,
            timestamp,
            ttl: ip.ttl,
            ip_id: ip.id,
            payload: tcp.payload(),
        }
    }
}

struct Ip {
    src: IpAddr,
    dst: IpAddr,
    ttl: u8,
    id: Option<u16>,
    fragment: bool,
}

impl Ip {
    fn of(net: &LaxNetSlice<'_>) -> Option<Self> {
        match net {
            LaxNetSlice::Ipv4(ip) => Some(Self {
                src: ip.header().source_addr().into(),
                dst: ip.header().destination_addr().into(),
                ttl: ip.header().ttl(),
                id: Some(ip.header().identification()),
                fragment: ip.is_payload_fragmented(),
            }),
            LaxNetSlice::Ipv6(ip) => Some(Self {
                src: ip.header().source_addr().into(),
                dst: ip.header().destination_addr().into(),
                ttl: ip.header().hop_limit(),
                id: None,
                fragment: ip.is_payload_fragmented(),
            }),
            LaxNetSlice::Arp(_) => None,
        }
    }
}

/// Where the packet that an ICMP error quotes was going. The quote may end after eight bytes of TCP or UDP
/// (RFC 792), so the ports are read by hand: both protocols begin with them.
fn about(quote: &[u8]) -> Option<SocketAddr> {
    let slices = LaxSlicedPacket::from_ip(quote).ok()?;
    let net = slices.net.as_ref()?;
    let ip = Ip::of(net)?;
    let ports = net.ip_payload_ref()?.payload.get(..4)?;
    Some(SocketAddr::new(ip.dst, u16::from_be_bytes([ports[2], ports[3]])))
}

fn is_error4(kind: &Icmpv4Type) -> bool {
    use Icmpv4Type::{DestinationUnreachable, ParameterProblem, Redirect, TimeExceeded};
    matches!(kind, DestinationUnreachable(_) | TimeExceeded(_) | ParameterProblem(_) | Redirect(_))
}

/// RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1.
fn says4(kind: &Icmpv4Type) -> &'static str {
    use icmpv4::DestUnreachableHeader as Unreachable;
    match kind {
        Icmpv4Type::DestinationUnreachable(why) => match why {
            Unreachable::Network | Unreachable::NetworkUnknown => "network unreachable",
            Unreachable::Host | Unreachable::HostUnknown => "host unreachable",
            Unreachable::Protocol => "protocol unreachable",
            Unreachable::Port => "port unreachable",
            Unreachable::FragmentationNeeded { .. } => "packet too big, and must not be cut up",
            Unreachable::NetworkProhibited | Unreachable::HostProhibited | Unreachable::FilterProhibited => {
                "administratively prohibited"
            }
            _ => "destination unreachable",
        },
        Icmpv4Type::TimeExceeded(_) => "time exceeded",
        Icmpv4Type::EchoRequest(_) => "echo request",
        Icmpv4Type::EchoReply(_) => "echo reply",
        Icmpv4Type::Redirect(_) => "redirect",
        _ => "message",
    }
}

/// RFC 4443, RFC 4861 and, for multicast listeners, RFC 3810.
fn says6(kind: &etherparse::Icmpv6Type) -> &'static str {
    use etherparse::Icmpv6Type as Type;
    use icmpv6::DestUnreachableCode as Unreachable;
    match kind {
        Type::DestinationUnreachable(why) => match why {
            Unreachable::NoRoute => "no route to destination",
            Unreachable::Address => "address unreachable",
            Unreachable::Port => "port unreachable",
            Unreachable::Prohibited => "administratively prohibited",
            _ => "destination unreachable",
        },
        Type::PacketTooBig { .. } => "packet too big",
        Type::TimeExceeded(_) => "time exceeded",
        Type::EchoRequest(_) => "echo request",
        Type::EchoReply(_) => "echo reply",
        Type::RouterSolicitation => "router solicitation",
        Type::RouterAdvertisement(_) => "router advertisement",
        Type::NeighborSolicitation => "neighbour solicitation",
        Type::NeighborAdvertisement(_) => "neighbour advertisement",
        Type::Unknown { type_u8: 130..=132 | 143, .. } => MULTICAST_LISTENER,
        _ => "message",
    }
}
