//! The routers on the way.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::mark;

/// The answer to a request that may travel so many hops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hop {
    /// How many hops.
    pub ttl: u8,
    /// What answered.
    pub answer: HopAnswer,
    /// How long that took.
    pub took_us: u64,
}

/// What answered a request that may travel so many hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum HopAnswer {
    /// This router counted the hops down to zero.
    Router(#[serde(serialize_with = "mark::address")] IpAddr),
    /// The connection stood: this is the host, or what answers in its place.
    Connected,
    /// It was refused, which may be done in the host's place.
    Refused,
    /// Another ICMP message, and who sent it.
    Unreachable(#[serde(serialize_with = "mark::address")] Option<IpAddr>),
    /// Nothing in time.
    Silent,
}

impl HopAnswer {
    /// The end of the way, as far as TCP shows it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Connected | Self::Refused)
    }
}

/// How far away the end of the way is.
pub(crate) fn end_of(hops: &[Hop]) -> Option<u8> {
    hops.iter().find(|hop| hop.answer.is_final()).map(|hop| hop.ttl)
}
