//! The error queue of a socket: ICMP messages about its packets (ip(7), `IP_RECVERR`; ipv6(7),
//! `IPV6_RECVERR`; recvmsg(2), `MSG_ERRQUEUE`).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::sockopt::socket_domain;

use crate::Outcome;

/// An entry of a socket's error queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueuedError {
    /// An ICMP message about a packet of this socket.
    Icmp(IcmpError),
    /// Something else, with the kernel's numbers.
    Other {
        /// Where it comes from (`ee_origin`, `SO_EE_ORIGIN_*`): 1 is this machine, 4 a time stamp.
        origin: u8,
        /// The error number (`ee_errno`).
        errno: u32,
    },
}

/// An ICMP message about a packet that a socket sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IcmpError {
    /// The version, without which type and code mean nothing.
    pub version: IcmpVersion,
    /// The type (RFC 792, RFC 4443 section 2.1).
    pub kind: u8,
    /// The code, within the type.
    pub code: u8,
    /// The sender of the message: a router, the destination, or this machine. `None` if the kernel
    /// does not name it. An attacker can forge it.
    pub offender: Option<IpAddr>,
}

/// A version of ICMP. Their types and codes differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpVersion {
    /// ICMP for IPv4 (RFC 792).
    V4,
    /// ICMPv6 (RFC 4443).
    V6,
}

/// Makes the kernel queue errors for a socket, from now on. Without this its queue stays empty.
///
/// # Errors
/// What setsockopt(2) reports; [`io::ErrorKind::Unsupported`] for a socket of neither IPv4 nor
/// IPv6.
pub fn queue_errors(socket: impl AsFd) -> io::Result<()> {
    let set = match socket_domain(&socket)? {
        AddressFamily::INET => setsockopt(&socket, sockopt::Ipv4RecvErr, &true),
        AddressFamily::INET6 => setsockopt(&socket, sockopt::Ipv6RecvErr, &true),
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    Ok(set?)
}

/// Takes the next entry out of a socket's error queue. Never waits.
///
/// A no is `EAGAIN`: the queue is empty now. The question fails with what recvmsg(2) reports, with
/// `ENOBUFS` if the entry is too large, and with [`io::ErrorKind::InvalidData`] if it contains no
/// error.
///
/// Taking an entry changes the socket's pending error (`SO_ERROR`). Read that first if you need
/// both.
pub fn next_error(socket: impl AsFd) -> Outcome<QueuedError> {
    match receive(socket) {
        Ok(Some(error)) => Outcome::Answer(error),
        Ok(None) => Outcome::Failed(io::Error::new(io::ErrorKind::InvalidData, "an entry without an error")),
        Err(nix::Error::EAGAIN) => Outcome::No(Errno::AGAIN),
        Err(errno) => Outcome::Failed(errno.into()),
    }
}

fn receive(socket: impl AsFd) -> nix::Result<Option<QueuedError>> {
    // The start of the packet that caused the error. It is not used.
    let mut packet = [0; 256];
    let mut parts = [IoSliceMut::new(&mut packet)];
    // An error with its address takes 44 bytes. The rest is for time stamps, if they are on.
    let mut space = nix::cmsg_space!([u8; 128]);
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<()>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    Ok(message.cmsgs()?.find_map(|control| error_of(&control)))
}

/// The error in a control message; `None` if the message is of another kind.
fn error_of(control: &ControlMessageOwned) -> Option<QueuedError> {
    match control {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            let from = from.filter(|from| i32::from(from.sin_family) == libc::AF_INET);
            Some(queued(error, from.map(|from| from.sin_addr.s_addr.to_ne_bytes().into())))
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => {
            let from = from.filter(|from| i32::from(from.sin6_family) == libc::AF_INET6);
            // On an IPv6 socket that speaks IPv4, addresses have the form ::ffff:a.b.c.d.
            Some(queued(error, from.map(|from| Ipv6Addr::from(from.sin6_addr.s6_addr).to_canonical())))
        }
        _ => None,
    }
}

fn queued(error: &libc::sock_extended_err, offender: Option<IpAddr>) -> QueuedError {
    let version = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP => IcmpVersion::V4,
        libc::SO_EE_ORIGIN_ICMP6 => IcmpVersion::V6,
        origin => return QueuedError::Other { origin, errno: error.ee_errno },
    };
    QueuedError::Icmp(IcmpError { version, kind: error.ee_type, code: error.ee_code, offender })
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use echoline_testing::skip;
    use proptest::prelude::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use socket2::{Domain, Protocol, Socket, Type};

    use super::*;

    /// A socket connected to a closed port of this machine. The second socket reserves that port,
    /// and is connected elsewhere, so it receives nothing from the first.
    fn to_a_closed_port(ip: &str) -> Option<(UdpSocket, UdpSocket)> {
        let ip: IpAddr = ip.parse().unwrap();
        let at = |port| SocketAddr::new(ip, port);
        let keeper = UdpSocket::bind(at(0)).ok()?;
        keeper.connect(at(9)).unwrap();
        let socket = UdpSocket::bind(at(0)).unwrap();
        socket.connect(keeper.local_addr().unwrap()).unwrap();
        Some((socket, keeper))
    }

    /// Waits until the socket has an error.
    fn wait(socket: impl AsFd) {
        let patience = Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(&socket, PollFlags::empty())], Some(&patience)), Ok(1));
    }

    #[test]
    fn a_closed_port_causes_an_icmp_message_with_its_sender() {
        for (ip, version, kind, code) in
            [("127.0.0.1", IcmpVersion::V4, 3, 3), ("::1", IcmpVersion::V6, 1, 4)]
        {
            let Some((socket, _keeper)) = to_a_closed_port(ip) else {
                skip("a_closed_port_causes_an_icmp_message_with_its_sender", ip);
                continue;
            };
            queue_errors(&socket).unwrap();
            assert!(matches!(next_error(&socket), Outcome::No(Errno::AGAIN)));
            socket.send(b"?").unwrap();
            wait(&socket);
            let offender = Some(ip.parse().unwrap());
            let expected = QueuedError::Icmp(IcmpError { version, kind, code, offender });
            assert_eq!(next_error(&socket).answer(), Some(expected));
            assert!(matches!(next_error(&socket), Outcome::No(Errno::AGAIN)));
        }
    }

    #[test]
    fn without_the_option_the_queue_stays_empty() {
        let (socket, _keeper) = to_a_closed_port("127.0.0.1").unwrap();
        socket.send(b"?").unwrap();
        wait(&socket);
        assert!(matches!(next_error(&socket), Outcome::No(Errno::AGAIN)));
    }

    #[test]
    fn a_local_error_is_no_icmp_message() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(socket.local_addr().unwrap()).unwrap();
        queue_errors(&socket).unwrap();
        // One byte more than fits into an IPv4 packet with its two headers.
        assert!(socket.send(&[0; 65_535 - 20 - 8 + 1]).is_err());
        let Outcome::Answer(QueuedError::Other { origin, errno }) = next_error(&socket) else {
            panic!("no local error");
        };
        assert_eq!((origin, errno), (libc::SO_EE_ORIGIN_LOCAL, libc::EMSGSIZE.cast_unsigned()));
    }

    #[test]
    fn a_reset_causes_no_message() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        queue_errors(&socket).unwrap();
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        assert!(socket.connect(&bound.local_addr().unwrap()).is_err());
        assert!(matches!(next_error(&socket), Outcome::No(Errno::AGAIN)));
    }

    #[test]
    fn a_file_has_no_error_queue_and_does_not_look_like_an_empty_one() {
        let outcome = next_error(std::fs::File::open("/dev/null").unwrap());
        let Outcome::Failed(reason) = outcome else { panic!("{outcome:?}") };
        assert_eq!(reason.raw_os_error(), Some(libc::ENOTSOCK));
        let other = UnixDatagram::unbound().unwrap();
        assert_eq!(queue_errors(other).unwrap_err().kind(), io::ErrorKind::Unsupported);
    }

    fn error(origin: u8) -> libc::sock_extended_err {
        libc::sock_extended_err {
            ee_errno: libc::EHOSTUNREACH.cast_unsigned(),
            ee_origin: origin,
            ee_type: 3,
            ee_code: 1,
            ee_pad: 0,
            ee_info: 0,
            ee_data: 0,
        }
    }

    fn from_v4(family: i32, octets: [u8; 4]) -> libc::sockaddr_in {
        libc::sockaddr_in {
            sin_family: family.try_into().unwrap(),
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(octets) },
            sin_zero: [0; 8],
        }
    }

    fn from_v6(family: i32, octets: [u8; 16]) -> libc::sockaddr_in6 {
        libc::sockaddr_in6 {
            sin6_family: family.try_into().unwrap(),
            sin6_port: 0,
            sin6_flowinfo: 0,
            sin6_addr: libc::in6_addr { s6_addr: octets },
            sin6_scope_id: 0,
        }
    }

    fn icmp(version: IcmpVersion, offender: Option<&str>) -> Option<QueuedError> {
        let offender = offender.map(|ip| ip.parse().unwrap());
        Some(QueuedError::Icmp(IcmpError { version, kind: 3, code: 1, offender }))
    }

    #[test]
    fn the_origin_gives_the_version_and_the_family_whether_there_is_an_address() {
        let v4 = |origin, from| error_of(&ControlMessageOwned::Ipv4RecvErr(error(origin), from));
        let v6 = |origin, from| error_of(&ControlMessageOwned::Ipv6RecvErr(error(origin), from));
        let router = from_v4(libc::AF_INET, [192, 0, 2, 1]);
        assert_eq!(v4(2, Some(router)), icmp(IcmpVersion::V4, Some("192.0.2.1")));
        assert_eq!(v4(2, Some(from_v4(libc::AF_UNSPEC, [0; 4]))), icmp(IcmpVersion::V4, None));
        assert_eq!(v4(2, None), icmp(IcmpVersion::V4, None));
        let from = |ip: &str| from_v6(libc::AF_INET6, ip.parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(v6(3, Some(from("2001:db8::1"))), icmp(IcmpVersion::V6, Some("2001:db8::1")));
        assert_eq!(v6(3, Some(from_v6(libc::AF_UNSPEC, [0; 16]))), icmp(IcmpVersion::V6, None));
        // An IPv6 socket that speaks IPv4.
        assert_eq!(v6(2, Some(from("::ffff:192.0.2.1"))), icmp(IcmpVersion::V4, Some("192.0.2.1")));
        let errno = libc::EHOSTUNREACH.cast_unsigned();
        assert_eq!(v4(1, None), Some(QueuedError::Other { origin: 1, errno }));
        assert_eq!(error_of(&ControlMessageOwned::Ipv4Ttl(3)), None);
    }

    proptest! {
        #[test]
        fn only_the_two_icmp_origins_are_icmp_messages(origin: u8, octets: [u8; 16]) {
            let from = from_v6(libc::AF_INET6, octets);
            let found = error_of(&ControlMessageOwned::Ipv6RecvErr(error(origin), Some(from)));
            let is_icmp = matches!(found, Some(QueuedError::Icmp(_)));
            prop_assert_eq!(is_icmp, matches!(origin, 2 | 3));
        }
    }
}
