//! A message of ICMP about the request to one address: who says no, and does that prove a rule?

use echoline_diagnosis::Certainty::{Certain, Likely};
use echoline_diagnosis::{Diagnosis, Text, code, text};

use super::conclude::likely;
use super::near::{OWN_RULES, OWN_RULES_BOTH, absent_neighbour, own_rule};
use crate::evidence::{AddressFinding, Icmp};
use crate::words::time;

/// An answer that takes this long waited for a neighbour that does not exist: three questions, a second apart
/// (RFC 4861 section 10; Linux asks for IPv4 just so).
const NEIGHBOUR_TIME_US: u64 = 900_000;

pub(super) fn judge(finding: &AddressFinding, icmp: &Icmp) -> Diagnosis {
    if icmp.from_this_machine {
        return by_this_machine(finding, icmp);
    }
    if icmp.from == Some(finding.address.ip()) {
        by_the_host(finding, icmp)
    } else {
        by_a_router(finding, icmp)
    }
}

/// Its source is the address that was asked for.
///
/// That need not be the host: a router that forwards the port to another machine puts its own address into whatever
/// is said behind it, too (RFC 3022 section 4.3). So only a message that means a rule proves one.
fn by_the_host(finding: &AddressFinding, icmp: &Icmp) -> Diagnosis {
    let (to, name) = (finding.address, icmp.name());
    let (ip, port) = (to.ip(), to.port());
    if icmp.is_prohibited() || icmp.is_port_unreachable() {
        let sentence = text!(
            "A firewall on {} itself rejects the request, or one on the machine that it forwards the port to: \
             {} came from that address.",
            to,
            name
        );
        return Diagnosis::new(code::REJECTED, sentence)
            .next("on that machine, allow the port in its firewall");
    }
    let look = text!("on {}, see whether it forwards port {}, and whether that machine is on", ip, port);
    if icmp.is_time_exceeded() {
        let sentence = text!(
            "The request to {} used up its hops behind {}, as it looks: it forwards the port, and the routers \
             there send it round in a circle; {}.",
            to,
            ip,
            name
        );
        return likely(code::NO_ROUTE, sentence).next(look);
    }
    // Who looks for a machine that is off takes seconds to say so; a rule takes none.
    if icmp.is_host_unreachable() && finding.connect.took_us >= NEIGHBOUR_TIME_US {
        let took = time(finding.connect.took_us);
        let sentence = text!(
            "{} forwards port {} to a machine that does not answer, as it looks: {} came from that address, \
             and only after {}. A firewall there that rejects so would say it at once.",
            ip,
            port,
            name,
            took
        );
        return likely(code::HOST_UNREACHABLE, sentence).next(look);
    }
    let sentence = text!(
        "A firewall on {} rejects the request, as it looks: {} came from that address. Or it forwards the port \
         to a machine that cannot be reached.",
        to,
        name
    );
    likely(code::REJECTED, sentence).next("on that machine, allow the port in its firewall").next(look)
}

fn by_a_router(finding: &AddressFinding, icmp: &Icmp) -> Diagnosis {
    let to = finding.address;
    let name = icmp.name();
    let who = &icmp.from.map_or_else(|| Text::from("somebody"), Text::from);
    let took = time(finding.connect.took_us);
    if icmp.is_prohibited() || icmp.is_port_unreachable() {
        let sentence = text!("A firewall at {}, on the way to {}, rejects the request: {}.", who, to, name);
        return Diagnosis::new(code::REJECTED, sentence).next(text!(
            "ask whoever runs {} to allow port {}",
            who,
            to.port()
        ));
    }
    let other = finding.controls.iter().find(|control| control.shows_host(to.ip()));
    if let Some(control) = other {
        let sentence = text!(
            "A firewall at {} rejects the request to {}: it says {}, yet the host answers on port {}.",
            who,
            to,
            name,
            control.port
        );
        return likely(code::REJECTED, sentence).next(text!(
            "ask whoever runs {} to allow port {}",
            who,
            to.port()
        ));
    }
    if icmp.is_time_exceeded() {
        let sentence = text!(
            "The request to {} used up its hops at {}: the routers send it round in a circle.",
            to,
            who
        );
        return likely(code::NO_ROUTE, sentence).next(text!("look at the routes of {}", who));
    }
    let (code, what) = if icmp.is_net_unreachable() {
        (code::NO_ROUTE, "it knows no way to that network")
    } else {
        (code::HOST_UNREACHABLE, "it could not find the host in its network")
    };
    let doubt = if finding.connect.took_us < NEIGHBOUR_TIME_US && code == code::HOST_UNREACHABLE {
        " It said so at once: a rule, or it had looked before."
    } else {
        ""
    };
    let sentence = text!(
        "The router {} says after {} that {} cannot be reached: {}; {}.{}",
        who,
        took,
        to,
        what,
        name,
        doubt
    );
    likely(code, sentence)
        .next("check that the host is on and that its address is right")
        .next(text!("look at the routes and rules of {}", who))
}

fn by_this_machine(finding: &AddressFinding, icmp: &Icmp) -> Diagnosis {
    let (to, name) = (finding.address, icmp.name());
    if icmp.is_host_unreachable() && finding.connect.took_us >= NEIGHBOUR_TIME_US {
        let neighbour = finding.neighbour.as_ref().map(|neighbour| neighbour.answers);
        return match neighbour {
            _ if finding.own => led_away(finding),
            Some(false) => absent_neighbour(finding, Certain),
            Some(true) => led_away(finding),
            None => absent_neighbour(finding, Likely),
        };
    }
    // This machine says "host unreachable" of itself also where it gave a neighbour up a moment ago.
    if icmp.is_host_unreachable() && finding.neighbour.as_ref().is_some_and(|neighbour| !neighbour.answers) {
        return absent_neighbour(finding, Likely);
    }
    let certainty = if icmp.is_host_unreachable() { Likely } else { Certain };
    let (_, rule) = own_rule(finding);
    let sentence = text!(
        "This machine's own firewall rejects the request to {}: {} came from this machine itself.{}",
        to,
        name,
        rule
    );
    // What it sends to itself goes out and comes in.
    let look = if finding.own { OWN_RULES_BOTH } else { OWN_RULES };
    Diagnosis::new(code::LOCAL_FIREWALL, sentence).with_certainty(certainty).next(look)
}

/// It looked for a machine in vain, and not for the next one on the way to this address.
fn led_away(finding: &AddressFinding) -> Diagnosis {
    let took = time(finding.connect.took_us);
    let sentence = text!(
        "This machine gave up after {}, and what it looked for was another machine than {}: a rule of its own leads \
         the request there (destination NAT), as it looks, and nobody answers.",
        took,
        finding.address
    );
    likely(code::HOST_UNREACHABLE, sentence)
        .next(OWN_RULES)
        .next("see for whom this machine looked in vain: ip neigh")
}
