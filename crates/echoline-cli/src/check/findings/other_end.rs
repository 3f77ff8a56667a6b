//! What the other end says about this one, when it was asked.

use std::net::SocketAddr;

use echoline_diagnosis::Text;
use serde::{Deserialize, Serialize};

use super::mark;

/// Who answered, when `whoami` was asked again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct Backends {
    pub(in crate::check) asked: usize,
    /// The instance that answered each connection, in order.
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) order: Vec<String>,
    /// In how many of them the server saw the address that this machine had sent from.
    pub(in crate::check) source_kept: usize,
    /// Why the series ended early.
    pub(in crate::check) problem: Option<Text>,
    pub(in crate::check) took_us: u64,
}

impl Backends {
    /// Each instance and how many connections it had, the most first.
    pub(in crate::check) fn counts(&self) -> Vec<(&str, usize)> {
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
    pub(in crate::check) fn changes(&self) -> usize {
        self.order.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

/// What the other end says about this one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Whoami {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) address: SocketAddr,
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) sent_from: Option<SocketAddr>,
    /// This end, as the server sees it.
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) seen_as: Option<SocketAddr>,
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) instance: Option<String>,
    pub(in crate::check) connection: Option<u64>,
    /// How many different instances answered.
    pub(in crate::check) instances: usize,
    /// Did our line reach the echo service? `None`: cannot tell.
    pub(in crate::check) reached_echo: Option<bool>,
    pub(in crate::check) problem: Option<Text>,
    pub(in crate::check) took_us: u64,
}
