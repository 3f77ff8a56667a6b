//! Two questions to the kernel: which way would a packet take, and what is known of a neighbour (rtnetlink(7)).
//!
//! The kernel's own answer covers policy routing and every table, which /proc/net/route does not.

use rustix::net::netdevice::index_to_name;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::net::IpAddr;
use std::time::Duration;

/// What the kernel says about the way to an address.
pub(super) struct Answer {
    pub(super) interface_index: u32,
    pub(super) interface: String,
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
}

pub(super) const NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
pub(super) const REQUEST: u16 = 1;
pub(super) const ERROR: u16 = 2;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const NEW_NEIGHBOUR: u16 = 28;
const GET_NEIGHBOUR: u16 = 30;
/// nlmsghdr, and what follows it in both questions: rtmsg and ndmsg are 12 bytes.
const HEADER: usize = 16;
const BODY: usize = HEADER + 12;

/// The way to `ip`, from `source` where that is given: rules may send each source another way (ip-rule(8)).
///
/// # Errors
/// The kernel's own word for why there is none: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL.
pub(super) fn route(ip: IpAddr, scope: u32, source: Option<IpAddr>) -> io::Result<Answer> {
    let mut body = [0; 12];
    (body[0], body[1]) = (family(ip), if ip.is_ipv4() { 32 } else { 128 });
    let mut attributes = attribute(1, &octets(ip));
    if let Some(source) = source {
        body[2] = body[1];
        attributes.extend(attribute(2, &octets(source)));
    }
    if scope != 0 {
        attributes.extend(attribute(4, &scope.to_ne_bytes()));
    }
    let reply = ask(GET_ROUTE, NEW_ROUTE, body, &attributes)?;
    let mut answer = Answer { interface_index: 0, interface: String::new(), gateway: None, source };
    for (kind, data) in each_attribute(&reply) {
        match kind {
            4 => answer.interface_index = data.try_into().map_or(0, u32::from_ne_bytes),
            5 => answer.gateway = address(data),
            // The one that would be chosen, where none is given.
            7 => answer.source = source.or_else(|| address(data)),
            // RTA_VIA: a gateway of the other family, after two bytes that say which.
            18 => answer.gateway = data.get(2..).and_then(address),
            _ => {}
        }
    }
    let any = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    answer.interface = index_to_name(&any, answer.interface_index).unwrap_or_else(|_| "?".to_owned());
    Ok(answer)
}

/// What the kernel knows of a neighbour's hardware address (arp(7), RFC 4861 section 7.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hardware {
    /// It told it a moment ago: it is up.
    Told,
    /// It was asked in vain, so far or for good.
    Missing,
    /// It told it once. It is in use again, and will be asked whether it still holds.
    Doubted,
    /// It told it once, or somebody wrote it down, or there is none: that says nothing about now.
    Old,
}

/// `None` if the kernel has not asked it.
pub(super) fn neighbour(ip: IpAddr, interface_index: u32) -> Option<Hardware> {
    let mut body = [0; 12];
    body[0] = family(ip);
    body[4..8].copy_from_slice(&interface_index.to_ne_bytes());
    let reply = ask(GET_NEIGHBOUR, NEW_NEIGHBOUR, body, &attribute(1, &octets(ip))).ok()?;
    let state = reply.get(HEADER + 8..HEADER + 10)?;
    Some(hardware(u16::from_ne_bytes([state[0], state[1]])))
}

/// By the state of its entry, `NUD_*` of linux/neighbour.h.
fn hardware(state: u16) -> Hardware {
    const INCOMPLETE: u16 = 0x01;
    const REACHABLE: u16 = 0x02;
    const DELAY: u16 = 0x08;
    const PROBE: u16 = 0x10;
    const FAILED: u16 = 0x20;
    match state {
        REACHABLE => Hardware::Told,
        INCOMPLETE | FAILED => Hardware::Missing,
        DELAY | PROBE => Hardware::Doubted,
        _ => Hardware::Old,
    }
}

fn ask(question: u16, answer: u16, body: [u8; 12], attributes: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = Socket::new(Domain::from(NETLINK), Type::RAW, Some(Protocol::from(NETLINK_ROUTE)))?;
    // The kernel answers within the call; this is for the day that it does not.
    socket.set_read_timeout(Some(Duration::from_millis(200)))?;
    let length = BODY + attributes.len();
    let mut message = Vec::with_capacity(length);
    message.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    message.extend(question.to_ne_bytes());
    message.extend(REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message.extend(attributes);
    socket.send(&message)?;
    let mut reply = vec![0; 8192];
    let length = socket.read(&mut reply)?;
    reply.truncate(length);
    match reply.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]])) {
        Some(kind) if kind == answer => Ok(reply),
        Some(ERROR) => {
            let code = reply.get(HEADER..HEADER + 4).and_then(|code| code.try_into().ok());
            Err(io::Error::from_raw_os_error(-code.map_or(0, i32::from_ne_bytes)))
        }
        _ => Err(io::Error::other("the kernel answered something else")),
    }
}

fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 2 } else { 10 }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn address(data: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(data).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(data).map(IpAddr::from)).ok()
}

/// Length and kind, then the data: 4 and 16 bytes need no padding.
fn attribute(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + data.len()).unwrap_or_default();
    [&length.to_ne_bytes(), &kind.to_ne_bytes(), data].concat()
}

fn each_attribute(reply: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    attributes(reply.get(BODY..).unwrap_or_default())
}

/// The attributes of which these bytes are full.
pub(super) fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let kind = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]);
        let data = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reached_through_its_own_interface_from_itself() {
        let answer = route("127.0.0.1".parse().unwrap(), 0, None).unwrap();
        assert_eq!(answer.interface, "lo");
        assert_eq!(answer.gateway, None);
        assert_eq!(answer.source, Some("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn only_what_a_neighbour_told_just_now_shows_that_it_is_up() {
        assert_eq!(hardware(0x02), Hardware::Told);
        assert_eq!([0x01, 0x20].map(hardware), [Hardware::Missing; 2]);
        assert_eq!([0x08, 0x10].map(hardware), [Hardware::Doubted; 2]);
        // NONE, STALE, NOARP, PERMANENT.
        assert_eq!([0x00, 0x04, 0x40, 0x80].map(hardware), [Hardware::Old; 4]);
    }

    #[test]
    fn a_cut_reply_ends_the_attributes_instead_of_panicking() {
        let whole = [&[0; BODY][..], &attribute(5, &[192, 0, 2, 1]), &attribute(4, &[1, 0, 0, 0])].concat();
        assert_eq!(each_attribute(&whole).count(), 2);
        for end in 0..whole.len() {
            assert!(each_attribute(&whole[..end]).count() < 2);
        }
    }
}
