//! The listening TCP sockets in the kernel's own table (sock_diag(7)).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use rustix::net::netlink;

use crate::netlink::{ALL, FAMILY_4, FAMILY_6, Malformed, REQUEST, Request, address, ask_list, attributes};

/// A listening TCP socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address that it listens on. A link-local address has no scope here.
    pub address: SocketAddr,
    /// `Some(true)`: an IPv6 socket that accepts no IPv4 connections (`IPV6_V6ONLY`). `None`: the
    /// reply does not contain the flag.
    pub ipv6_only: Option<bool>,
    /// Connections that are established and not accepted yet.
    pub waiting: u32,
    /// How many may wait: the backlog of listen(2), at most `net.core.somaxconn`. Linux lets one
    /// more wait.
    pub backlog: u32,
    /// The index of the interface that it is bound to (`SO_BINDTODEVICE`).
    pub interface: Option<NonZeroU32>,
    /// The user that owns it.
    pub uid: u32,
    /// Its inode, with which /proc/PID/fd shows the processes that have it open (proc(5)).
    pub inode: u64,
}

/// Lists all listening TCP sockets of this network namespace: IPv4, then IPv6.
///
/// The list is complete, or the question fails. /proc/net/tcp shows neither the backlog, nor
/// whether an IPv6 socket accepts IPv4, nor the interface that a socket is bound to.
///
/// # Errors
/// The kernel cannot say no here, so each error is a failed question: `ENOENT` if the kernel has no
/// module `tcp_diag`, [`io::ErrorKind::InvalidData`] for a malformed reply,
/// [`io::ErrorKind::TimedOut`] if the list of one family takes longer than 5 s, and what socket(2)
/// reports.
pub fn tcp_listeners() -> io::Result<Vec<Listener>> {
    let mut listeners = of_family(FAMILY_4)?;
    listeners.extend(of_family(FAMILY_6)?);
    Ok(listeners)
}

fn of_family(family: u8) -> io::Result<Vec<Listener>> {
    Ok(ask_list(Some(netlink::SOCK_DIAG), &request(family), BY_FAMILY, read)?)
}

/// `SOCK_DIAG_BY_FAMILY`, the type of the request and of each reply (linux/sock_diag.h).
const BY_FAMILY: u16 = 20;
const TCP: u8 = libc::IPPROTO_TCP as u8;
/// The state `TCP_LISTEN`, and the number of its bit in the request.
const LISTEN: u8 = 10;
/// The bytes of `inet_diag_req_v2` and of `inet_diag_msg` (linux/inet_diag.h).
const REQUEST_BYTES: usize = 56;
const REPLY_BYTES: usize = 72;
/// `INET_DIAG_SKV6ONLY`, of one byte.
const V6_ONLY: u16 = 11;

fn request(family: u8) -> Request {
    // Family, protocol, extra attributes, padding, states; then zeroes, which match any socket.
    let mut fixed = [0; REQUEST_BYTES];
    fixed[..4].copy_from_slice(&[family, TCP, 0, 0]);
    fixed[4..8].copy_from_slice(&(1_u32 << LISTEN).to_ne_bytes());
    Request::new(BY_FAMILY, REQUEST | ALL, &fixed)
}

/// Reads a socket out of `inet_diag_msg`:
///
/// ```text
///  0 family, state, timer, retransmits
///  4 own port, other port (network order)
///  8 own address, other address, 16 bytes each
/// 40 interface u32, cookie u64, expires u32
/// 56 receive queue u32, send queue u32: for a listener, how many wait and how many may wait
/// 64 uid u32, inode u32
/// ```
fn read(body: &[u8]) -> Result<Listener, Malformed> {
    let (fixed, rest) =
        body.split_first_chunk::<REPLY_BYTES>().ok_or(Malformed("a socket that is too short"))?;
    if fixed[1] != LISTEN {
        return Err(Malformed("a socket that does not listen"));
    }
    let ip: IpAddr = match fixed[0] {
        FAMILY_4 => address(&fixed[8..12])?,
        FAMILY_6 => address(&fixed[8..24])?,
        _ => return Err(Malformed("a socket of another family")),
    };
    let number = |at: usize| u32::from_ne_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    Ok(Listener {
        address: SocketAddr::new(ip, u16::from_be_bytes([fixed[4], fixed[5]])),
        ipv6_only: if ip.is_ipv6() { is_v6_only(rest)? } else { Some(false) },
        waiting: number(56),
        backlog: number(60),
        interface: NonZeroU32::new(number(40)),
        uid: number(64),
        inode: number(68).into(),
    })
}

fn is_v6_only(bytes: &[u8]) -> Result<Option<bool>, Malformed> {
    let mut only = None;
    for attribute in attributes(bytes) {
        if let (V6_ONLY, data) = attribute? {
            let [flag] = data else { return Err(Malformed("a flag of a wrong length")) };
            only = Some(*flag != 0);
        }
    }
    Ok(only)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpStream};

    use echoline_testing::has_ipv6;
    use proptest::prelude::*;
    use socket2::{Domain, Socket, Type};

    use super::*;

    fn of(address: SocketAddr) -> Option<Listener> {
        tcp_listeners().unwrap().into_iter().find(|socket| socket.address == address)
    }

    fn listener(domain: Domain, only: bool, backlog: i32) -> (Socket, SocketAddr) {
        let socket = Socket::new(domain, Type::STREAM, None).unwrap();
        let ip: IpAddr = if domain == Domain::IPV6 {
            socket.set_only_v6(only).unwrap();
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            [127, 0, 0, 1].into()
        };
        socket.bind(&SocketAddr::new(ip, 0).into()).unwrap();
        socket.listen(backlog).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        (socket, address)
    }

    #[test]
    fn a_listener_shows_how_many_connections_wait_and_may_wait() {
        let (socket, address) = listener(Domain::IPV4, false, 7);
        let _waits = TcpStream::connect(address).unwrap();
        let found = of(address).unwrap();
        assert_eq!((found.waiting, found.backlog), (1, 7));
        assert_eq!((found.ipv6_only, found.interface), (Some(false), None));
        assert_eq!(found.uid, rustix::process::geteuid().as_raw());
        let inode = rustix::fs::fstat(&socket).unwrap().st_ino;
        assert_eq!(found.inode, inode);
        drop(socket);
        assert!(of(address).is_none());
    }

    #[test]
    fn an_ipv6_listener_shows_whether_it_takes_ipv4() {
        if !has_ipv6("an_ipv6_listener_shows_whether_it_takes_ipv4") {
            return;
        }
        for only in [true, false] {
            let (_socket, address) = listener(Domain::IPV6, only, 1);
            assert_eq!(of(address).unwrap().ipv6_only, Some(only));
        }
    }

    #[test]
    fn a_list_of_many_parts_is_complete() {
        // A datagram of 32 KiB holds about 300.
        let sockets: Vec<_> = (0..400).map(|_| listener(Domain::IPV4, false, 1)).collect();
        let found = tcp_listeners().unwrap();
        let has = |address| found.iter().any(|socket| socket.address == address);
        assert!(sockets.iter().all(|(_, address)| has(*address)));
    }

    /// A reply of the kernel about an IPv6 socket.
    fn reply() -> Vec<u8> {
        let mut body = vec![FAMILY_6, LISTEN, 0, 0];
        body.extend(5151_u16.to_be_bytes());
        body.extend([0; 2]);
        body.extend("2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        body.extend([0; 16]);
        for number in [3, 0, 0, 0, 2, 128, 1000, 4711_u32] {
            body.extend(number.to_ne_bytes());
        }
        body.extend([&6_u16.to_ne_bytes()[..], &15_u16.to_ne_bytes(), &[0; 4]].concat());
        body.extend([&5_u16.to_ne_bytes()[..], &11_u16.to_ne_bytes(), &[1, 0, 0, 0]].concat());
        body
    }

    #[test]
    fn a_reply_is_read_field_by_field() {
        let expected = Listener {
            address: "[2001:db8::7]:5151".parse().unwrap(),
            ipv6_only: Some(true),
            waiting: 2,
            backlog: 128,
            interface: NonZeroU32::new(3),
            uid: 1000,
            inode: 4711,
        };
        assert_eq!(read(&reply()), Ok(expected.clone()));
        let unsaid = Listener { ipv6_only: None, ..expected };
        assert_eq!(read(&reply()[..REPLY_BYTES]), Ok(unsaid));
    }

    #[test]
    fn a_truncated_reply_is_malformed_instead_of_left_out() {
        let whole = reply();
        // Not cut: after the fixed part, and after an attribute with or without its padding.
        let sound = [0, 6, 7, 8, 13, 14, 15].map(|behind| REPLY_BYTES + behind);
        for end in (0..whole.len()).filter(|end| !sound.contains(end)) {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_flag_that_is_no_byte_is_malformed() {
        let with = |data: &[u8]| {
            let length = u16::try_from(4 + data.len()).unwrap();
            let flag = [&length.to_ne_bytes()[..], &11_u16.to_ne_bytes(), data].concat();
            read(&[&reply()[..REPLY_BYTES], &flag].concat())
        };
        assert_eq!(with(&[0]).unwrap().ipv6_only, Some(false));
        assert!(with(&[]).is_err() && with(&[1, 0]).is_err());
    }

    #[test]
    fn a_socket_that_was_not_asked_for_is_malformed() {
        for (at, byte) in [(0, 1), (1, 1)] {
            let mut other = reply();
            other[at] = byte;
            assert!(read(&other).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = read(&body);
        }

        #[test]
        fn a_damaged_reply_is_read_without_a_panic(at in 0..88_usize, byte: u8, end in 0..89_usize) {
            let mut body = reply();
            body[at] = byte;
            let _ = read(&body[..end]);
        }
    }
}
