//! The sockets that listen: as the kernel's own table has them, or else as /proc shows them.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use echoline_sys::{Listener, tcp_listeners};
use procfs::net::TcpState;

use crate::evidence::Queue;
use crate::probe::sockets::tcp_sockets;

/// A socket that listens.
pub(super) struct ListeningSocket {
    pub(super) address: SocketAddr,
    /// `Some(true)`: of IPv6, and takes no IPv4. `None`: not known.
    pub(super) ipv6_only: Option<bool>,
    pub(super) queue: Queue,
    /// The one interface that it is bound to (`SO_BINDTODEVICE`), by its number.
    pub(super) interface: Option<NonZeroU32>,
    pub(super) uid: u32,
    pub(super) inode: u64,
}

/// All of this machine, or of this network namespace; `None` where the system shows none at all.
pub(super) fn listening() -> Option<Vec<ListeningSocket>> {
    match tcp_listeners() {
        Ok(listeners) => Some(listeners.into_iter().map(ListeningSocket::from).collect()),
        // The module tcp_diag may be missing.
        Err(_) => from_proc(),
    }
}

impl From<Listener> for ListeningSocket {
    fn from(listener: Listener) -> Self {
        Self {
            address: listener.address,
            ipv6_only: listener.ipv6_only,
            queue: Queue { waiting: listener.waiting, may_wait: Some(listener.backlog) },
            interface: listener.interface,
            uid: listener.uid,
            inode: listener.inode,
        }
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

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use socket2::{Domain, Socket, Type};

    use super::*;

    fn of(address: SocketAddr) -> Option<ListeningSocket> {
        listening()?.into_iter().find(|socket| socket.address == address)
    }

    #[test]
    fn a_listener_shows_how_many_connections_wait_and_may_wait() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(7).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let _waits = TcpStream::connect(address).unwrap();
        let found = of(address).unwrap();
        assert_eq!(found.queue, Queue { waiting: 1, may_wait: Some(7) });
        assert_eq!(from_proc().unwrap().iter().find(|one| one.address == address).unwrap().queue.waiting, 1);
        drop(socket);
        assert!(of(address).is_none());
    }
}
