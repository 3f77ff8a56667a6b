//! What belongs to this machine: its addresses, and the ports on which its programs listen.

use std::net::{IpAddr, SocketAddr};

use if_addrs::{Interface, get_if_addrs};

use super::diag::{self, ListeningSocket};
use crate::evidence::{Queue, takes};

/// Is it an address of this machine?
pub(super) fn is_own(ip: IpAddr) -> bool {
    // A connection to "any" goes to this machine itself.
    ip.is_loopback()
        || ip.is_unspecified()
        || get_if_addrs().is_ok_and(|interfaces| interfaces.iter().any(|interface| interface.ip() == ip))
}

/// The queue of the program of this machine that listens there, if one does. `None` where the system does not show it.
pub(super) fn listener(address: SocketAddr) -> Option<Option<Queue>> {
    let interfaces = interfaces_of(address.ip())?;
    let mut listening = diag::listening()?.into_iter();
    Some(listening.find(|socket| serves(socket, address, &interfaces)).map(|socket| socket.queue))
}

/// Does a connection from this machine come to that socket?
fn serves(socket: &ListeningSocket, address: SocketAddr, interfaces: &[u32]) -> bool {
    let at = takes(socket.address.ip(), socket.ipv6_only, address.ip());
    // A socket may be bound to an interface, and Linux takes a connection to an own address as one that came in by the
    // interface which has it, though it went over loopback.
    let here = socket.interface.is_none_or(|interface| interfaces.contains(&interface.get()));
    socket.address.port() == address.port() && at && here
}

/// The numbers of the interfaces that have an address of this machine.
fn interfaces_of(ip: IpAddr) -> Option<Vec<u32>> {
    // All of 127.0.0.0/8 is loopback's, and "any" is loopback too.
    let wanted = |interface: &Interface| match ip {
        _ if ip.is_loopback() || ip.is_unspecified() => interface.is_loopback(),
        _ => interface.ip() == ip,
    };
    let interfaces = get_if_addrs().ok()?;
    Some(
        interfaces
            .iter()
            .filter(|interface| wanted(interface))
            .filter_map(|interface| interface.index)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_listener_of_this_process_is_seen_and_its_end_too() {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = bound.local_addr().unwrap();
        assert!(matches!(listener(address), Some(Some(_))));
        drop(bound);
        assert_eq!(listener(address), Some(None));
    }

    #[test]
    fn a_socket_that_is_bound_to_an_interface_takes_connections_to_addresses_of_that_one_alone() {
        let bound = |interface: Option<u32>| ListeningSocket {
            address: "0.0.0.0:80".parse().unwrap(),
            ipv6_only: Some(false),
            queue: Queue { waiting: 0, may_wait: None },
            interface: interface.and_then(NonZeroU32::new),
            uid: 0,
            inode: 1,
        };
        let loopback = interfaces_of([127, 0, 0, 2].into()).unwrap();
        let to: SocketAddr = "127.0.0.2:80".parse().unwrap();
        assert!(serves(&bound(None), to, &loopback));
        assert!(serves(&bound(Some(loopback[0])), to, &loopback));
        assert!(!serves(&bound(Some(7)), to, &[1]));
        assert!(!serves(&bound(None), "127.0.0.2:81".parse().unwrap(), &loopback));
    }
}
