//! The system questions that no kept crate answers, each safe to ask. Linux only; elsewhere this
//! crate is empty.
//!
//! | question | answer |
//! |---|---|
//! | [`route_to`] | which route a packet would take (rtnetlink(7)) |
//! | [`neighbour`] | whether a machine on the same network answers (rtnetlink(7), arp(7)) |
//! | [`interface_name`] | the name of an interface (netdevice(7)) |
//! | [`tcp_listeners`] | which sockets listen, and how full their queues are (sock_diag(7)) |
//! | [`next_error`] | which ICMP messages a socket's packets caused (ip(7), ipv6(7)) |
//! | [`tcp_info`], [`unacknowledged`] | what became of the data that a socket sent (tcp(7)) |
//! | [`backlog`] | how many connections may wait for a listener (tcp(7)) |
//!
//! A question to which the kernel can say no returns an [`Outcome`], in which a failed question
//! never looks like a no. The others return a [`Result`](std::io::Result): an answer, or a failed
//! question. `keep_freed_memory` is a setting of the allocator (mallopt(3)).
#![cfg(target_os = "linux")]
#![deny(unsafe_code)]

#[cfg(target_env = "gnu")]
#[allow(unsafe_code)]
mod allocator;
mod error_queue;
mod interface;
mod netlink;
mod outcome;
mod sock_diag;
#[allow(unsafe_code)]
mod tcp_info;
#[allow(unsafe_code)]
mod unacknowledged;

/// The kernel's error numbers (errno(3)).
pub use rustix::io::Errno;

#[cfg(target_env = "gnu")]
pub use allocator::keep_freed_memory;
pub use error_queue::{IcmpError, IcmpVersion, QueuedError, next_error, queue_errors};
pub use interface::interface_name;
pub use netlink::{NeighbourState, Route, neighbour, route_to};
pub use outcome::Outcome;
pub use sock_diag::{Listener, tcp_listeners};
pub use tcp_info::{TcpInfo, backlog, tcp_info};
pub use unacknowledged::unacknowledged;
