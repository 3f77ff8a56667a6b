//! What belongs to this machine: its addresses, and the ports on which its programs listen.

use super::diag;
use crate::check::findings::Queue;
use if_addrs::get_if_addrs;
use std::net::{IpAddr, SocketAddr};

/// Is it an address of this machine?
pub(super) fn is_own(ip: IpAddr) -> bool {
    // A connection to "any" goes to this machine itself.
    ip.is_loopback()
        || ip.is_unspecified()
        || get_if_addrs().is_ok_and(|interfaces| interfaces.iter().any(|interface| interface.ip() == ip))
}

/// The queue of the program of this machine that listens there, if one does. `None` where the system does not show it.
pub(super) fn listener(address: SocketAddr) -> Option<Option<Queue>> {
    let wanted = address.ip().to_canonical();
    let serves = |held: IpAddr, ipv6_only: Option<bool>| {
        let any = held.is_unspecified() && (wanted.is_ipv4() == held.is_ipv4() || ipv6_only != Some(true));
        held == wanted || (any && (held.is_ipv6() || wanted.is_ipv4()))
    };
    let listening = diag::listening()?.into_iter();
    let mut there = listening.filter(|socket| {
        socket.address.port() == address.port()
            && serves(socket.address.ip().to_canonical(), socket.ipv6_only)
    });
    Some(there.next().map(|socket| socket.queue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_this_process_is_seen_and_its_end_too() {
        let bound = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = bound.local_addr().unwrap();
        assert!(matches!(listener(address), Some(Some(_))));
        drop(bound);
        assert_eq!(listener(address), Some(None));
    }
}
