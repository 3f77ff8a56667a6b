//! One address that was not reached.

use std::net::{IpAddr, SocketAddr};

use echoline_diagnosis::Certainty::{CannotTell, Certain, Likely};
use echoline_diagnosis::{Diagnosis, Text, code, foreign, text};

use super::conclude::{cannot_tell, likely, ok};
use super::icmp;
use super::near::{OWN_RULES, OWN_RULES_IN, absent_neighbour, host, own_rule};
use crate::evidence::{AddressFinding, Ended, Hop, HopAnswer, end_of};

/// The whole of it, and a little: whoever waited longer would have heard that a host is missing.
const ROUTER_TIME_US: u64 = 3_300_000;

pub(super) fn judge(finding: &AddressFinding) -> Diagnosis {
    let to = finding.address;
    match (finding.connect.ended, &finding.connect.icmp) {
        (Ended::Connected, _) => ok(text!("{} accepts connections.", to)),
        (_, Some(icmp)) => icmp::judge(finding, icmp),
        (Ended::Refused, None) => refused(finding),
        (Ended::NoAnswer, None) => silent(finding),
        (Ended::Reset, None) => likely(
            code::RESET,
            text!("{} broke the connection off before it stood. A reset does not prove who sent it.", to),
        ),
        (Ended::NetUnreachable | Ended::HostUnreachable | Ended::Denied, None) => no_way(finding),
        (Ended::NoLocalPort, None) => Diagnosis::new(
            code::NO_LOCAL_PORT,
            text!("This machine has no free local port for a connection to {}.", to),
        )
        .next("see what holds them: ss -tan | wc -l"),
        (Ended::NoSuchSource, None) => Diagnosis::new(
            code::ADDRESS_NOT_AVAILABLE,
            text!(
                "The source address{} belongs to no interface of this machine.",
                finding.connect.source.map(|source| text!(" {}", source.ip()))
            ),
        )
        .next("see which addresses there are: ip address"),
        (Ended::Other, None) => {
            let number = finding
                .connect
                .os_error
                .map(|number| text!(": {}", foreign(std::io::Error::from_raw_os_error(number))));
            Diagnosis::new(code::SYSTEM, text!("This machine could not send a request to {}{}.", to, number))
        }
    }
}

/// A reset came back: usually from the host, and never provably.
fn refused(finding: &AddressFinding) -> Diagnosis {
    let to = finding.address;
    let port = to.port();
    if finding.own {
        return match finding.listens {
            Some(true) => {
                let (certainty, rule) = own_rule(finding);
                let sentence = text!(
                    "A program of this machine listens on {}, and yet it is refused: a rule of this machine \
                     rejects.{}",
                    to,
                    rule
                );
                Diagnosis::new(code::LOCAL_FIREWALL, sentence).with_certainty(certainty).next(OWN_RULES_IN)
            }
            Some(false) => {
                let sentence =
                    text!("Nothing listens on {}: this machine's own table shows no such socket.", to);
                Diagnosis::new(code::REFUSED, sentence)
                    .next("start the server, or check its port: ss -ltn lists who listens")
            }
            None => likely(code::REFUSED, text!("Nothing listens on {}.", to))
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
            let sentence = text!(
                "The request to {} is refused before the first router, while another port of that host is {} \
                 hops away: this machine's own firewall rejects it{}.{}",
                to,
                control,
                or,
                rule
            );
            Diagnosis::new(code::LOCAL_FIREWALL, sentence).with_certainty(certainty).next(OWN_RULES)
        }
        (Some(here), Some(control)) if here < control => {
            let sentence = text!(
                "Something between refuses {} in the host's place: the answer comes from {} hops away, the host \
                 is {} away.",
                to,
                here,
                control
            );
            likely(code::REJECTED, sentence).next(text!(
                "look for a firewall that rejects port {}, {} hops from here",
                port,
                here
            ))
        }
        _ => {
            let sentence = text!(
                "Nothing listens on {}, as it looks: the request was refused. A reset does not prove who sent it: a \
                 firewall right before the host would look the same.",
                to
            );
            likely(code::REFUSED, sentence)
                .next(text!(
                    "on {}, see who listens, and for whom: echoline check --listen {}, or ss -ltn",
                    host(finding),
                    port
                ))
                .next("a server that listens on 127.0.0.1 only is refused from everywhere else")
        }
    }
}

/// Nothing came back at all.
fn silent(finding: &AddressFinding) -> Diagnosis {
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
        let sentence = text!(
            "A firewall drops the requests to {}: the host is up, since it {} port {}, but port {} stays silent.",
            to,
            how,
            control.port,
            to.port()
        );
        return likely(code::DROPPED, sentence)
            .next(text!("allow port {} in the firewall of the host, or of its network or cloud", to.port()))
            .next(on_the_host(finding));
    }
    let on_link = finding.route.found.as_ref().is_some_and(|way| way.gateway.is_none());
    if on_link && finding.neighbour.is_some() {
        let sentence = text!(
            "A firewall on {} drops the requests: the host is up, since it told its hardware address, but it does not \
             answer.",
            host(finding)
        );
        return likely(code::DROPPED, sentence)
            .next("on that machine, allow the port in its firewall")
            .next(on_the_host(finding));
    }
    let last = last_router(&finding.hops).map(|(router, ttl)| {
        let hops = if ttl == 1 { "1 hop".into() } else { text!("{} hops", ttl) };
        text!(" The last router that answered is {}, {} away.", router, hops)
    });
    let sentence = text!(
        "Nothing came back from {}: the host is down, or a firewall drops everything to it.{}",
        to,
        last
    );
    let verdict = cannot_tell(code::NO_ANSWER, sentence);
    // Routers say that a host is missing only after they have looked for it.
    let verdict = match finding.connect.took_us < ROUTER_TIME_US {
        true => verdict.next("wait longer: -w 5s; a router takes 3 s to say that a host is missing"),
        false => verdict,
    };
    verdict
        .next("check that the host is on and that this is its address")
        .next("then look for a firewall that drops, on the host, in its network or in its cloud")
}

/// What a full queue looks like from here is what a firewall looks like; there it is plain.
fn on_the_host(finding: &AddressFinding) -> Text {
    text!(
        "on the host, see whether its program still takes connections: echoline check --listen {}, or ss -ltn",
        finding.address.port()
    )
}

/// This machine does not answer itself.
fn silent_here(finding: &AddressFinding) -> Diagnosis {
    let to = finding.address;
    if let Some(queue) = finding.queue.filter(|queue| queue.is_full()) {
        let sentence = text!(
            "{} is this machine, and the program that listens there takes no connections: its queue is full ({} wait, \
             room for {}), so the system drops every new request.",
            to,
            queue.waiting,
            queue.may_wait.unwrap_or_default()
        );
        return Diagnosis::new(code::NOT_ACCEPTING, sentence)
            .next(text!("see which program it is: sudo echoline check --listen {}", to.port()));
    }
    let (certainty, rule) = own_rule(finding);
    let (certainty, sentence) = match (finding.listens, certainty) {
        (_, Certain) => {
            (Certain, text!("{} is this machine, and a rule of this machine drops it.{}", to, rule))
        }
        (Some(true), _) => (
            CannotTell,
            text!(
                "{} is this machine, and a program listens there, and yet nothing answers: a rule drops it, or the \
                 program no longer takes connections.",
                to
            ),
        ),
        _ => (
            Likely,
            text!("{} is this machine, and yet nothing answers: a rule of this machine drops it.", to),
        ),
    };
    let verdict = Diagnosis::new(code::LOCAL_FIREWALL, sentence).with_certainty(certainty).next(OWN_RULES_IN);
    if finding.listens == Some(false) {
        return verdict;
    }
    verdict.next(text!("see whether the program takes connections: echoline check --listen {}", to.port()))
}

/// The kernel did not get the request past its own rules.
fn kept_here(finding: &AddressFinding) -> Diagnosis {
    let to = finding.address;
    let (certainty, rule) = own_rule(finding);
    let sentence = text!(
        "This machine's own firewall drops the request to {}: it was sent and repeated here, and never left.{}",
        to,
        rule
    );
    Diagnosis::new(code::LOCAL_FIREWALL, sentence).with_certainty(certainty).next(OWN_RULES)
}

/// The furthest router that answered.
pub(crate) fn last_router(hops: &[Hop]) -> Option<(IpAddr, u8)> {
    hops.iter().rev().find_map(|hop| match hop.answer {
        HopAnswer::Router(router) => Some((router, hop.ttl)),
        _ => None,
    })
}

/// This machine turned the request away before it was sent.
fn no_way(finding: &AddressFinding) -> Diagnosis {
    let to = finding.address;
    let by = match to {
        SocketAddr::V6(to) if to.scope_id() != 0 => text!(" oif if{}", to.scope_id()),
        _ => Text::default(),
    };
    let see = text!("see which route is used: ip route get {}{}", to.ip(), by);
    if let Some(missing) = &finding.route.missing {
        let family =
            if to.is_ipv4() { "" } else { " Without an IPv6 connection that is so for every IPv6 address." };
        let sentence = text!("This machine has no route to {}: {}.{}", to.ip(), foreign(missing), family);
        return Diagnosis::new(code::NO_ROUTE, sentence).next(see);
    }
    match finding.connect.ended {
        Ended::Denied => likely(
            code::LOCAL_FIREWALL,
            text!(
                "This machine does not allow the request to {} (connect was denied): a rule of its own.",
                to
            ),
        )
        .next(OWN_RULES),
        Ended::HostUnreachable => absent_neighbour(finding, Likely),
        _ => likely(code::NO_ROUTE, text!("This machine found no way to {}.", to.ip())).next(see),
    }
}
