//! What was seen of the serving side: a port of this machine, and who can reach it.

use std::net::{IpAddr, SocketAddr};

use echoline_diagnosis::Diagnosis;
use serde::{Deserialize, Serialize};

use super::connect::Connect;
use super::mark;
use super::process::HolderProcess;
use super::word::Word;

/// Connections that the system has accepted for a program, which has not taken them yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Queue {
    /// How many.
    pub waiting: u32,
    /// The backlog of listen(2); `None`: the system does not show it.
    pub may_wait: Option<u32>,
}

impl Queue {
    /// Linux lets one more wait than the backlog says, and then drops what comes.
    pub fn is_full(self) -> bool {
        self.may_wait.is_some_and(|most| self.waiting > most)
    }
}

/// What the rules of this machine do with a new connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Firewall {
    /// `IPv4` or `IPv6`.
    pub family: Word,
    /// Which rules were read: `nftables`, `iptables`.
    pub read: Vec<Word>,
    /// `None`: what was read does not decide.
    pub ruling: Option<Ruling>,
    /// Why some of it could not be read.
    pub unreadable: Option<Word>,
    /// The rule that leads, or may lead, what comes in to another port or machine (destination
    /// NAT).
    #[serde(serialize_with = "mark::foreign")]
    pub led_elsewhere: Option<String>,
    /// What ufw is told to do, in words.
    #[serde(serialize_with = "mark::foreign")]
    pub ufw: Option<String>,
}

/// What the rules do with a new connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "ruling")]
pub enum Ruling {
    /// They let everybody in.
    Passes,
    /// By this rule.
    Stopped {
        /// How.
        how: Stop,
        /// The rule, as its tool prints it.
        #[serde(serialize_with = "mark::foreign")]
        rule: String,
    },
    /// Some pass and some do not, as this rule decides.
    Depends {
        /// The rule, as its tool prints it.
        #[serde(serialize_with = "mark::foreign")]
        rule: String,
    },
}

/// How a rule stops a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// Silently.
    Drop,
    /// With an answer.
    Reject,
}

/// Everything that one look at the serving side saw.
#[derive(Debug, Clone)]
pub(crate) struct ListenFindings {
    /// As it was written.
    pub asked: String,
    pub wanted: Wanted,
    pub unreadable: Option<Diagnosis>,
    /// Every socket that listens on that port, whatever its address; `None`: the system shows none
    /// of any port.
    pub sockets: Option<Vec<Listener>>,
    /// The addresses of this machine under which the port could be reached.
    pub places: Vec<Place>,
    /// Where this machine connected to itself.
    pub knocks: Vec<Knock>,
    /// For each family that is served to others.
    pub firewalls: Vec<Firewall>,
    /// Towards the internet, where this machine's addresses are private.
    pub router: Option<IpAddr>,
    /// Somebody ended it early.
    pub interrupted: bool,
}

/// What the port is meant for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wanted {
    /// The port.
    pub port: u16,
    /// Of these alone; empty: of every address of the family.
    #[serde(serialize_with = "mark::address")]
    pub addresses: Vec<IpAddr>,
    /// Over IPv4.
    pub ipv4: bool,
    /// Over IPv6.
    pub ipv6: bool,
    /// Other machines are meant to reach it.
    pub for_others: bool,
}

/// A socket that listens on the port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listener {
    /// Where it listens.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// Of IPv6, and takes no IPv4 (`IPV6_V6ONLY`); `None`: not known.
    pub ipv6_only: Option<bool>,
    /// Who waits to be taken.
    pub queue: Queue,
    /// The one interface that it is bound to.
    #[serde(serialize_with = "mark::foreign")]
    pub interface: Option<String>,
    /// The user that it belongs to.
    pub uid: u32,
    /// Who has it open; empty: another user's processes, which only root may see.
    pub processes: Vec<HolderProcess>,
}

impl Listener {
    /// Does a connection to that address come to this socket?
    pub fn serves(&self, ip: IpAddr) -> bool {
        takes(self.address.ip(), self.ipv6_only, ip)
    }

    /// All who could take a connection are stopped.
    pub fn is_stopped(&self) -> bool {
        !self.processes.is_empty() && self.processes.iter().all(|process| process.is_stopped)
    }
}

/// Does a connection to `ip` come to a socket that listens on `held`, as far as the two addresses
/// decide?
pub(crate) fn takes(held: IpAddr, ipv6_only: Option<bool>, ip: IpAddr) -> bool {
    let (held, ip) = (held.to_canonical(), ip.to_canonical());
    // Unless it says so, an IPv6 "any" takes IPv4 too.
    let both = held.is_ipv6() && ipv6_only != Some(true);
    held == ip || (held.is_unspecified() && (both || held.is_ipv4() == ip.is_ipv4()))
}

/// An address of this machine, and who can reach it, as far as the address decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// The address and the port.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// What kind of address it is, in one word.
    pub kind: Word,
    /// The interface that has it.
    #[serde(serialize_with = "mark::foreign")]
    pub interface: Option<String>,
    /// Who can reach it, in words.
    #[serde(serialize_with = "mark::foreign")]
    pub who: String,
    /// A socket listens there.
    pub served: bool,
}

/// A connection from this machine to itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Knock {
    /// Where to.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// What became of it.
    pub connect: Connect,
    /// Did the program take it? `None`: not connected, or the system does not show it.
    pub taken: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_takes_its_own_family_and_that_of_ipv6_both_unless_it_says_otherwise() {
        let cases = [
            ("192.0.2.7", None, "192.0.2.7", true),
            ("192.0.2.7", None, "192.0.2.8", false),
            ("::ffff:192.0.2.7", None, "192.0.2.7", true),
            ("0.0.0.0", Some(false), "192.0.2.7", true),
            ("0.0.0.0", Some(false), "2001:db8::7", false),
            ("0.0.0.0", None, "::1", false),
            ("::", Some(true), "2001:db8::7", true),
            ("::", Some(true), "192.0.2.7", false),
            ("::", Some(false), "192.0.2.7", true),
            ("::", None, "192.0.2.7", true),
            ("::1", Some(false), "127.0.0.1", false),
        ];
        for (held, ipv6_only, ip, expected) in cases {
            let found = takes(held.parse().unwrap(), ipv6_only, ip.parse().unwrap());
            assert_eq!(found, expected, "{held} {ipv6_only:?} {ip}");
        }
    }
}
