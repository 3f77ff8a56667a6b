//! The way there: the routes, the connections, other ports, the routers between.

use super::{State, Step, ended, grade, ms, skipped, step, timed};
use crate::check::findings::{AddressFinding, Control, Ended, Findings, Hop, HopAnswer};
use crate::check::verdict::translation;
use serde_json::json;

pub(super) fn route(findings: &Findings) -> Step {
    if findings.addresses.is_empty() {
        return skipped("route");
    }
    let line = |finding: &AddressFinding| {
        let to = finding.address.ip();
        match &finding.route.found {
            None => {
                format!(
                    "{to}: none ({})",
                    finding.route.missing.as_deref().unwrap_or("the kernel did not say why")
                )
            }
            Some(way) => {
                let via = way.gateway.map_or_else(String::new, |gateway| format!("via {gateway} "));
                let from = way.source.map_or_else(String::new, |source| {
                    format!(", from {source} ({})", way.source_kind.unwrap_or("unknown"))
                });
                let own = if finding.own { ": this machine itself" } else { "" };
                format!("{to} ({}): {via}on {}{from}{own}", finding.kind, way.interface)
            }
        }
    };
    let found = findings.addresses.iter().filter(|finding| finding.route.found.is_some()).count();
    let state = grade(found, findings.addresses.len());
    let says = findings.addresses.iter().map(line).collect();
    let evidence = findings.addresses.iter();
    let evidence = evidence.map(|finding| {
        json!({ "address": finding.address.ip(), "kind": finding.kind, "own": finding.own, "route": finding.route })
    });
    let took = findings.addresses.iter().map(|finding| finding.route.took_us).sum();
    timed(took, step("route", state, says, evidence.collect()))
}

pub(super) fn connect(findings: &Findings) -> Step {
    if findings.addresses.is_empty() {
        return skipped("connect");
    }
    let mut says = Vec::new();
    for finding in &findings.addresses {
        says.push(connect_line(finding));
        says.extend(connect_details(finding));
        says.extend(translation(finding));
    }
    let connected =
        findings.addresses.iter().filter(|finding| finding.connect.ended == Ended::Connected).count();
    let evidence = findings.addresses.iter().map(|finding| {
        json!({
            "address": finding.address,
            "connect": finding.connect,
            "listens": finding.listens,
            "neighbour": finding.neighbour,
            "own_rules": finding.own_rules,
        })
    });
    let took = findings.addresses.iter().map(|finding| finding.connect.took_us).max();
    let state = grade(connected, findings.addresses.len());
    Step { took_us: took, ..step("connect", state, says, evidence.collect()) }
}

fn connect_line(finding: &AddressFinding) -> String {
    let connect = &finding.connect;
    let time = match connect.ended {
        Ended::NoAnswer => format!(" in {}", ms(connect.took_us)),
        Ended::NoSuchSource => String::new(),
        _ => format!(" after {}", ms(connect.took_us)),
    };
    let what = match &connect.icmp {
        Some(icmp) => {
            let who = match (icmp.from, icmp.from_this_machine) {
                (Some(from), true) => format!("{from} (this machine)"),
                (Some(from), false) => from.to_string(),
                (None, _) => "an unknown sender".to_owned(),
            };
            format!("{who} says {}", icmp.name())
        }
        None => ended(connect.ended).to_owned(),
    };
    format!("{}: {what}{time}", finding.address)
}

fn connect_details(finding: &AddressFinding) -> Vec<String> {
    let mut says = Vec::new();
    let absent = finding.neighbour.as_ref().is_some_and(|neighbour| !neighbour.answers);
    if let Some(requests) = finding.connect.requests {
        let left = match requests.left_this_machine {
            Some(true) => "they left this machine",
            Some(false) if absent => "they wait for the next machine on the way",
            Some(false) => "none left this machine",
            None => "too short a time to see whether it left this machine",
        };
        says.push(format!("requests: 1, then {} again; {left}", requests.repeated));
    }
    if let Some(neighbour) = finding.neighbour.as_ref().filter(|_| finding.connect.ended != Ended::Refused) {
        let does = if neighbour.answers { "told its hardware address" } else { "does not say where it is" };
        says.push(format!("next on the way: {} {does}", neighbour.address));
    }
    if !matches!(finding.connect.ended, Ended::Connected | Ended::NoSuchSource) {
        says.extend(finding.listens.map(|listens| match listens {
            true => "a program of this machine listens there".to_owned(),
            false => "no program of this machine listens there".to_owned(),
        }));
    }
    says.extend(finding.own_rules.iter().map(|rule| format!("own rule: {rule}")));
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
            None => ended(control.ended).to_owned(),
        };
        format!("{} {what}", control.port)
    };
    let line = |finding: &&AddressFinding| {
        let list = finding.controls.iter().map(one).collect::<Vec<_>>().join(", ");
        format!("{} on other ports: {list}", finding.address.ip())
    };
    let evidence =
        asked.iter().map(|finding| json!({ "address": finding.address.ip(), "ports": finding.controls }));
    let answers = |finding: &AddressFinding| {
        finding.controls.iter().any(|control| control.shows_host(finding.address.ip()))
    };
    let state = grade(asked.iter().filter(|finding| answers(finding)).count(), asked.len());
    let state = if state == State::Fail { State::Warn } else { state };
    let took = asked.iter().flat_map(|finding| &finding.controls).map(|control| control.took_us).max();
    let step = step("controls", state, asked.iter().map(line).collect(), evidence.collect());
    Some(timed(took.unwrap_or_default(), step))
}

pub(super) fn path(findings: &Findings) -> Option<Step> {
    let seen: Vec<&AddressFinding> =
        findings.addresses.iter().filter(|finding| !finding.hops.is_empty()).collect();
    if seen.is_empty() {
        return None;
    }
    let mut says = Vec::new();
    for finding in &seen {
        says.push(format!("to {}: {}", finding.address, series(&finding.hops)));
        if !finding.control_hops.is_empty() {
            says.push(format!("to a control port: {}", series(&finding.control_hops)));
        }
    }
    let evidence = seen.iter().map(|finding| {
        json!({ "address": finding.address, "hops": finding.hops, "control_hops": finding.control_hops })
    });
    let hops = seen.iter().flat_map(|finding| finding.hops.iter().chain(&finding.control_hops));
    let took = hops.map(|hop| hop.took_us).max();
    Some(timed(took.unwrap_or_default(), step("path", State::Pass, says, evidence.collect())))
}

/// `1 192.168.1.1, 2 silent, 3 connected`; silent hops at the end are left out.
fn series(hops: &[Hop]) -> String {
    // All sent at once, those that may travel further meet the same end.
    let ends = |hop: &Hop| hop.answer.is_final() || matches!(hop.answer, HopAnswer::Unreachable(_));
    let hops = hops.iter().position(ends).map_or(hops, |end| &hops[..=end]);
    let last = hops.iter().rposition(|hop| hop.answer != HopAnswer::Silent);
    let Some(last) = last else { return "no router answered".to_owned() };
    let one = |hop: &Hop| {
        let who = match hop.answer {
            HopAnswer::Router(router) => router.to_string(),
            HopAnswer::Connected => "connected".to_owned(),
            HopAnswer::Refused => "refused".to_owned(),
            HopAnswer::Unreachable(Some(who)) => format!("{who} says unreachable"),
            HopAnswer::Unreachable(None) => "unreachable".to_owned(),
            HopAnswer::Silent => "silent".to_owned(),
        };
        format!("{} {who}", hop.ttl)
    };
    let shown = hops[..=last].iter().map(one).collect::<Vec<_>>().join(", ");
    let silent = if hops.len() > last + 1 { ", then silence" } else { "" };
    format!("{shown}{silent}")
}
