//! What became of connections on which nothing was said.

use std::net::SocketAddr;

use echoline_diagnosis::Text;
use serde::{Deserialize, Serialize};

use super::mark;

/// Connections that were silent, each for another time, and one that was not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Idle {
    /// The address of the other side.
    #[serde(serialize_with = "mark::address")]
    pub with: SocketAddr,
    /// The longest silence that was asked for.
    pub asked_us: u64,
    /// How a connection is seen to be alive.
    pub poke: Poke,
    /// In the order of how long they were silent.
    pub tries: Vec<IdleTry>,
    /// How often something was said on the one that was not silent.
    pub busy_every_us: u64,
    /// How that one ended, if it did, and after how long.
    pub busy_ended: Option<(IdleEnd, u64)>,
    /// Why there was none that was not silent, so that nothing can be compared.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub busy_problem: Option<Text>,
    /// Why fewer were opened than planned.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub problem: Option<Text>,
    /// Somebody ended it early, after so long.
    pub interrupted: bool,
    /// How long all of it took.
    pub took_us: u64,
}

/// How a connection is seen to be alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Poke {
    /// A line, which must come back.
    Echo,
    /// TCP's own keepalive (RFC 9293 section 3.8.4), which the other machine acknowledges and no
    /// program sees.
    Keepalive,
}

/// One connection that was silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct IdleTry {
    /// How long nothing was said on it: until it ended, or until it was poked.
    pub silent_us: u64,
    /// What became of it.
    pub end: IdleEnd,
    /// It was sent something at the end of the silence; else it ended by itself.
    pub poked: bool,
    /// One of the second series, between the longest that lived and the shortest that died.
    pub closer: bool,
}

/// What became of a silent connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum IdleEnd {
    /// It still works.
    Alive,
    /// The other side finished (FIN).
    Closed,
    /// A reset came (RST).
    Reset,
    /// What was sent got no answer in time; whether it was acknowledged (TCP).
    Silent {
        /// The other machine acknowledged what was sent.
        acknowledged: bool,
    },
    /// An answer came, and another one than was due.
    Altered,
}

impl Idle {
    /// The longest silence that a connection is known to have survived.
    pub fn longest_alive_us(&self) -> Option<u64> {
        self.tries.iter().filter(|one| one.end == IdleEnd::Alive).map(|one| one.silent_us).max()
    }

    /// How the one that was not silent ended, where that says something: it was silent for less
    /// than what died.
    pub fn busy_died(&self) -> Option<(IdleEnd, u64)> {
        let told = self.first_dead().is_none_or(|dead| dead.silent_us > self.busy_every_us * 5 / 4);
        self.busy_ended.filter(|_| told)
    }

    /// The shortest silence that a connection did not survive.
    pub fn first_dead(&self) -> Option<&IdleTry> {
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
