//! What is near this machine: its own rules, and the next machine on the way.

use std::net::SocketAddr;

use echoline_diagnosis::Certainty::{Certain, Likely};
use echoline_diagnosis::{Certainty, Diagnosis, Text, code, foreign, host as named, text};

use crate::evidence::AddressFinding;

pub(super) const OWN_RULES_IN: &str =
    "look at the own rules for what comes in: sudo nft list ruleset, or sudo ufw status";
pub(super) const OWN_RULES_BOTH: &str =
    "look at the own rules for what goes out and what comes in: sudo nft list ruleset, or sudo ufw status";
pub(super) const OWN_RULES: &str =
    "look at the own rules for what goes out: sudo nft list ruleset, or sudo ufw status";

/// The next machine on the way does not say where it is.
pub(super) fn absent_neighbour(finding: &AddressFinding, certainty: Certainty) -> Diagnosis {
    let to = finding.address;
    let gateway = finding.route.found.as_ref().and_then(|way| way.gateway);
    let sentence = match gateway {
        Some(gateway) => {
            text!("The router {}, through which {} is reached, does not answer in its network.", gateway, to)
        }
        None => text!(
            "No machine answers to {} in the own network: it is off, or has another address.",
            host(finding)
        ),
    };
    let look = gateway.map_or_else(|| host(finding), Text::from);
    Diagnosis::new(code::HOST_UNREACHABLE, sentence)
        .with_certainty(certainty)
        .next(text!("check that {} is on, and in this network", look))
        .next("see what this machine knows of its neighbours: ip neigh")
}

/// The address alone, with the zone without which a link-local one leads nowhere (RFC 4007).
pub(super) fn host(finding: &AddressFinding) -> Text {
    let ip = finding.address.ip();
    match (finding.address, &finding.route.found) {
        (SocketAddr::V6(to), Some(way)) if to.scope_id() != 0 => named(format!("{ip}%{}", way.interface)),
        (SocketAddr::V6(to), None) if to.scope_id() != 0 => named(format!("{ip}%{}", to.scope_id())),
        _ => named(ip),
    }
}

/// How sure the own rules make it, and the words for the one that does it.
pub(super) fn own_rule(finding: &AddressFinding) -> (Certainty, Text) {
    match finding.own_rules.first() {
        Some(rule) => (Certain, text!(" The rule: {}.", foreign(rule))),
        None => (Likely, Text::default()),
    }
}
