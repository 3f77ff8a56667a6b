//! The probes: each looks at one thing and writes down what it saw. All I/O of check is here.
//!
//! `linux` asks what only Linux tells. The rest uses sockets and files as any system has them; most
//! of it runs only beside the former.

pub(crate) mod holder;
pub(crate) mod reach;

#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod conversation;
#[cfg(target_os = "linux")]
mod dns;
#[cfg(target_os = "linux")]
mod exact;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod name;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod time;
#[cfg(target_os = "linux")]
mod timing;
#[cfg(target_os = "linux")]
mod whoami;

#[cfg(target_os = "linux")]
pub(crate) use self::{
    conversation::{Manners, converse},
    idle::{Plan as IdlePlan, hold as hold_idle},
    linux::address::probe as probe_address,
    linux::job::{Job, on_port},
    linux::listening::look as look_at_listening,
    linux::machine::look as look_at_machine,
    name::look_up,
    whoami::{ask as ask_whoami, ask_backends},
};
