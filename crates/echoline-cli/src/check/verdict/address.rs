//! One address that was not reached.

use super::Certainty::{CannotTell, Certain, Likely};
use super::{Verdict, icmp};
use crate::check::findings::{AddressFinding, Ended, Hop, HopAnswer, end_of};
use echoline_diagnosis::code;
use std::net::{IpAddr, SocketAddr};

/// The whole of it, and a little: whoever waited longer would have heard that a host is missing.
const ROUTER_TIME_US: u64 = 3_300_000;

pub(super) fn judge(finding: &AddressFinding) -> Verdict {
    let to = finding.address;
    match (finding.connect.ended, &finding.connect.icmp) {
        (Ended::Connected, _) => Verdict::ok(format!("{to} accepts connections.")),
        (_, Some(icmp)) => icmp::judge(finding, icmp),
        (Ended::Refused, None) => refused(finding),
        (Ended::NoAnswer, None) => silent(finding),
        (Ended::Reset, None) => Verdict::new(
            code::RESET,
            Likely,
            format!("{to} broke the connection off before it stood. A reset does not prove who sent it."),
        ),
        (Ended::NetUnreachable | Ended::HostUnreachable | Ended::Denied, None) => no_way(finding),
        (Ended::NoLocalPort, None) => Verdict::new(
            code::NO_LOCAL_PORT,
            Certain,
            format!("This machine has no free local port for a connection to {to}."),
        )
        .next("see what holds them: ss -tan | wc -l"),
        (Ended::NoSuchSource, None) => Verdict::new(
            code::ADDRESS_NOT_AVAILABLE,
            Certain,
            format!(
                "The source address{} belongs to no interface of this machine.",
                finding.connect.source.map_or_else(String::new, |source| format!(" {}", source.ip()))
            ),
        )
        .next("see which addresses there are: ip address"),
        (Ended::Other, None) => {
            let number = finding.connect.os_error.map_or_else(String::new, |number| {
                format!(": {}", std::io::Error::from_raw_os_error(number))
            });
            Verdict::new(
                code::SYSTEM,
                Certain,
                format!("This machine could not send a request to {to}{number}."),
            )
        }
    }
}

pub(super) const OWN_RULES_IN: &str =
    "look at the own rules for what comes in: sudo nft list ruleset, or sudo ufw status";
pub(super) const OWN_RULES_BOTH: &str =
    "look at the own rules for what goes out and what comes in: sudo nft list ruleset, or sudo ufw status";
pub(super) const OWN_RULES: &str =
    "look at the own rules for what goes out: sudo nft list ruleset, or sudo ufw status";

/// The next machine on the way does not say where it is.
pub(super) fn absent_neighbour(finding: &AddressFinding, certainty: super::Certainty) -> Verdict {
    let to = finding.address;
    let gateway = finding.route.found.as_ref().and_then(|way| way.gateway);
    let sentence = match gateway {
        Some(gateway) => {
            format!("The router {gateway}, through which {to} is reached, does not answer in its network.")
        }
        None => format!(
            "No machine answers to {} in the own network: it is off, or has another address.",
            host(finding)
        ),
    };
    let look = gateway.map_or_else(|| host(finding), |gateway| gateway.to_string());
    Verdict::new(code::HOST_UNREACHABLE, certainty, sentence)
        .next(format!("check that {look} is on, and in this network"))
        .next("see what this machine knows of its neighbours: ip neigh")
}

/// A reset came back: usually from the host, and never provably.
fn refused(finding: &AddressFinding) -> Verdict {
    let to = finding.address;
    let port = to.port();
    if finding.own {
        return match finding.listens {
            Some(true) => {
                let (certainty, rule) = own_rule(finding);
                let sentence = format!(
                    "A program of this machine listens on {to}, and yet it is refused: a rule of this machine \
                     rejects.{rule}"
                );
                Verdict::new(code::LOCAL_FIREWALL, certainty, sentence).next(OWN_RULES_IN)
            }
            Some(false) => {
                let sentence =
                    format!("Nothing listens on {to}: this machine's own table shows no such socket.");
                Verdict::new(code::REFUSED, Certain, sentence)
                    .next("start the server, or check its port: ss -ltn lists who listens")
            }
            None => Verdict::new(code::REFUSED, Likely, format!("Nothing listens on {to}."))
                .next("start the server, or check its port"),
        };
    }
    match (end_of(&finding.hops), end_of(&finding.control_hops)) {
        (Some(1), Some(control)) if control > 1 => {
            let (certainty, rule) = own_rule(finding);
            let or = match certainty {
                Certain => "",
                _ => ", or the router's answers in the host's place",
            };
            let sentence = format!(
                "The request to {to} is refused before the first router, while another port of that host is {control} \
                 hops away: this machine's own firewall rejects it{or}.{rule}"
            );
            Verdict::new(code::LOCAL_FIREWALL, certainty, sentence).next(OWN_RULES)
        }
        (Some(here), Some(control)) if here < control => {
            let sentence = format!(
                "Something between refuses {to} in the host's place: the answer comes from {here} hops away, the host \
                 is {control} away."
            );
            Verdict::new(code::REJECTED, Likely, sentence)
                .next(format!("look for a firewall that rejects port {port}, {here} hops from here"))
        }
        _ => {
            let sentence = format!(
                "Nothing listens on {to}, as it looks: the request was refused. A reset does not prove who sent it: a \
                 firewall right before the host would look the same."
            );
            Verdict::new(code::REFUSED, Likely, sentence)
                .next(format!(
                    "on {}, see who listens, and for whom: echoline check --listen {port}, or ss -ltn",
                    host(finding)
                ))
                .next("a server that listens on 127.0.0.1 only is refused from everywhere else")
        }
    }
}

/// Nothing came back at all.
fn silent(finding: &AddressFinding) -> Verdict {
    let to = finding.address;
    // First: a request that waits for its neighbour has not left this machine either.
    if finding.neighbour.as_ref().is_some_and(|neighbour| !neighbour.answers) {
        return absent_neighbour(finding, Likely);
    }
    if finding.connect.requests.is_some_and(|requests| requests.left_this_machine == Some(false)) {
        return kept_here(finding);
    }
    if finding.own {
        return silent_here(finding);
    }
    if let Some(control) = finding.controls.iter().find(|control| control.shows_host(to.ip())) {
        let how = if control.ended == Ended::Connected { "accepts" } else { "refuses" };
        let sentence = format!(
            "A firewall drops the requests to {to}: the host is up, since it {how} port {}, but port {} stays silent.",
            control.port,
            to.port()
        );
        return Verdict::new(code::DROPPED, Likely, sentence)
            .next(format!("allow port {} in the firewall of the host, or of its network or cloud", to.port()))
            .next(on_the_host(finding));
    }
    let on_link = finding.route.found.as_ref().is_some_and(|way| way.gateway.is_none());
    if on_link && finding.neighbour.is_some() {
        let sentence = format!(
            "A firewall on {} drops the requests: the host is up, since it told its hardware address, but it does not \
             answer.",
            host(finding)
        );
        return Verdict::new(code::DROPPED, Likely, sentence)
            .next("on that machine, allow the port in its firewall")
            .next(on_the_host(finding));
    }
    let last = last_router(&finding.hops).map_or_else(String::new, |(router, ttl)| {
        let hops = if ttl == 1 { "1 hop".to_owned() } else { format!("{ttl} hops") };
        format!(" The last router that answered is {router}, {hops} away.")
    });
    let sentence =
        format!("Nothing came back from {to}: the host is down, or a firewall drops everything to it.{last}");
    let verdict = Verdict::new(code::NO_ANSWER, CannotTell, sentence);
    // Routers say that a host is missing only after they have looked for it.
    let verdict = match finding.connect.took_us < ROUTER_TIME_US {
        true => verdict.next("wait longer: -w 5s; a router takes 3 s to say that a host is missing"),
        false => verdict,
    };
    verdict
        .next("check that the host is on and that this is its address")
        .next("then look for a firewall that drops, on the host, in its network or in its cloud")
}

/// The address alone, with the zone without which a link-local one leads nowhere (RFC 4007).
fn host(finding: &AddressFinding) -> String {
    let ip = finding.address.ip();
    match (finding.address, &finding.route.found) {
        (SocketAddr::V6(to), Some(way)) if to.scope_id() != 0 => format!("{ip}%{}", way.interface),
        (SocketAddr::V6(to), None) if to.scope_id() != 0 => format!("{ip}%{}", to.scope_id()),
        _ => ip.to_string(),
    }
}

/// What a full queue looks like from here is what a firewall looks like; there it is plain.
fn on_the_host(finding: &AddressFinding) -> String {
    format!(
        "on the host, see whether its program still takes connections: echoline check --listen {}, or ss -ltn",
        finding.address.port()
    )
}

/// This machine does not answer itself.
fn silent_here(finding: &AddressFinding) -> Verdict {
    let to = finding.address;
    if let Some(queue) = finding.queue.filter(|queue| queue.is_full()) {
        let sentence = format!(
            "{to} is this machine, and the program that listens there takes no connections: its queue is full ({} wait, \
             room for {}), so the system drops every new request.",
            queue.waiting,
            queue.may_wait.unwrap_or_default()
        );
        return Verdict::new(code::NOT_ACCEPTING, Certain, sentence)
            .next(format!("see which program it is: sudo echoline check --listen {}", to.port()));
    }
    let (certainty, rule) = own_rule(finding);
    let (certainty, sentence) = match (finding.listens, certainty) {
        (_, Certain) => {
            (Certain, format!("{to} is this machine, and a rule of this machine drops it.{rule}"))
        }
        (Some(true), _) => (
            CannotTell,
            format!(
                "{to} is this machine, and a program listens there, and yet nothing answers: a rule drops it, or the \
                 program no longer takes connections."
            ),
        ),
        _ => (
            Likely,
            format!("{to} is this machine, and yet nothing answers: a rule of this machine drops it."),
        ),
    };
    let verdict = Verdict::new(code::LOCAL_FIREWALL, certainty, sentence).next(OWN_RULES_IN);
    if finding.listens == Some(false) {
        return verdict;
    }
    verdict.next(format!("see whether the program takes connections: echoline check --listen {}", to.port()))
}

/// How sure the own rules make it, and the words for the one that does it.
pub(super) fn own_rule(finding: &AddressFinding) -> (super::Certainty, String) {
    match finding.own_rules.first() {
        Some(rule) => (Certain, format!(" The rule: {rule}.")),
        None => (Likely, String::new()),
    }
}

/// The kernel did not get the request past its own rules.
fn kept_here(finding: &AddressFinding) -> Verdict {
    let to = finding.address;
    let (certainty, rule) = own_rule(finding);
    let sentence = format!(
        "This machine's own firewall drops the request to {to}: it was sent and repeated here, and never left.{rule}"
    );
    Verdict::new(code::LOCAL_FIREWALL, certainty, sentence).next(OWN_RULES)
}

/// The furthest router that answered.
pub(in crate::check) fn last_router(hops: &[Hop]) -> Option<(IpAddr, u8)> {
    hops.iter().rev().find_map(|hop| match hop.answer {
        HopAnswer::Router(router) => Some((router, hop.ttl)),
        _ => None,
    })
}

/// This machine turned the request away before it was sent.
fn no_way(finding: &AddressFinding) -> Verdict {
    let to = finding.address;
    let by = match to {
        SocketAddr::V6(to) if to.scope_id() != 0 => format!(" oif if{}", to.scope_id()),
        _ => String::new(),
    };
    let see = format!("see which route is used: ip route get {}{by}", to.ip());
    if let Some(missing) = &finding.route.missing {
        let family =
            if to.is_ipv4() { "" } else { " Without an IPv6 connection that is so for every IPv6 address." };
        let sentence = format!("This machine has no route to {}: {missing}.{family}", to.ip());
        return Verdict::new(code::NO_ROUTE, Certain, sentence).next(see);
    }
    match finding.connect.ended {
        Ended::Denied => Verdict::new(
            code::LOCAL_FIREWALL,
            Likely,
            format!(
                "This machine does not allow the request to {to} (connect was denied): a rule of its own."
            ),
        )
        .next(OWN_RULES),
        Ended::HostUnreachable => absent_neighbour(finding, Likely),
        _ => Verdict::new(code::NO_ROUTE, Likely, format!("This machine found no way to {}.", to.ip()))
            .next(see),
    }
}
