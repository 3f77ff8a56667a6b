//! What happens while a connection is opened.

use std::net::SocketAddr;
use std::time::Duration;

use crate::attempt::Attempt;

/// What [`Socket::connect_with`](super::Socket::connect_with) tells while it works.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ConnectEvent<'a> {
    /// The host has these addresses, in the order in which they are tried.
    Resolved {
        /// Never empty.
        addresses: &'a [SocketAddr],
        /// How long the lookup took.
        took: Duration,
    },
    /// An attempt has started: a connection request is on its way.
    Started(SocketAddr),
    /// An attempt has ended.
    Ended(&'a Attempt),
}
