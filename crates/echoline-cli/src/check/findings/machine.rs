//! This machine: its addresses, routers and name servers, and who listens.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{Word, mark};
use crate::holder::HolderProcess;

/// What there is, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Machine {
    pub(in crate::check) addresses: Vec<Address>,
    /// Towards everywhere else: one for each family at most.
    pub(in crate::check) routers: Vec<Router>,
    #[serde(serialize_with = "mark::host")]
    pub(in crate::check) name_servers: Vec<String>,
    pub(in crate::check) listening: Vec<Listening>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Address {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) address: IpAddr,
    pub(in crate::check) kind: Word,
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) interface: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Router {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) address: IpAddr,
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) interface: String,
}

/// A port on which a program waits for connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Listening {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) address: SocketAddr,
    /// `None`: another user's, which only root may see.
    pub(in crate::check) program: Option<HolderProcess>,
}

/// The report about this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub(in crate::check) struct MachineReport {
    /// The kind of document and its version: `echoline-check-machine/1`.
    pub(in crate::check) schema: Word,
    /// What there is.
    pub(in crate::check) machine: Machine,
}

impl MachineReport {
    pub(in crate::check) fn new(machine: Machine) -> Self {
        Self { schema: "echoline-check-machine/1".into(), machine }
    }
}
