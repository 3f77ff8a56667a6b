//! What a firewall's rules do with one new connection: a pure function of the rules.
//!
//! Whether a rule is about it is `Yes`, `No` or `Perhaps`: some conditions (who connects, how often) are not known, and
//! some are not understood. What follows from that is exact: a fate is only told where all that is unknown leads to it.

mod fate;
mod iptables;
mod network;
mod nft;
mod rules;
mod ufw;

pub(crate) use fate::{Fate, fate, may_untrack};
pub(crate) use iptables::{Table as IptablesTable, parse as parse_iptables};
pub(crate) use nft::{parse as parse_nft, tables_of_iptables};
pub(crate) use rules::{Chains, Packet, Question, Way};
pub(crate) use ufw::{Files as UfwFiles, judge as judge_ufw};

#[cfg(test)]
mod tests;
