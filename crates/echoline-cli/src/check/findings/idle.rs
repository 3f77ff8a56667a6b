//! What became of connections on which nothing was said.

use std::net::SocketAddr;

use echoline_diagnosis::Text;
use serde::{Deserialize, Serialize};

use super::mark;

/// Connections that were silent, each for another time, and one that was not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Idle {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) with: SocketAddr,
    /// The longest silence that was asked for.
    pub(in crate::check) asked_us: u64,
    /// How a connection is seen to be alive.
    pub(in crate::check) poke: Poke,
    /// In the order of how long they were silent.
    pub(in crate::check) tries: Vec<IdleTry>,
    /// How often something was said on the one that was not silent.
    pub(in crate::check) busy_every_us: u64,
    /// How that one ended, if it did, and after how long.
    pub(in crate::check) busy_ended: Option<(IdleEnd, u64)>,
    /// Why there was none that was not silent, so that nothing can be compared.
    pub(in crate::check) busy_problem: Option<Text>,
    /// Why fewer were opened than planned.
    pub(in crate::check) problem: Option<Text>,
    /// Somebody ended it early, after so long.
    pub(in crate::check) interrupted: bool,
    pub(in crate::check) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum Poke {
    /// A line, which must come back.
    Echo,
    /// TCP's own keepalive (RFC 9293 section 3.8.4), which the other machine acknowledges and no program sees.
    Keepalive,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::check) struct IdleTry {
    /// How long nothing was said on it: until it ended, or until it was poked.
    pub(in crate::check) silent_us: u64,
    pub(in crate::check) end: IdleEnd,
    /// It was sent something at the end of the silence; else it ended by itself.
    pub(in crate::check) poked: bool,
    /// One of the second series, between the longest that lived and the shortest that died.
    pub(in crate::check) closer: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum IdleEnd {
    /// It still works.
    Alive,
    /// The other side finished (FIN).
    Closed,
    /// A reset came (RST).
    Reset,
    /// What was sent got no answer in time; whether it was acknowledged (TCP).
    Silent { acknowledged: bool },
    /// An answer came, and another one than was due.
    Altered,
}

impl Idle {
    /// The longest silence that a connection is known to have survived.
    pub(in crate::check) fn longest_alive_us(&self) -> Option<u64> {
        self.tries.iter().filter(|one| one.end == IdleEnd::Alive).map(|one| one.silent_us).max()
    }

    /// How the one that was not silent ended, where that says something: it was silent for less than what died.
    pub(in crate::check) fn busy_died(&self) -> Option<(IdleEnd, u64)> {
        let told = self.first_dead().is_none_or(|dead| dead.silent_us > self.busy_every_us * 5 / 4);
        self.busy_ended.filter(|_| told)
    }

    /// The shortest silence that a connection did not survive.
    pub(in crate::check) fn first_dead(&self) -> Option<&IdleTry> {
        let dead = || self.tries.iter().filter(|one| one.end != IdleEnd::Alive);
        let first = dead().min_by_key(|one| one.silent_us)?;
        // One that ended by itself says more than one that was poked at about the same time.
        let about = first.silent_us + first.silent_us / 16;
        dead()
            .filter(|one| !one.poked && one.silent_us <= about)
            .min_by_key(|one| one.silent_us)
            .or(Some(first))
    }
}
