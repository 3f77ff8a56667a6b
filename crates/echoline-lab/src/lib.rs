//! A small internet on one Linux machine, without root.
//!
//! Hosts, routers, NAT, firewalls and names are the real kernel's, in namespaces; links that delay, lose and
//! reorder are ours. Nothing outlives the process that built the lab.
//!
//! A process that has entered can stand on every host: a socket stays in the namespace in which it was made.
//!
//! ```no_run
//! use echoline_lab::{Lab, Options, Topology, enter};
//! use std::net::{TcpListener, TcpStream};
//!
//! let inside = enter()?; // before any thread starts: in a test, `harness = false` and first in `main`
//! let lab = Lab::build(&inside, &Topology::shipped("home")?, Options::default())?;
//! let listener = lab.on("server", || TcpListener::bind("203.0.113.10:5151"))??;
//! let client = lab.on("laptop", || TcpStream::connect("203.0.113.10:5151"))??;
//! let (_, peer) = listener.accept()?;
//! assert_eq!(peer.ip().to_string(), "203.0.113.2"); // the router: the server never sees the laptop
//! lab.change(&"link wan loss=5% delay=20ms".parse()?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(unsafe_code)]

// What a lab is, and how it is built.
mod plan;
pub mod topology;

// Where it is built.
mod attend;
mod enter;
mod place;
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

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

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
