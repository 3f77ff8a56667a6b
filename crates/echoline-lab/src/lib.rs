//! A small internet on one Linux machine, without root.
//!
//! Hosts, routers, NAT, firewalls and names are the real kernel's, in namespaces; links that delay, lose and
//! reorder are ours. Nothing outlives the process that built the lab.

#![deny(unsafe_code)]

// What a lab is, and how it is built.
mod plan;
pub mod topology;

// Where it is built.
mod enter;
mod preflight;
#[allow(unsafe_code)]
mod sys;

// What runs in it.
pub mod capture;
mod change;
mod lab;
pub mod link;
mod names;
mod packet;
mod running;
mod scenario;
mod watch;

mod error;

pub use crate::change::{Change, LinkChange, NamesChange};
pub use crate::enter::{Inside, enter, is_inside};
pub use crate::error::LabError;
pub use crate::lab::{Explain, Lab, Options};
pub use crate::names::Manner;
pub use crate::preflight::preflight;
pub use crate::running::{Control, Running};
pub use crate::scenario::{Act, Expect, Played, SHIPPED_SCENARIOS, Scenario, ShippedScenario, Step};
pub use crate::topology::{SHIPPED, Topology, TopologyError};
pub use crate::watch::{Watch, Watched};
