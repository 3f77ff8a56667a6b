//! This machine: its addresses, routers and name servers, and who listens.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::mark;
use super::process::HolderProcess;
use super::word::Word;

/// What there is, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Towards everywhere else: one for each family at most.
    pub routers: Vec<Router>,
    /// The name servers that it is configured to ask.
    #[serde(serialize_with = "mark::host")]
    pub name_servers: Vec<String>,
    /// The ports on which programs wait for connections.
    pub listening: Vec<Listening>,
}

/// An address of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Address {
    /// The address.
    #[serde(serialize_with = "mark::address")]
    pub address: IpAddr,
    /// What kind of address it is, in one word.
    pub kind: Word,
    /// The interface that has it.
    #[serde(serialize_with = "mark::foreign")]
    pub interface: String,
}

/// A router that this machine uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Router {
    /// Its address.
    #[serde(serialize_with = "mark::address")]
    pub address: IpAddr,
    /// The interface towards it.
    #[serde(serialize_with = "mark::foreign")]
    pub interface: String,
}

/// A port on which a program waits for connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listening {
    /// The address and the port.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// `None`: another user's, which only root may see.
    pub program: Option<HolderProcess>,
}

/// The report about this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MachineReport {
    /// The kind of document and its version: `echoline-check-machine/1`.
    pub schema: Word,
    /// What there is.
    pub machine: Machine,
}

impl MachineReport {
    pub(crate) fn new(machine: Machine) -> Self {
        Self { schema: "echoline-check-machine/1".into(), machine }
    }
}
