//! Questions over netlink(7): one request to the kernel, and its replies.
//!
//! [`message`] encodes and parses, and [`replies`] selects the replies to a request, both without
//! I/O. [`exchange`] sends and receives. [`route`] and [`neighbour`] are the questions of
//! rtnetlink(7). `sock_diag` uses the same exchange.

mod exchange;
mod message;
mod neighbour;
mod replies;
mod route;

pub use neighbour::{NeighbourState, neighbour};
pub use route::{Route, route_to};

pub(crate) use exchange::ask_list;
pub(crate) use message::{FAMILY_4, FAMILY_6, Malformed, Request, address, attributes};

/// The flag of every request (`NLM_F_REQUEST`).
pub(crate) const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
/// The flag that asks for a list instead of one entry (`NLM_F_DUMP`).
pub(crate) const ALL: u16 = libc::NLM_F_DUMP as u16;
