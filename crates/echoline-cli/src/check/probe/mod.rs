//! The probes: each looks at one thing and writes down what it saw. All I/O of check is here.

mod address;
mod command;
mod control;
mod conversation;
mod diag;
mod dns;
mod firewall;
mod flight;
mod hops;
mod idle;
mod listening;
mod machine;
mod name;
mod netlink;
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

use std::time::Duration;

/// A time as it stands in findings.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
