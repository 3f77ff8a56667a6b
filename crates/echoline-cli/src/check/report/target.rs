//! What was asked for, and the addresses of its name.

use super::{State, Step, ms, skipped, step, timed};
use crate::check::findings::{Findings, NameAnswer, NameSource};
use echoline::{AddressKind, Family, Host};
use echoline_diagnosis::units::few;
use serde_json::{Value, json};
use std::net::IpAddr;

/// So many addresses of a name are shown; a machine reads all of them.
const SHOWN: usize = 16;

pub(super) fn address(findings: &Findings) -> Step {
    if let Some(problem) = &findings.unreadable {
        return step("address", State::Fail, vec![problem.message.clone()], json!({ "problem": problem }));
    }
    let host = &findings.target.host;
    let says = match host.parse::<Host>().ok().and_then(|host| host.ip()) {
        Some(ip) => {
            let family = if matches!(ip, IpAddr::V4(_)) { "IPv4" } else { "IPv6" };
            format!("{host} is an {family} address ({}), port {}", AddressKind::of(ip), findings.target.port)
        }
        None => format!("{host} is a name, port {}", findings.target.port),
    };
    step("address", State::Pass, vec![says], json!({ "host": host, "port": findings.target.port }))
}

pub(super) fn name(findings: &Findings) -> Step {
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
            let list = |family: Family, ips: Vec<&IpAddr>| match ips.is_empty() {
                true if ![Family::Any, family].contains(&findings.family) => {
                    format!("{family} not asked for")
                }
                true => format!("no {family}"),
                false => format!("{family} {}", few(&ips, SHOWN)),
            };
            vec![format!("{}; {}; {source}", list(Family::V4, v4), list(Family::V6, v6))]
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
