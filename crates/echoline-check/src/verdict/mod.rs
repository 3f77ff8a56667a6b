//! The verdict: what all findings together say. A pure function; it asks nobody anything.

mod address;
mod conclude;
mod connected;
mod conversation;
mod icmp;
mod idle;
mod listening;
mod name;
mod near;
mod said;
mod translation;

pub(super) use listening::{led_elsewhere, program, remarks, verdict as listening_verdict};
pub(super) use translation::translation;

use std::net::SocketAddr;

use echoline_diagnosis::{Certainty, Code, Diagnosis, Text, code, text};

use crate::evidence::{Ended, Findings};
use crate::words::few;
use conclude::{cannot_tell, explained, of_problem};

/// Judges.
pub(super) fn verdict(findings: &Findings) -> Diagnosis {
    explained(judge(findings))
}

fn judge(findings: &Findings) -> Diagnosis {
    if let Some(problem) = &findings.unreadable {
        return of_problem(problem);
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
                _ if judged.code() != code::OK => judged,
                Some(idle) => match idle::judge(idle) {
                    lives if lives.code() == code::OK => with_remarks(lives, findings),
                    dies => dies,
                },
                None => with_remarks(judged, findings),
            }
        }
        None => unreached(findings),
    }
}

/// No address was reached: the one that came furthest decides, the first of several that came equally far.
fn unreached(findings: &Findings) -> Diagnosis {
    let judged: Vec<_> =
        findings.addresses.iter().map(|address| (address.address, address::judge(address))).collect();
    let furthest = judged.iter().rev().max_by_key(|(_, verdict)| rank(verdict.code()));
    let Some((first, mut best)) = furthest.cloned() else {
        return cannot_tell(code::SYSTEM, "No address was tried.");
    };
    let others = judged.iter().filter(|(address, _)| *address != first);
    for (code, addresses) in by_code(others.map(|(address, verdict)| (*address, verdict.code()))) {
        let how = if code == best.code() { "the same" } else { code.as_str() };
        best = best.and(text!(" {}: {}.", few(&addresses, NAMED), how));
    }
    let left_out = findings.addresses_left_out;
    if left_out > 0 {
        best = best.and(text!(" {} more of the name were not tried.", left_out));
    }
    // A source address that this machine does not have reaches nothing at all.
    let narrowed_by = findings.narrowed_by.filter(|_| best.code() != code::ADDRESS_NOT_AVAILABLE);
    if let Some(source) = narrowed_by {
        let family = if source.is_ipv4() { "IPv4" } else { "IPv6" };
        best = best
            .and(text!(" Only {} was tried, since the source address {} is of it.", family, source))
            .next("leave --source out, to try all addresses of the name");
    }
    // Who was not tried may be the one that works.
    let all_tried = left_out == 0 && narrowed_by.is_none();
    if !all_tried && best.certainty() == Certainty::Certain {
        best = best.with_certainty(Certainty::Likely);
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
fn with_remarks(mut verdict: Diagnosis, findings: &Findings) -> Diagnosis {
    let reached = findings.conversation.as_ref().map(|conversation| conversation.with);
    let used = findings.addresses.iter().find(|address| Some(address.address) == reached);
    if let Some(nat) = used.and_then(translation) {
        verdict = verdict.and(" ").and(nat);
    }
    let failed = findings.addresses.iter().filter(|address| address.connect.ended != Ended::Connected);
    for (code, addresses) in by_code(failed.map(|address| (address.address, address::judge(address).code())))
    {
        let (works, them) = if addresses.len() == 1 { ("does", "it") } else { ("do", "them") };
        verdict = verdict.and(text!(
            " But {} {} not work ({}): programs that try {} first lose time.",
            few(&addresses, NAMED),
            works,
            code.as_str(),
            them
        ));
    }
    verdict.and(untold(findings))
}

/// What the other end was asked, and did not say.
fn untold(findings: &Findings) -> Option<Text> {
    if let Some(problem) = findings.whoami.as_ref().and_then(|whoami| whoami.problem.as_ref()) {
        return Some(text!(" But asking whoami failed: {}.", problem));
    }
    let backends = findings.backends.as_ref()?;
    let (answered, asked, problem) = (backends.order.len(), backends.asked, backends.problem.as_ref()?);
    Some(text!(" But of {} connections to whoami {} were answered: {}.", asked, answered, problem))
}

#[cfg(test)]
mod tests;
