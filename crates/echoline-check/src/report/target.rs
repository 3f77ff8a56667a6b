//! What was asked for, and the addresses of its name.

use std::net::IpAddr;

use echoline::{AddressKind, Family, Host};
use echoline_diagnosis::{Text, foreign, host as named, plain, text};

use super::seen::{AddressSeen, Seen};
use super::step::{State, Step};
use crate::evidence::{Findings, NameAnswer, NameSource};
use crate::words::{few, short_time};

/// So many addresses of a name are shown; a machine reads all of them.
const SHOWN: usize = 16;

pub(super) fn address(findings: &Findings) -> Step {
    if let Some(problem) = &findings.unreadable {
        let seen = Seen::Address(AddressSeen::Unreadable { problem: problem.clone() });
        return Step::new(seen, State::Fail, vec![problem.whole()]);
    }
    let host = &findings.target.host;
    let says = match host.parse::<Host>().ok().and_then(|host| host.ip()) {
        Some(ip) => {
            let family = if matches!(ip, IpAddr::V4(_)) { "IPv4" } else { "IPv6" };
            text!(
                "{} is an {} address ({}), port {}",
                named(host),
                family,
                AddressKind::of(ip).as_str(),
                findings.target.port
            )
        }
        None => text!("{} is a name, port {}", named(host), findings.target.port),
    };
    let seen = AddressSeen::Host { host: host.clone(), port: findings.target.port };
    Step::new(Seen::Address(seen), State::Pass, vec![says])
}

pub(super) fn name(findings: &Findings) -> Step {
    let Some(name) = &findings.name else {
        return match findings.unreadable {
            Some(_) => Step::skipped(Seen::Name(None)),
            None => {
                let says = vec!["an address needs no lookup".into()];
                Step::new(Seen::Name(None), State::NotApplicable, says)
            }
        };
    };
    let source = match name.source {
        NameSource::Loopback => "always this machine (RFC 6761)",
        NameSource::HostsFile => "from /etc/hosts",
        NameSource::Resolver => "from the system's resolver",
    };
    let mut says = match &name.problem {
        Some(problem) => vec![problem.whole()],
        None => {
            let (v4, v6): (Vec<_>, Vec<_>) = name.addresses.iter().partition(|ip| ip.is_ipv4());
            let list = |family: Family, ips: Vec<IpAddr>| match ips.is_empty() {
                true if ![Family::Any, family].contains(&findings.family) => {
                    text!("{} not asked for", plain(family.to_string()))
                }
                true => text!("no {}", plain(family.to_string())),
                false => text!("{} {}", plain(family.to_string()), few(&ips, SHOWN)),
            };
            vec![text!("{}; {}; {}", list(Family::V4, v4), list(Family::V6, v6), source)]
        }
    };
    for server in &name.servers {
        let answer = match &server.answer {
            NameAnswer::Silent => text!("does not answer in {}", short_time(server.took_us)),
            NameAnswer::Undelivered(why) => text!("cannot be asked: {}", foreign(why)),
            NameAnswer::Code(code) => text!("answers with {}", rcode(*code)),
        };
        says.push(text!("name server {} {}", named(&server.address), answer));
    }
    if findings.addresses_left_out > 0 {
        says.push(text!("{} more addresses were not tried", findings.addresses_left_out));
    }
    let state = if name.problem.is_some() { State::Fail } else { State::Pass };
    Step::new(Seen::Name(Some(name.clone())), state, says).took(name.took_us)
}

/// The names of RFC 1035 section 4.1.1 as tools print them.
fn rcode(code: u8) -> Text {
    match code {
        0 => "an answer (NOERROR)".into(),
        1 => "FORMERR".into(),
        2 => "SERVFAIL".into(),
        3 => "no such name (NXDOMAIN)".into(),
        4 => "NOTIMP".into(),
        5 => "REFUSED".into(),
        other => text!("code {}", other),
    }
}
