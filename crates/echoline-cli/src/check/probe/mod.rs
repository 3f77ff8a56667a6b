//! The probes: each looks at one thing and writes down what it saw. All I/O of check is here.

mod address;
mod command;
mod compare;
mod control;
mod conversation;
mod diag;
mod dns;
mod exact;
mod firewall;
mod flight;
mod hops;
mod idle;
mod listening;
mod machine;
mod name;
mod own;
mod timing;
mod whoami;

pub(super) use address::{Job, probe as probe_address};
pub(super) use conversation::converse;
pub(super) use idle::{Plan as IdlePlan, hold as hold_idle};
pub(super) use listening::look as look_at_listening;
pub(super) use machine::look as look_at_machine;
pub(super) use name::look_up;
pub(super) use whoami::{ask as ask_whoami, ask_backends};

use echoline_sys::interface_name;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

/// A time as it stands in findings.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The name of the interface of a route. It may have gone since.
fn name_of(interface: NonZeroU32) -> String {
    interface_name(interface).answer().unwrap_or_else(|| "?".to_owned())
}

/// The same host on another port. Its zone stays, without which a link-local address leads nowhere (RFC 4007).
pub(super) fn on_port(mut address: SocketAddr, port: u16) -> SocketAddr {
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
