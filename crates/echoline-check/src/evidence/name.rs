//! The addresses of a name, and who was asked for them.

use std::net::IpAddr;

use echoline_diagnosis::Diagnosis;
use serde::{Deserialize, Serialize};

use super::{mark, problem};

/// The addresses of a name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameFinding {
    /// Where they come from.
    pub source: NameSource,
    /// In the order in which the system prefers them.
    #[serde(serialize_with = "mark::address")]
    pub addresses: Vec<IpAddr>,
    /// Why there are none.
    #[serde(with = "problem::optional")]
    #[cfg_attr(test, schemars(with = "Option<problem::Written>"))]
    pub problem: Option<Diagnosis>,
    /// Asked by check itself, once the system's lookup had failed.
    pub servers: Vec<NameServer>,
    /// How long the lookup took.
    pub took_us: u64,
}

/// Where the addresses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NameSource {
    /// `localhost` is loopback by RFC 6761.
    Loopback,
    /// /etc/hosts.
    HostsFile,
    /// The system's resolver.
    Resolver,
}

/// A name server that check asked by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NameServer {
    /// As it is configured: a link-local one has a zone.
    #[serde(serialize_with = "mark::host")]
    pub address: String,
    /// What it answered.
    pub answer: NameAnswer,
    /// How long that took.
    pub took_us: u64,
}

/// What a name server answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum NameAnswer {
    /// Nothing in time.
    Silent,
    /// It answered, with this code (RFC 1035 section 4.1.1).
    Code(u8),
    /// The question could not be delivered, and this is what the system said.
    Undelivered(#[serde(serialize_with = "mark::foreign")] String),
}
