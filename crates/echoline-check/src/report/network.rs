//! The way there: the routes, the connections, other ports, the routers between.

use echoline_diagnosis::{Text, foreign, text};

use super::seen::{Connections, ControlsSeen, PathSeen, RouteSeen, Seen, Tried};
use super::step::{State, Step, grade};
use super::words::ended;
use crate::evidence::{AddressFinding, Control, Ended, Findings, Hop, HopAnswer};
use crate::verdict::translation;
use crate::words::short_time;

pub(super) fn route(findings: &Findings) -> Step {
    if findings.addresses.is_empty() {
        return Step::skipped(Seen::Route(None));
    }
    let line = |finding: &AddressFinding| {
        let to = finding.address.ip();
        match &finding.route.found {
            None => {
                text!(
                    "{}: none ({})",
                    to,
                    finding.route.missing.as_ref().map_or("the kernel did not say why".into(), foreign)
                )
            }
            Some(way) => {
                let via = way.gateway.map(|gateway| text!("via {} ", gateway));
                let from = way.source.map(|source| {
                    text!(", from {} ({})", source, way.source_kind.clone().unwrap_or("unknown".into()))
                });
                let own = if finding.own { ": this machine itself" } else { "" };
                text!(
                    "{} ({}): {}on {}{}{}",
                    to,
                    finding.kind.clone(),
                    via,
                    foreign(&way.interface),
                    from,
                    own
                )
            }
        }
    };
    let found = findings.addresses.iter().filter(|finding| finding.route.found.is_some()).count();
    let state = grade(found, findings.addresses.len());
    let says = findings.addresses.iter().map(line).collect();
    let seen = findings.addresses.iter().map(|finding| RouteSeen {
        address: finding.address.ip(),
        kind: finding.kind.clone(),
        own: finding.own,
        route: finding.route.clone(),
    });
    let took = findings.addresses.iter().map(|finding| finding.route.took_us).sum();
    Step::new(Seen::Route(Some(seen.collect())), state, says).took(took)
}

pub(super) fn connect(findings: &Findings) -> Step {
    if findings.addresses.is_empty() {
        return Step::skipped(Seen::Connect(None));
    }
    let mut says = Vec::new();
    for finding in &findings.addresses {
        says.push(connect_line(finding));
        says.extend(connect_details(finding));
        says.extend(translation(finding));
    }
    let connected =
        findings.addresses.iter().filter(|finding| finding.connect.ended == Ended::Connected).count();
    let tried = findings.addresses.iter().map(|finding| Tried {
        address: finding.address,
        connect: finding.connect.clone(),
        listens: finding.listens,
        neighbour: finding.neighbour.clone(),
        own_rules: finding.own_rules.clone(),
    });
    let took = findings.addresses.iter().map(|finding| finding.connect.took_us).max();
    let state = grade(connected, findings.addresses.len());
    let seen = Seen::Connect(Some(Connections::To(tried.collect())));
    Step { took_us: took, ..Step::new(seen, state, says) }
}

fn connect_line(finding: &AddressFinding) -> Text {
    let connect = &finding.connect;
    let time = match connect.ended {
        Ended::NoAnswer => text!(" in {}", short_time(connect.took_us)),
        Ended::NoSuchSource => Text::default(),
        _ => text!(" after {}", short_time(connect.took_us)),
    };
    let what = match &connect.icmp {
        Some(icmp) => {
            let who = match (icmp.from, icmp.from_this_machine) {
                (Some(from), true) => text!("{} (this machine)", from),
                (Some(from), false) => from.into(),
                (None, _) => "an unknown sender".into(),
            };
            text!("{} says {}", who, icmp.name())
        }
        None => ended(connect.ended).into(),
    };
    text!("{}: {}{}", finding.address, what, time)
}

fn connect_details(finding: &AddressFinding) -> Vec<Text> {
    let mut says = Vec::new();
    let absent = finding.neighbour.as_ref().is_some_and(|neighbour| !neighbour.answers);
    if let Some(requests) = finding.connect.requests {
        let left = match requests.left_this_machine {
            Some(true) => "they left this machine",
            Some(false) if absent => "they wait for the next machine on the way",
            Some(false) => "none left this machine",
            None => "too short a time to see whether it left this machine",
        };
        says.push(text!("requests: 1, then {} again; {}", requests.repeated, left));
    }
    if let Some(neighbour) = finding.neighbour.as_ref().filter(|_| finding.connect.ended != Ended::Refused) {
        let does = if neighbour.answers { "told its hardware address" } else { "does not say where it is" };
        says.push(text!("next on the way: {} {}", neighbour.address, does));
    }
    if !matches!(finding.connect.ended, Ended::Connected | Ended::NoSuchSource) {
        says.extend(finding.listens.map(|listens| match listens {
            true => "a program of this machine listens there".into(),
            false => "no program of this machine listens there".into(),
        }));
    }
    says.extend(finding.own_rules.iter().map(|rule| text!("own rule: {}", foreign(rule))));
    says
}

pub(super) fn controls(findings: &Findings) -> Option<Step> {
    let asked: Vec<&AddressFinding> =
        findings.addresses.iter().filter(|finding| !finding.controls.is_empty()).collect();
    if asked.is_empty() {
        return None;
    }
    let one = |control: &Control| {
        let what = match &control.icmp {
            Some(icmp) => icmp.name(),
            None => ended(control.ended).into(),
        };
        text!("{} {}", control.port, what)
    };
    let line = |finding: &&AddressFinding| {
        let list = Text::join(finding.controls.iter().map(one), ", ");
        text!("{} on other ports: {}", finding.address.ip(), list)
    };
    let seen = asked
        .iter()
        .map(|finding| ControlsSeen { address: finding.address.ip(), ports: finding.controls.clone() });
    let answers = |finding: &AddressFinding| {
        finding.controls.iter().any(|control| control.shows_host(finding.address.ip()))
    };
    let state = grade(asked.iter().filter(|finding| answers(finding)).count(), asked.len());
    let state = if state == State::Fail { State::Warn } else { state };
    let took = asked.iter().flat_map(|finding| &finding.controls).map(|control| control.took_us).max();
    let step = Step::new(Seen::Controls(seen.collect()), state, asked.iter().map(line).collect());
    Some(step.took(took.unwrap_or_default()))
}

pub(super) fn path(findings: &Findings) -> Option<Step> {
    let shown: Vec<&AddressFinding> =
        findings.addresses.iter().filter(|finding| !finding.hops.is_empty()).collect();
    if shown.is_empty() {
        return None;
    }
    let mut says = Vec::new();
    for finding in &shown {
        says.push(text!("to {}: {}", finding.address, series(&finding.hops)));
        if !finding.control_hops.is_empty() {
            says.push(text!("to a control port: {}", series(&finding.control_hops)));
        }
    }
    let paths = shown.iter().map(|finding| PathSeen {
        address: finding.address,
        hops: finding.hops.clone(),
        control_hops: finding.control_hops.clone(),
    });
    let hops = shown.iter().flat_map(|finding| finding.hops.iter().chain(&finding.control_hops));
    let took = hops.map(|hop| hop.took_us).max();
    let step = Step::new(Seen::Path(paths.collect()), State::Pass, says);
    Some(step.took(took.unwrap_or_default()))
}

/// `1 192.168.1.1, 2 silent, 3 connected`; silent hops at the end are left out.
fn series(hops: &[Hop]) -> Text {
    // All sent at once, those that may travel further meet the same end.
    let ends = |hop: &Hop| hop.answer.is_final() || matches!(hop.answer, HopAnswer::Unreachable(_));
    let hops = hops.iter().position(ends).map_or(hops, |end| &hops[..=end]);
    let last = hops.iter().rposition(|hop| hop.answer != HopAnswer::Silent);
    let Some(last) = last else { return "no router answered".into() };
    let one = |hop: &Hop| {
        let who = match hop.answer {
            HopAnswer::Router(router) => router.into(),
            HopAnswer::Connected => "connected".into(),
            HopAnswer::Refused => "refused".into(),
            HopAnswer::Unreachable(Some(who)) => text!("{} says unreachable", who),
            HopAnswer::Unreachable(None) => "unreachable".into(),
            HopAnswer::Silent => "silent".into(),
        };
        text!("{} {}", hop.ttl, who)
    };
    let shown = Text::join(hops[..=last].iter().map(one), ", ");
    let silent = if hops.len() > last + 1 { ", then silence" } else { "" };
    text!("{}{}", shown, silent)
}
