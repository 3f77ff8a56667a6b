//! What was seen, as typed values. `verdict` judges them, `report` puts them in steps.

mod address;
mod connect;
mod conversation;
mod idle;
mod listening;
mod machine;
pub mod mark;
mod name;
mod other_end;
mod path;
pub(crate) mod problem;
mod process;
mod target;
mod word;

pub(crate) use address::AddressFinding;
pub use address::{Control, Neighbour, Route, Way};
pub use connect::{Connect, Ended, Icmp, Requests};
pub use conversation::{Answer, Broke, Conversation, Exchange, LineEnds, Timing, What};
pub use idle::{Idle, IdleEnd, IdleTry, Poke};
pub use listening::{Firewall, Knock, Listener, Place, Queue, Ruling, Stop, Wanted};
pub(crate) use listening::{ListenFindings, takes};
pub use machine::{Address, Listening, Machine, MachineReport, Router};
pub use name::{NameAnswer, NameFinding, NameServer, NameSource};
pub use other_end::{Backends, Whoami};
pub(crate) use path::end_of;
pub use path::{Hop, HopAnswer};
pub use process::HolderProcess;
pub use target::{Expect, Scheme, Target};
pub use word::Word;

use std::net::IpAddr;

use echoline::Family;
use echoline_diagnosis::Diagnosis;

/// Everything that one check saw.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    pub target: Target,
    /// Why the target cannot be read; nothing else was done then.
    pub unreadable: Option<Diagnosis>,
    pub name: Option<NameFinding>,
    /// In the order in which the system prefers them (RFC 6724).
    pub addresses: Vec<AddressFinding>,
    /// Which addresses were asked for.
    pub family: Family,
    /// The address to connect from, where it alone decided which family of the name is tried.
    pub narrowed_by: Option<IpAddr>,
    /// Addresses of the name beyond those that are probed.
    pub addresses_left_out: usize,
    pub conversation: Option<Conversation>,
    pub timing: Option<Timing>,
    /// Only when told to ask.
    pub whoami: Option<Whoami>,
    pub backends: Option<Backends>,
    /// Only when told, and only where all else was well.
    pub idle: Option<Idle>,
    /// Somebody ended it early.
    pub interrupted: bool,
}
