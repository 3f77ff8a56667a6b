//! The serving side as steps.

use std::net::SocketAddr;

use echoline::AddressKind;
use echoline_diagnosis::{Text, foreign, text};

use super::seen::{AddressSeen, Connections, QueueSeen, ReachSeen, Seen};
use super::step::{State, Step, grade};
use super::words::ended;
use crate::evidence::{Ended, Firewall, Knock, ListenFindings, Listener, Place, Ruling, Stop};
use crate::verdict::{led_elsewhere, program, remarks};
use crate::words::short_time;

/// So many addresses are listed; a machine full of containers has hundreds.
const SHOWN: usize = 12;

pub(super) fn steps(findings: &ListenFindings) -> Vec<Step> {
    if let Some(problem) = &findings.unreadable {
        let seen = Seen::Address(AddressSeen::Unreadable { problem: problem.clone() });
        let failed = Step::new(seen, State::Fail, vec![problem.whole()]);
        let rest = [
            Seen::Bound(None),
            Seen::Queue(None),
            Seen::Connect(None),
            Seen::Firewall(None),
            Seen::Reach(None),
        ];
        return std::iter::once(failed).chain(rest.map(Step::skipped)).collect();
    }
    let steps = [address, bound, queue, connect, firewall, reach];
    steps.into_iter().map(|step| step(findings)).collect()
}

fn address(findings: &ListenFindings) -> Step {
    let wanted = &findings.wanted;
    let port = wanted.port;
    let family = match (wanted.ipv4, wanted.ipv6) {
        (true, true) => "",
        (true, false) => ", over IPv4",
        _ => ", over IPv6",
    };
    let at = wanted.addresses.iter().map(|ip| text!("{} ({})", ip, AddressKind::of(*ip).as_str()));
    let at = Text::join(at, ", ");
    let says = match (at.is_empty(), wanted.for_others) {
        (true, _) => text!("port {} of every address, for other machines{}", port, family),
        (false, true) => text!("port {} of {}", port, at),
        (false, false) => text!("port {} of {}, for this machine alone", port, at),
    };
    Step::new(Seen::Address(AddressSeen::Listen(wanted.clone())), State::Pass, vec![says])
}

fn bound(findings: &ListenFindings) -> Step {
    let Some(sockets) = &findings.sockets else {
        let says = vec!["the system shows no table of sockets".into()];
        return Step::new(Seen::Bound(None), State::Fail, says);
    };
    let line = |listener: &Listener| {
        let only = match listener.ipv6_only {
            Some(true) => "  IPv6 alone (IPV6_V6ONLY)",
            Some(false) if listener.address.ip().is_unspecified() && listener.address.is_ipv6() => {
                "  every IPv6 address, and every IPv4 one"
            }
            _ if listener.address.ip().is_unspecified() && listener.address.is_ipv4() => {
                "  every IPv4 address"
            }
            _ if listener.address.ip().is_unspecified() => "  every IPv6 address, and mostly every IPv4 one",
            _ => "",
        };
        let on = listener.interface.as_ref().map(|name| text!("  on {} alone", foreign(name)));
        let stopped = if listener.is_stopped() { "  stopped" } else { "" };
        text!("{}  {}{}{}{}", listener.address, program(listener), only, on, stopped)
    };
    let mut says: Vec<Text> = sockets.iter().map(line).collect();
    if says.is_empty() {
        says.push("nothing listens on that port".into());
    }
    let remarks = remarks(findings);
    let served = findings
        .places
        .iter()
        .any(|place| place.served && (!findings.wanted.for_others || !is_loopback(place)));
    let state = match (served, remarks.is_empty()) {
        (false, _) if led_elsewhere(findings).is_some() => State::Warn,
        (false, _) => State::Fail,
        (true, true) => State::Pass,
        (true, false) => State::Warn,
    };
    if served && findings.wanted.for_others {
        says.extend(remarks);
    }
    Step::new(Seen::Bound(Some(sockets.clone())), state, says)
}

fn is_loopback(place: &Place) -> bool {
    place.address.ip().is_loopback()
}

/// A step that needs a program here, where there is none.
fn without(findings: &ListenFindings, seen: Seen) -> Step {
    match led_elsewhere(findings) {
        Some(_) => Step::new(seen, State::NotApplicable, vec!["the port is led elsewhere".into()]),
        None => Step::skipped(seen),
    }
}

fn queue(findings: &ListenFindings) -> Step {
    let sockets = findings.sockets.as_deref().unwrap_or_default();
    if sockets.is_empty() {
        return without(findings, Seen::Queue(None));
    }
    let line = |listener: &Listener| {
        let room = listener.queue.may_wait.map_or_else(
            || "the system does not show for how many it has room".into(),
            |most| text!("room for {}", most),
        );
        let full = if listener.queue.is_full() { ": full" } else { "" };
        let waiting = listener.queue.waiting;
        let wait = if waiting == 1 { "waits" } else { "wait" };
        text!("{}: {} {} to be taken, {}{}", listener.address, waiting, wait, room, full)
    };
    let full = sockets.iter().any(|listener| listener.queue.is_full());
    let state = if full { State::Fail } else { State::Pass };
    let queues = sockets.iter().map(|one| QueueSeen { address: one.address, queue: one.queue });
    Step::new(Seen::Queue(Some(queues.collect())), state, sockets.iter().map(line).collect())
}

fn connect(findings: &ListenFindings) -> Step {
    let knocks = &findings.knocks;
    if knocks.is_empty() {
        return without(findings, Seen::Connect(None));
    }
    let line = |knock: &Knock| {
        let taken = match knock.taken {
            Some(true) => ", and the program took it",
            Some(false) => ", and the program has not taken it",
            None => "",
        };
        let took = short_time(knock.connect.took_us);
        text!("{} from this machine: {}{}, {}", knock.address, ended(knock.connect.ended), taken, took)
    };
    let good =
        knocks.iter().filter(|knock| knock.connect.ended == Ended::Connected && knock.taken != Some(false));
    let state = grade(good.count(), knocks.len());
    let took = knocks.iter().map(|knock| knock.connect.took_us).max();
    let seen = Seen::Connect(Some(Connections::Here(knocks.clone())));
    Step { took_us: took, ..Step::new(seen, state, knocks.iter().map(line).collect()) }
}

fn firewall(findings: &ListenFindings) -> Step {
    if !findings.wanted.for_others {
        let to = findings.wanted.addresses.first().map(|ip| SocketAddr::new(*ip, findings.wanted.port));
        let look = to.map(|to| text!("; echoline check {} does", to));
        let says = vec![text!("what this machine sends to itself is not looked at here{}", look)];
        return Step::new(Seen::Firewall(None), State::NotApplicable, says);
    }
    if findings.firewalls.is_empty() {
        return Step::skipped(Seen::Firewall(None));
    }
    let mut says = Vec::new();
    for one in &findings.firewalls {
        says.push(ruling(one));
        says.extend(
            one.led_elsewhere
                .as_ref()
                .map(|rule| text!("{}: led elsewhere (NAT): {}", one.family.clone(), foreign(rule))),
        );
        says.extend(one.ufw.as_ref().map(foreign));
    }
    says.dedup();
    let state = |one: &Firewall| match one.ruling {
        _ if one.led_elsewhere.is_some() => State::Warn,
        Some(Ruling::Passes) => State::Pass,
        Some(Ruling::Stopped { .. }) => State::Fail,
        Some(Ruling::Depends { .. }) | None => State::Warn,
    };
    let states: Vec<State> = findings.firewalls.iter().map(state).collect();
    let worst = [State::Fail, State::Warn].into_iter().find(|state| states.contains(state));
    let seen = Seen::Firewall(Some(findings.firewalls.clone()));
    Step::new(seen, worst.unwrap_or(State::Pass), says)
}

fn ruling(firewall: &Firewall) -> Text {
    let read = match firewall.read.as_slice() {
        [] => Text::default(),
        read => text!(" ({})", Text::join(read.iter().cloned().map(Text::from), ", ")),
    };
    let family = &Text::from(firewall.family.clone());
    match &firewall.ruling {
        Some(Ruling::Passes) => text!("{}: lets everybody in{}", family, read),
        Some(Ruling::Stopped { how: Stop::Drop, rule }) => {
            text!("{}: drops{}: {}", family, read, foreign(rule))
        }
        Some(Ruling::Stopped { how: Stop::Reject, rule }) => {
            text!("{}: rejects{}: {}", family, read, foreign(rule))
        }
        Some(Ruling::Depends { rule }) => text!("{}: some and not others{}: {}", family, read, foreign(rule)),
        None => text!(
            "{}: cannot be told: {}",
            family,
            firewall.unreadable.clone().unwrap_or("no rules were found".into())
        ),
    }
}

fn reach(findings: &ListenFindings) -> Step {
    let served: Vec<&Place> = findings.places.iter().filter(|place| place.served).collect();
    if served.is_empty() {
        return without(findings, Seen::Reach(None));
    }
    let line = |place: &&Place| {
        let on = place.interface.as_ref().map(|name| text!(" on {}", foreign(name)));
        text!("{}{}: {}", place.address, on, foreign(&place.who))
    };
    let mut says: Vec<Text> = served.iter().take(SHOWN).map(line).collect();
    if served.len() > SHOWN {
        says.push(text!("and {} more addresses", served.len() - SHOWN));
    }
    let private = served.iter().find(|place| AddressKind::of(place.address.ip()) == AddressKind::Private);
    let global = served.iter().any(|place| AddressKind::of(place.address.ip()) == AddressKind::Global);
    if let (Some(place), Some(router), false) =
        (private.filter(|place| place.address.is_ipv4()), findings.router, global)
    {
        says.push(text!(
            "from the internet: only if the router {} forwards port {} to {}",
            router,
            findings.wanted.port,
            place.address
        ));
    }
    if findings.wanted.for_others {
        says.push("a firewall elsewhere (the router's, the cloud's) cannot be seen from here".into());
    }
    let seen = ReachSeen { places: findings.places.clone(), router: findings.router };
    Step::new(Seen::Reach(Some(seen)), State::Pass, says)
}
