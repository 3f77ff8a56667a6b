//! The probes: each looks at one thing and writes down what it saw. All I/O of check is here.

mod address;
mod control;
mod conversation;
mod dns;
mod flight;
mod hops;
mod machine;
mod name;
mod netlink;
mod own;
mod timing;
mod whoami;

pub(super) use address::{Job, probe as probe_address};
pub(super) use conversation::converse;
pub(super) use machine::look as look_at_machine;
pub(super) use name::look_up;
pub(super) use whoami::{ask as ask_whoami, ask_backends};

use std::time::Duration;

/// A time as it stands in findings.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
