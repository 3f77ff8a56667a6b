//! The report: the verdict, and each step with its state and what was seen. Text and JSON render this one value.

mod idle;
mod listening;
mod other_end;

pub(super) use idle::long_time;

use super::findings::{
    AddressFinding, Answer, Control, Ended, Expect, Findings, Hop, HopAnswer, NameAnswer, NameSource, What,
};
use super::verdict::{Verdict, VerdictCode, translation, verdict};
use crate::exit::ExitStatus;
use crate::units::human_time;
use echoline::{AddressKind, Code};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The version of the JSON document. It grows when something that was there changes or goes; new fields may come.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The version of this document.
    pub(super) schema: u32,
    pub(super) verdict: Verdict,
    /// What was asked for.
    pub(super) target: Value,
    pub(super) steps: Vec<Step>,
    pub(super) took_us: u64,
    /// Somebody ended it early.
    #[serde(skip)]
    pub(super) interrupted: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) step: &'static str,
    pub(super) state: State,
    pub(super) took_us: Option<u64>,
    /// For a person: one line or more.
    pub(super) says: Vec<String>,
    /// For a program: what was seen, as it was seen.
    pub(super) evidence: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Pass,
    Warn,
    Fail,
    /// An earlier step failed.
    Skip,
    /// There is nothing to look at.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
            Self::NotApplicable => "N/A",
        }
    }
}

impl Report {
    pub(super) fn new(findings: &Findings, took: Duration) -> Self {
        let mut steps = vec![address(findings), name(findings), route(findings), connect(findings)];
        steps.extend(controls(findings));
        steps.extend(path(findings));
        steps.push(conversation(findings));
        steps.push(timing(findings));
        steps.extend(other_end::whoami(findings));
        steps.extend(other_end::backends(findings));
        steps.extend(idle::idle(findings));
        Self {
            interrupted: findings.idle.as_ref().is_some_and(|idle| idle.interrupted),
            ..Self::whole(json!(findings.target), verdict(findings), steps, took)
        }
    }

    fn whole(target: Value, verdict: Verdict, steps: Vec<Step>, took: Duration) -> Self {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self { schema: SCHEMA, target, verdict, steps, took_us, interrupted: false }
    }

    /// What cannot be read, and what this machine has run out of, is no answer of the network.
    pub(super) fn exit(&self) -> ExitStatus {
        match self.verdict.code {
            _ if self.interrupted => ExitStatus::Interrupted,
            VerdictCode::Ok => ExitStatus::Success,
            VerdictCode::Failure(
                Code::BadAddress
                | Code::BadPort
                | Code::AddressNotAvailable
                | Code::NoLocalPort
                | Code::TooManyOpenFiles
                | Code::ResolverBusy
                | Code::System,
            ) => ExitStatus::Usage,
            VerdictCode::Failure(_) => ExitStatus::Refused,
        }
    }
}

fn step(step: &'static str, state: State, says: Vec<String>, evidence: Value) -> Step {
    Step { step, state, took_us: None, says, evidence }
}

/// With the time that it took.
fn timed(us: u64, step: Step) -> Step {
    Step { took_us: Some(us), ..step }
}

fn skipped(name: &'static str) -> Step {
    step(name, State::Skip, vec!["an earlier step failed".to_owned()], Value::Null)
}

fn ms(us: u64) -> String {
    if us < 10 {
        return format!("{us} us");
    }
    human_time(Duration::from_micros(us))
}

fn address(findings: &Findings) -> Step {
    if let Some(problem) = &findings.unreadable {
        return step("address", State::Fail, vec![problem.message.clone()], json!({ "problem": problem }));
    }
    let host = &findings.target.host;
    let says = match host.parse() {
        Ok(ip) => {
            let family = if matches!(ip, std::net::IpAddr::V4(_)) { "IPv4" } else { "IPv6" };
            format!("{host} is an {family} address ({}), port {}", AddressKind::of(ip), findings.target.port)
        }
        Err(_) => format!("{host} is a name, port {}", findings.target.port),
    };
    step("address", State::Pass, vec![says], json!({ "host": host, "port": findings.target.port }))
}

fn name(findings: &Findings) -> Step {
    let Some(name) = &findings.name else {
        return match findings.unreadable {
            Some(_) => skipped("name"),
            None => {
                step("name", State::NotApplicable, vec!["an address needs no lookup".to_owned()], Value::Null)
            }
        };
    };
    let source = match name.source {
        NameSource::Loopback => "always this machine (RFC 6761)",
        NameSource::HostsFile => "from /etc/hosts",
        NameSource::Resolver => "from the system's resolver",
    };
    let mut says = match &name.problem {
        Some(problem) => vec![problem.message.clone()],
        None => {
            let (v4, v6): (Vec<_>, Vec<_>) = name.addresses.iter().partition(|ip| ip.is_ipv4());
            let list = |family: &str, ips: Vec<&std::net::IpAddr>| match ips.is_empty() {
                true => format!("no {family}"),
                false => {
                    format!("{family} {}", ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                }
            };
            vec![format!("{}; {}; {source}", list("IPv4", v4), list("IPv6", v6))]
        }
    };
    for server in &name.servers {
        let answer = match &server.answer {
            NameAnswer::Silent => format!("does not answer in {}", ms(server.took_us)),
            NameAnswer::Undelivered(why) => format!("cannot be asked: {why}"),
            NameAnswer::Code(code) => format!("answers with {}", rcode(*code)),
        };
        says.push(format!("name server {} {answer}", server.address));
    }
    if findings.addresses_left_out > 0 {
        says.push(format!("{} more addresses were not tried", findings.addresses_left_out));
    }
    let state = if name.problem.is_some() { State::Fail } else { State::Pass };
    timed(name.took_us, step("name", state, says, json!(name)))
}

/// The names of RFC 1035 section 4.1.1 as tools print them.
fn rcode(code: u8) -> String {
    match code {
        0 => "an answer (NOERROR)".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "no such name (NXDOMAIN)".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("code {other}"),
    }
}

fn route(findings: &Findings) -> Step {
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

/// All, some or none.
fn grade(good: usize, all: usize) -> State {
    match good {
        0 => State::Fail,
        _ if good == all => State::Pass,
        _ => State::Warn,
    }
}

fn connect(findings: &Findings) -> Step {
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

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Connected => "connected",
        Ended::Refused => "refused",
        Ended::Reset => "reset",
        Ended::NetUnreachable => "network unreachable",
        Ended::HostUnreachable => "host unreachable",
        Ended::Denied => "denied by this machine",
        Ended::NoAnswer => "no answer",
        Ended::NoLocalPort => "no local port is free",
        Ended::NoSuchSource => "the source address is not of this machine",
        Ended::Other => "failed",
    }
}

fn connect_line(finding: &AddressFinding) -> String {
    let connect = &finding.connect;
    let time = match connect.ended {
        Ended::NoAnswer => format!(" in {}", ms(connect.took_us)),
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
    if finding.connect.ended != Ended::Connected {
        says.extend(finding.listens.map(|listens| match listens {
            true => "a program of this machine listens there".to_owned(),
            false => "no program of this machine listens there".to_owned(),
        }));
    }
    says.extend(finding.own_rules.iter().map(|rule| format!("own rule: {rule}")));
    says
}

fn controls(findings: &Findings) -> Option<Step> {
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

fn path(findings: &Findings) -> Option<Step> {
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

fn conversation(findings: &Findings) -> Step {
    let name = match findings.target.expect {
        Expect::Echo => "echo",
        Expect::Connect => "greeting",
    };
    let Some(conversation) = &findings.conversation else { return skipped(name) };
    let mut says = Vec::new();
    if findings.target.expect == Expect::Connect {
        says.push(match (&conversation.greeting, conversation.broke) {
            (Some(greeting), _) => format!("it says \"{greeting}\""),
            (None, Some(_)) => "the other side ended the connection at once".to_owned(),
            (None, None) => "it says nothing first, as many services do".to_owned(),
        });
    }
    for exchange in &conversation.exchanges {
        says.push(exchange_line(exchange));
        says.extend(exchange.got.as_ref().map(|got| format!("it sent \"{got}\"")));
    }
    says.extend(conversation.recognised.map(|protocol| format!("recognised: {protocol}")));
    let bad = |exchange: &super::findings::Exchange| exchange.result != Answer::Identical;
    let state = match conversation.exchanges.iter().find(|exchange| bad(exchange)) {
        Some(exchange) if exchange.what == What::HalfClose => State::Warn,
        Some(_) => State::Fail,
        None if conversation.broke.is_some() && conversation.greeting.is_none() => State::Fail,
        None => State::Pass,
    };
    timed(conversation.took_us, step(name, state, says, json!(conversation)))
}

fn exchange_line(exchange: &super::findings::Exchange) -> String {
    let what = exchange.what.words();
    let bytes = exchange.sent_bytes;
    let reads = if exchange.reads == 1 { "1 read".to_owned() } else { format!("{} reads", exchange.reads) };
    match exchange.result {
        Answer::Identical => format!("{what}: {bytes} bytes, identical, {reads}, {}", ms(exchange.took_us)),
        Answer::LineEndings => format!("{what}: {bytes} bytes, other line endings came back"),
        Answer::Altered { at } => format!("{what}: {bytes} bytes, byte {} came back changed", at + 1),
        Answer::Different => format!("{what}: {bytes} bytes, something else came back"),
        Answer::Silent { acknowledged } => {
            let tcp = match acknowledged {
                Some(true) => "; the other machine acknowledged them (TCP)",
                Some(false) => "; not even acknowledged (TCP)",
                None => "",
            };
            format!(
                "{what}: {bytes} bytes, {} came back in {}{tcp}",
                if exchange.got_bytes == 0 {
                    "nothing".to_owned()
                } else {
                    format!("only {}", exchange.got_bytes)
                },
                ms(exchange.took_us)
            )
        }
        Answer::Closed => format!("{what}: the other side closed after {} bytes", exchange.got_bytes),
        Answer::Reset => format!("{what}: the connection was reset after {} bytes", exchange.got_bytes),
    }
}

fn timing(findings: &Findings) -> Step {
    let Some(timing) = &findings.timing else { return skipped("timing") };
    let mut parts = Vec::new();
    if let (Some(min), Some(p50), Some(p99)) = (timing.min_us, timing.p50_us, timing.p99_us) {
        let jitter = timing.jitter_us.map_or_else(String::new, |jitter| format!(", jitter {}", ms(jitter)));
        parts.push(format!(
            "{} round trips: min {}, p50 {}, p99 {}{jitter}",
            timing.round_trips,
            ms(min),
            ms(p50),
            ms(p99)
        ));
    }
    parts.push(format!(
        "the kernel's round-trip time {}, segments sent again: {}",
        ms(timing.kernel_rtt_us),
        timing.segments_sent_again
    ));
    let state = if timing.segments_sent_again > 0 { State::Warn } else { State::Pass };
    let step = step("timing", state, parts, json!(timing));
    // Where nothing may be sent, nothing took any time.
    if timing.round_trips == 0 { step } else { timed(timing.took_us, step) }
}
