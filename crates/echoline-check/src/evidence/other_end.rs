//! What the other end says about this one, when it was asked.

use std::net::SocketAddr;

use echoline_diagnosis::Text;
use serde::{Deserialize, Serialize};

use super::mark;

/// Who answered, when `whoami` was asked again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Backends {
    /// How many connections were asked for.
    pub asked: usize,
    /// The instance that answered each connection, in order.
    #[serde(serialize_with = "mark::foreign")]
    pub order: Vec<String>,
    /// In how many of them the server saw the address that this machine had sent from.
    pub source_kept: usize,
    /// Why the series ended early.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub problem: Option<Text>,
    /// How long all of it took.
    pub took_us: u64,
}

impl Backends {
    /// Each instance and how many connections it had, the most first.
    pub fn counts(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for instance in &self.order {
            match counts.iter_mut().find(|(known, _)| known == instance) {
                Some((_, count)) => *count += 1,
                None => counts.push((instance, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }

    /// How often one connection went to another instance than the one before.
    pub fn changes(&self) -> usize {
        self.order.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

/// What the other end says about this one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Whoami {
    /// The address and port of the service `whoami`.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// This end, as this machine sees it.
    #[serde(serialize_with = "mark::address")]
    pub sent_from: Option<SocketAddr>,
    /// This end, as the server sees it.
    #[serde(serialize_with = "mark::address")]
    pub seen_as: Option<SocketAddr>,
    /// The instance that answered last.
    #[serde(serialize_with = "mark::foreign")]
    pub instance: Option<String>,
    /// The number of the connection at that instance.
    pub connection: Option<u64>,
    /// How many different instances answered.
    pub instances: usize,
    /// Did our line reach the echo service? `None`: cannot tell.
    pub reached_echo: Option<bool>,
    /// Why it did not answer.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub problem: Option<Text>,
    /// How long it took.
    pub took_us: u64,
}
