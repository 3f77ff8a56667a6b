//! The verdict: what all findings together say. A pure function; it asks nobody anything.

mod address;
mod connected;
mod conversation;
mod icmp;
mod idle;
mod listening;
mod name;

pub(super) use listening::{led_elsewhere, program, remarks, verdict as listening_verdict};

use crate::check::findings::{AddressFinding, Ended, Findings, HopAnswer};
use echoline::AddressKind;
use echoline_diagnosis::units::few;
use echoline_diagnosis::{Certainty, Code, code};
use serde::Serialize;
use std::net::SocketAddr;

/// What the findings come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    pub(super) code: Code,
    pub(super) certainty: Certainty,
    pub(super) sentence: String,
    /// What to do, best first. Empty when nothing is wrong.
    pub(super) next: Vec<String>,
}

impl Verdict {
    fn new(code: Code, certainty: Certainty, sentence: impl Into<String>) -> Self {
        Self { code, certainty, sentence: sentence.into(), next: Vec::new() }
    }

    fn ok(sentence: impl Into<String>) -> Self {
        Self { code: code::OK, certainty: Certainty::Certain, sentence: sentence.into(), next: Vec::new() }
    }

    fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }
}

/// Judges.
pub(super) fn verdict(findings: &Findings) -> Verdict {
    judge(findings).explained()
}

fn judge(findings: &Findings) -> Verdict {
    if let Some(problem) = &findings.unreadable {
        return Verdict::new(problem.code, Certainty::Certain, sentence(&problem.message))
            .next(&problem.remedy);
    }
    if let Some(name) = &findings.name
        && let Some(problem) = &name.problem
    {
        return name::judge(&findings.target.host, name, problem);
    }
    match &findings.conversation {
        Some(conversation) => {
            let judged = conversation::judge(findings, conversation);
            match &findings.idle {
                _ if judged.code != code::OK => judged,
                Some(idle) => match idle::judge(idle) {
                    lives if lives.code == code::OK => with_remarks(lives, findings),
                    dies => dies,
                },
                None => with_remarks(judged, findings),
            }
        }
        None => unreached(findings),
    }
}

/// No address was reached: the one that came furthest decides, the first of several that came equally far.
fn unreached(findings: &Findings) -> Verdict {
    let judged: Vec<_> =
        findings.addresses.iter().map(|address| (address.address, address::judge(address))).collect();
    let furthest = judged.iter().rev().max_by_key(|(_, verdict)| rank(verdict.code));
    let Some((first, mut best)) = furthest.cloned() else {
        return Verdict::new(code::SYSTEM, Certainty::CannotTell, "No address was tried.");
    };
    let others = judged.iter().filter(|(address, _)| *address != first);
    for (code, addresses) in by_code(others.map(|(address, verdict)| (*address, verdict.code))) {
        let how = if code == best.code { "the same" } else { code.as_str() };
        best.sentence.push_str(&format!(" {}: {how}.", few(&addresses, NAMED)));
    }
    let left_out = findings.addresses_left_out;
    if left_out > 0 {
        best.sentence.push_str(&format!(" {left_out} more of the name were not tried."));
    }
    // A source address that this machine does not have reaches nothing at all.
    let narrowed_by = findings.narrowed_by.filter(|_| best.code != code::ADDRESS_NOT_AVAILABLE);
    if let Some(source) = narrowed_by {
        let family = if source.is_ipv4() { "IPv4" } else { "IPv6" };
        best.sentence
            .push_str(&format!(" Only {family} was tried, since the source address {source} is of it."));
        best = best.next("leave --source out, to try all addresses of the name");
    }
    // Who was not tried may be the one that works.
    let all_tried = left_out == 0 && narrowed_by.is_none();
    if !all_tried && best.certainty == Certainty::Certain {
        best.certainty = Certainty::Likely;
    }
    best
}

/// So many addresses that ended alike are named in a sentence.
const NAMED: usize = 3;

/// Addresses that were judged alike together, each code where it came first.
fn by_code(judged: impl Iterator<Item = (SocketAddr, Code)>) -> Vec<(Code, Vec<SocketAddr>)> {
    let mut groups: Vec<(Code, Vec<SocketAddr>)> = Vec::new();
    for (address, code) in judged {
        match groups.iter_mut().find(|(of, _)| *of == code) {
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((code, vec![address])),
        }
    }
    groups
}

/// How far a request came that ended so.
fn rank(code: Code) -> u8 {
    match code {
        code::OK | code::UNEXPECTED_REPLY => u8::MAX,
        code::REFUSED | code::RESET => 5,
        code::REJECTED => 4,
        code::DROPPED => 3,
        code::LOCAL_FIREWALL | code::NO_ANSWER => 2,
        code::HOST_UNREACHABLE => 1,
        _ => 0,
    }
}

/// It works; what else is worth knowing.
fn with_remarks(mut verdict: Verdict, findings: &Findings) -> Verdict {
    let reached = findings.conversation.as_ref().map(|conversation| conversation.with);
    let used = findings.addresses.iter().find(|address| Some(address.address) == reached);
    if let Some(nat) = used.and_then(translation) {
        verdict.sentence.push_str(&format!(" {nat}"));
    }
    let failed = findings.addresses.iter().filter(|address| address.connect.ended != Ended::Connected);
    for (code, addresses) in by_code(failed.map(|address| (address.address, address::judge(address).code))) {
        let (works, them) = if addresses.len() == 1 { ("does", "it") } else { ("do", "them") };
        verdict.sentence.push_str(&format!(
            " But {} {works} not work ({}): programs that try {them} first lose time.",
            few(&addresses, NAMED),
            code.as_str()
        ));
    }
    verdict.sentence.extend(untold(findings));
    verdict
}

/// What the other end was asked, and did not say.
fn untold(findings: &Findings) -> Option<String> {
    if let Some(problem) = findings.whoami.as_ref().and_then(|whoami| whoami.problem.as_ref()) {
        return Some(format!(" But asking whoami failed: {problem}."));
    }
    let backends = findings.backends.as_ref()?;
    let (answered, asked, problem) = (backends.order.len(), backends.asked, backends.problem.as_ref()?);
    Some(format!(" But of {asked} connections to whoami {answered} were answered: {problem}."))
}

/// Was the source address translated on the way? Only what the addresses and the hops prove.
pub(super) fn translation(finding: &AddressFinding) -> Option<String> {
    let source = finding.connect.source?.ip();
    let outside = |kind| matches!(kind, AddressKind::Global | AddressKind::Documentation);
    if finding.connect.ended != Ended::Connected || !outside(AddressKind::of(finding.address.ip())) {
        return None;
    }
    let inside = AddressKind::of(source);
    let carrier = "is of a provider's carrier-grade NAT (100.64/10)";
    if inside == AddressKind::CarrierGradeNat {
        return Some(format!("The own address {source} {carrier}."));
    }
    if inside != AddressKind::Private {
        return None;
    }
    let routers = finding.hops.iter().filter_map(|hop| match hop.answer {
        HopAnswer::Router(ip) => Some(ip),
        _ => None,
    });
    let behind_first: Vec<_> = routers.skip(1).filter(|ip| !outside(AddressKind::of(*ip))).collect();
    let kind = match behind_first.first() {
        Some(ip) if AddressKind::of(*ip) == AddressKind::CarrierGradeNat => {
            format!("a second translation is likely: the router {ip} {carrier}")
        }
        Some(ip) if AddressKind::of(*ip) == AddressKind::Private => {
            format!("a second translation is likely: the router {ip} behind the first is private too")
        }
        _ if finding.hops.is_empty() => "how many times is not known without --hops".to_owned(),
        _ => "the routers that answered show no second one".to_owned(),
    };
    Some(format!("The private address {source} was translated (NAT) on the way; {kind}."))
}

/// A message of the library as a sentence.
fn sentence(message: &str) -> String {
    let end = if message.ends_with('.') { "" } else { "." };
    // What was typed stays as it is: only a plain word begins with a capital.
    let word = message.split(' ').next().unwrap_or_default();
    if !word.chars().all(|letter| letter.is_ascii_lowercase()) {
        return format!("{message}{end}");
    }
    let (first, rest) = message.split_at(word.len().min(1));
    format!("{}{rest}{end}", first.to_ascii_uppercase())
}

#[cfg(test)]
#[path = "../verdict_tests.rs"]
mod tests;
