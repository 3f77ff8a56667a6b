//! What to look at of one address.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::cancel::Cancel;

/// What to look at, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) source: Option<IpAddr>,
    pub(crate) deadline: Instant,
    /// Other ports of the host may be asked.
    pub(crate) controls: bool,
    /// Routers on the way are asked also when the connection stands.
    pub(crate) hops: bool,
    pub(crate) cancel: &'a Cancel,
}

/// The same host on another port. Its zone stays, without which a link-local address leads nowhere (RFC 4007).
pub(crate) fn on_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_port_of_a_link_local_host_is_in_the_same_zone() {
        let host: SocketAddr = "[fe80::9%3]:5151".parse().unwrap();
        assert_eq!(on_port(host, 22), "[fe80::9%3]:22".parse().unwrap());
    }
}
