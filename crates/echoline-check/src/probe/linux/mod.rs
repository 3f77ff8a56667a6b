//! What only Linux tells: routes, neighbours, error queues, sockets, rules.

pub(super) mod address;
mod control;
mod diag;
mod firewall;
pub(super) mod flight;
mod hops;
pub(super) mod job;
pub(super) mod listening;
pub(super) mod machine;
mod own;
