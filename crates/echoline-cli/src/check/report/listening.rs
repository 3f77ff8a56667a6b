//! The serving side as steps.

use super::{Report, State, Step, ended, grade, ms, skipped, step};
use crate::check::findings::{Ended, Firewall, Knock, ListenFindings, Listener, Place, Ruling};
use crate::check::firewall::Stop;
use crate::check::verdict::{led_elsewhere, listening_verdict as verdict, program, remarks};
use echoline::AddressKind;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// So many addresses are listed; a machine full of containers has hundreds.
const SHOWN: usize = 12;

impl Report {
    /// Of `--listen`.
    pub(in crate::check) fn of_listening(findings: &ListenFindings, took: Duration) -> Self {
        let steps = match &findings.unreadable {
            Some(problem) => {
                let says = vec![problem.message.clone()];
                let failed = step("address", State::Fail, says, json!({ "problem": problem }));
                let rest = ["bound", "queue", "connect", "firewall", "reach"].into_iter().map(skipped);
                std::iter::once(failed).chain(rest).collect()
            }
            None => {
                vec![
                    address(findings),
                    bound(findings),
                    queue(findings),
                    connect(findings),
                    firewall(findings),
                    reach(findings),
                ]
            }
        };
        let target = json!({ "listen": findings.asked, "port": findings.wanted.port, "expect": "listen" });
        Self::whole(target, verdict(findings), steps, took)
    }
}

fn address(findings: &ListenFindings) -> Step {
    let wanted = &findings.wanted;
    let port = wanted.port;
    let family = match (wanted.ipv4, wanted.ipv6) {
        (true, true) => "",
        (true, false) => ", over IPv4",
        _ => ", over IPv6",
    };
    let at = wanted.addresses.iter().map(|ip| format!("{ip} ({})", AddressKind::of(*ip))).collect::<Vec<_>>();
    let says = match (at.is_empty(), wanted.for_others) {
        (true, _) => format!("port {port} of every address, for other machines{family}"),
        (false, true) => format!("port {port} of {}", at.join(", ")),
        (false, false) => format!("port {port} of {}, for this machine alone", at.join(", ")),
    };
    step("address", State::Pass, vec![says], json!(wanted))
}

fn bound(findings: &ListenFindings) -> Step {
    let Some(sockets) = &findings.sockets else {
        return step(
            "bound",
            State::Fail,
            vec!["the system shows no table of sockets".to_owned()],
            Value::Null,
        );
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
        let on = listener.interface.as_ref().map_or_else(String::new, |name| format!("  on {name} alone"));
        let stopped = if listener.is_stopped() { "  stopped" } else { "" };
        format!("{}  {}{only}{on}{stopped}", listener.address, program(listener))
    };
    let mut says: Vec<String> = sockets.iter().map(line).collect();
    if says.is_empty() {
        says.push("nothing listens on that port".to_owned());
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
    step("bound", state, says, json!(sockets))
}

fn is_loopback(place: &Place) -> bool {
    place.address.ip().is_loopback()
}

/// A step that needs a program here, where there is none.
fn without(findings: &ListenFindings, name: &'static str) -> Step {
    match led_elsewhere(findings) {
        Some(_) => {
            let says = vec!["the port is led elsewhere".to_owned()];
            step(name, State::NotApplicable, says, Value::Null)
        }
        None => skipped(name),
    }
}

fn queue(findings: &ListenFindings) -> Step {
    let sockets = findings.sockets.as_deref().unwrap_or_default();
    if sockets.is_empty() {
        return without(findings, "queue");
    }
    let line = |listener: &Listener| {
        let room = listener.queue.may_wait.map_or_else(
            || "the system does not show for how many it has room".to_owned(),
            |most| format!("room for {most}"),
        );
        let full = if listener.queue.is_full() { ": full" } else { "" };
        let waiting = listener.queue.waiting;
        let wait = if waiting == 1 { "waits" } else { "wait" };
        format!("{}: {waiting} {wait} to be taken, {room}{full}", listener.address)
    };
    let full = sockets.iter().any(|listener| listener.queue.is_full());
    let state = if full { State::Fail } else { State::Pass };
    let evidence =
        sockets.iter().map(|listener| json!({ "address": listener.address, "queue": listener.queue }));
    step("queue", state, sockets.iter().map(line).collect(), evidence.collect())
}

fn connect(findings: &ListenFindings) -> Step {
    let knocks = &findings.knocks;
    if knocks.is_empty() {
        return without(findings, "connect");
    }
    let line = |knock: &Knock| {
        let taken = match knock.taken {
            Some(true) => ", and the program took it",
            Some(false) => ", and the program has not taken it",
            None => "",
        };
        let took = ms(knock.connect.took_us);
        format!("{} from this machine: {}{taken}, {took}", knock.address, ended(knock.connect.ended))
    };
    let good =
        knocks.iter().filter(|knock| knock.connect.ended == Ended::Connected && knock.taken != Some(false));
    let state = grade(good.count(), knocks.len());
    let took = knocks.iter().map(|knock| knock.connect.took_us).max();
    Step { took_us: took, ..step("connect", state, knocks.iter().map(line).collect(), json!(knocks)) }
}

fn firewall(findings: &ListenFindings) -> Step {
    if !findings.wanted.for_others {
        let to = findings.wanted.addresses.first().map(|ip| SocketAddr::new(*ip, findings.wanted.port));
        let look = to.map_or_else(String::new, |to| format!("; echoline check {to} does"));
        let says = vec![format!("what this machine sends to itself is not looked at here{look}")];
        return step("firewall", State::NotApplicable, says, Value::Null);
    }
    if findings.firewalls.is_empty() {
        return skipped("firewall");
    }
    let mut says = Vec::new();
    for one in &findings.firewalls {
        says.push(ruling(one));
        says.extend(
            one.led_elsewhere.as_ref().map(|rule| format!("{}: led elsewhere (NAT): {rule}", one.family)),
        );
        says.extend(one.ufw.clone());
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
    step("firewall", worst.unwrap_or(State::Pass), says, json!(findings.firewalls))
}

fn ruling(firewall: &Firewall) -> String {
    let read = match firewall.read.as_slice() {
        [] => String::new(),
        read => format!(" ({})", read.join(", ")),
    };
    let family = firewall.family;
    match &firewall.ruling {
        Some(Ruling::Passes) => format!("{family}: lets everybody in{read}"),
        Some(Ruling::Stopped { how: Stop::Drop, rule }) => format!("{family}: drops{read}: {rule}"),
        Some(Ruling::Stopped { how: Stop::Reject, rule }) => format!("{family}: rejects{read}: {rule}"),
        Some(Ruling::Depends { rule }) => format!("{family}: some and not others{read}: {rule}"),
        None => format!("{family}: cannot be told: {}", firewall.unreadable.unwrap_or("no rules were found")),
    }
}

fn reach(findings: &ListenFindings) -> Step {
    let served: Vec<&Place> = findings.places.iter().filter(|place| place.served).collect();
    if served.is_empty() {
        return without(findings, "reach");
    }
    let line = |place: &&Place| {
        let on = place.interface.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
        format!("{}{on}: {}", place.address, place.who)
    };
    let mut says: Vec<String> = served.iter().take(SHOWN).map(line).collect();
    if served.len() > SHOWN {
        says.push(format!("and {} more addresses", served.len() - SHOWN));
    }
    let private = served.iter().find(|place| AddressKind::of(place.address.ip()) == AddressKind::Private);
    let global = served.iter().any(|place| AddressKind::of(place.address.ip()) == AddressKind::Global);
    if let (Some(place), Some(router), false) =
        (private.filter(|place| place.address.is_ipv4()), findings.router, global)
    {
        says.push(format!(
            "from the internet: only if the router {router} forwards port {} to {}",
            findings.wanted.port, place.address
        ));
    }
    if findings.wanted.for_others {
        says.push("a firewall elsewhere (the router's, the cloud's) cannot be seen from here".to_owned());
    }
    step("reach", State::Pass, says, json!({ "places": findings.places, "router": findings.router }))
}
