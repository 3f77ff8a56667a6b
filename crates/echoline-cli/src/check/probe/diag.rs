//! The sockets that listen, as the kernel's own table has them (sock_diag(7)): with the queue of connections that wait
//! to be taken, and whether an IPv6 socket takes IPv4 too. /proc/net/tcp shows neither of the two.

use super::netlink::{ERROR, NETLINK, REQUEST, attributes};
use crate::check::findings::Queue;
use crate::sockets::tcp_sockets;
use procfs::net::TcpState;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A socket that listens.
pub(super) struct ListeningSocket {
    pub(super) address: SocketAddr,
    /// `Some(true)`: of IPv6, and takes no IPv4. `None`: not known.
    pub(super) ipv6_only: Option<bool>,
    pub(super) queue: Queue,
    /// The one interface that it is bound to (`SO_BINDTODEVICE`), by its number.
    pub(super) interface: Option<u32>,
    pub(super) uid: u32,
    pub(super) inode: u64,
}

/// All of this machine, or of this network namespace; `None` where the system shows none at all.
pub(super) fn listening() -> Option<Vec<ListeningSocket>> {
    let asked: io::Result<Vec<_>> = [FAMILY_4, FAMILY_6].into_iter().map(dump).collect();
    match asked {
        Ok(sockets) => Some(sockets.into_iter().flatten().collect()),
        // The module tcp_diag may be missing.
        Err(_) => from_proc(),
    }
}

fn from_proc() -> Option<Vec<ListeningSocket>> {
    let entries = tcp_sockets()?.into_iter().filter(|entry| entry.state == TcpState::Listen);
    Some(
        entries
            .map(|entry| ListeningSocket {
                address: entry.local_address,
                ipv6_only: None,
                queue: Queue { waiting: entry.rx_queue, may_wait: None },
                interface: None,
                uid: entry.uid,
                inode: entry.inode,
            })
            .collect(),
    )
}

/// `NETLINK_SOCK_DIAG`, and its one question (linux/sock_diag.h, linux/inet_diag.h).
const SOCK_DIAG: i32 = 4;
const BY_FAMILY: u16 = 20;
/// `NLM_F_ROOT | NLM_F_MATCH`: all that fit.
const DUMP: u16 = 0x300;
const DONE: u16 = 3;
const FAMILY_4: u8 = 2;
const FAMILY_6: u8 = 10;
const TCP: u8 = 6;
/// `1 << TCP_LISTEN`
const LISTEN_ONLY: u32 = 1 << 10;
const HEADER: usize = 16;
/// inet_diag_req_v2 and inet_diag_msg.
const QUESTION: usize = 56;
const ANSWER: usize = 72;
/// `INET_DIAG_SKV6ONLY`
const V6_ONLY: u16 = 11;
/// A machine with more listening sockets than fit into so many messages is told to be unreadable.
const MAX_MESSAGES: usize = 1_000;

fn dump(family: u8) -> io::Result<Vec<ListeningSocket>> {
    let mut socket = Socket::new(Domain::from(NETLINK), Type::RAW, Some(Protocol::from(SOCK_DIAG)))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut question = Vec::with_capacity(HEADER + QUESTION);
    question.extend(u32::try_from(HEADER + QUESTION).unwrap_or_default().to_ne_bytes());
    question.extend(BY_FAMILY.to_ne_bytes());
    question.extend((REQUEST | DUMP).to_ne_bytes());
    question.extend([0; 8]);
    question.extend([family, TCP, 0, 0]);
    question.extend(LISTEN_ONLY.to_ne_bytes());
    question.resize(HEADER + QUESTION, 0);
    socket.send(&question)?;
    let mut sockets = Vec::new();
    let mut buffer = vec![0; 32 * 1024];
    for _ in 0..MAX_MESSAGES {
        let length = socket.read(&mut buffer)?;
        let mut rest = &buffer[..length];
        while let Some((kind, body, after)) = message(rest) {
            match kind {
                DONE => return done(body).map(|()| sockets),
                ERROR => return Err(io::Error::other("the kernel does not list sockets")),
                _ => sockets.extend(socket_of(body)),
            }
            rest = after;
        }
    }
    Err(io::Error::other("the list of sockets has no end"))
}

/// The end of a list says whether it is one: without the kernel's `tcp_diag` it is empty, and an error.
fn done(body: &[u8]) -> io::Result<()> {
    let error = body.get(..4).and_then(|error| error.try_into().ok()).map_or(0, i32::from_ne_bytes);
    if error < 0 { Err(io::Error::from_raw_os_error(error.saturating_neg())) } else { Ok(()) }
}

/// The kind and the body of the first message, and what follows it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

fn socket_of(body: &[u8]) -> Option<ListeningSocket> {
    let (fixed, rest) = (body.get(..ANSWER)?, &body[ANSWER..]);
    let number = |at: usize| Some(u32::from_ne_bytes(fixed.get(at..at + 4)?.try_into().ok()?));
    let port = u16::from_be_bytes([fixed[4], fixed[5]]);
    let is_ipv6 = fixed[0] == FAMILY_6;
    let ip: IpAddr = if is_ipv6 {
        <[u8; 16]>::try_from(&fixed[8..24]).ok()?.into()
    } else {
        <[u8; 4]>::try_from(&fixed[8..12]).ok()?.into()
    };
    let only =
        attributes(rest).find(|(kind, _)| *kind == V6_ONLY).and_then(|(_, data)| data.first().copied());
    Some(ListeningSocket {
        address: SocketAddr::new(ip, port),
        ipv6_only: if is_ipv6 { only.map(|only| only != 0) } else { Some(false) },
        queue: Queue { waiting: number(56)?, may_wait: Some(number(60)?) },
        interface: number(40).filter(|index| *index != 0),
        uid: number(64)?,
        inode: number(68)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpListener, TcpStream};

    fn of(address: SocketAddr) -> Option<ListeningSocket> {
        listening()?.into_iter().find(|socket| socket.address == address)
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
        assert_eq!(found.queue, Queue { waiting: 1, may_wait: Some(7) });
        assert_eq!(from_proc().unwrap().iter().find(|one| one.address == address).unwrap().queue.waiting, 1);
        drop(socket);
        assert!(of(address).is_none());
    }

    #[test]
    fn an_ipv6_listener_shows_whether_it_takes_ipv4() {
        if TcpListener::bind("[::1]:0").is_err() {
            return;
        }
        for only in [true, false] {
            let (_socket, address) = listener(Domain::IPV6, only, 1);
            assert_eq!(of(address).unwrap().ipv6_only, Some(only));
        }
    }

    #[test]
    fn a_list_that_the_kernel_could_not_make_is_not_taken_for_an_empty_one() {
        assert!(done(&0_i32.to_ne_bytes()).is_ok());
        assert!(done(&[]).is_ok());
        let error = done(&(-2_i32).to_ne_bytes()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_cut_message_ends_the_list_instead_of_panicking() {
        let whole = [&24_u32.to_ne_bytes()[..], &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[7; 8]].concat();
        assert!(
            message(&whole).is_some_and(|(kind, body, rest)| (kind, body.len(), rest.len()) == (20, 8, 0))
        );
        for end in 0..whole.len() {
            assert!(message(&whole[..end]).is_none());
        }
        assert!(socket_of(&[0; ANSWER - 1]).is_none());
    }
}
