//! The serving side: what keeps others from a port of this machine. A pure function, too.

use super::Certainty::{CannotTell, Certain, Likely};
use super::{Certainty, Verdict, sentence};
use crate::check::findings::{Ended, Firewall, ListenFindings, Listener, Place, Ruling};
use crate::check::firewall::Stop;
use echoline::AddressKind;
use echoline_diagnosis::code;
use echoline_diagnosis::units::count;

pub(in crate::check) fn verdict(findings: &ListenFindings) -> Verdict {
    judge(findings).explained()
}

fn judge(findings: &ListenFindings) -> Verdict {
    if let Some(problem) = &findings.unreadable {
        return Verdict::new(problem.code, Certain, sentence(&problem.message)).next(&problem.remedy);
    }
    let port = findings.wanted.port;
    let Some(sockets) = &findings.sockets else {
        let sentence = format!(
            "Whether a program listens on port {port} cannot be told: the system shows no table of sockets."
        );
        return Verdict::new(code::SYSTEM, CannotTell, sentence)
            .next("see whether /proc is there: ls /proc/net/tcp");
    };
    let serving: Vec<&Listener> = sockets.iter().filter(|listener| serves(findings, listener)).collect();
    let loopback_only = findings.places.iter().filter(|place| place.served).all(is_loopback);
    if serving.is_empty() {
        return led_away(findings, &serving).unwrap_or_else(|| nobody(findings, sockets));
    }
    if findings.wanted.for_others && loopback_only {
        return led_away(findings, &serving).unwrap_or_else(|| only_here(findings, &serving));
    }
    not_accepting(findings, &serving)
        .or_else(|| kept_out(findings, &serving))
        .or_else(|| refused_here(findings, &serving))
        .unwrap_or_else(|| fine(findings, &serving))
}

fn serves(findings: &ListenFindings, listener: &Listener) -> bool {
    findings.places.iter().any(|place| place.served && listener.serves(place.address.ip()))
}

fn is_loopback(place: &Place) -> bool {
    place.address.ip().is_loopback()
}

/// `echoline (process 7)`, and what the kernel says where it does not say who.
pub(in crate::check) fn program(listener: &Listener) -> String {
    match listener.processes.as_slice() {
        [] => format!("a program of user {}", listener.uid),
        [one] => format!("{} (process {})", one.name, one.pid),
        [one, rest @ ..] => format!("{} (process {} and {} more)", one.name, one.pid, rest.len()),
    }
}

/// At the beginning of a sentence; the name of a program stays as it is.
fn capital(text: &str) -> String {
    text.strip_prefix("a program of").map_or_else(|| text.to_owned(), |rest| format!("A program of{rest}"))
}

/// Every socket in words: `nginx (process 7) on 0.0.0.0:80`.
fn listed(listeners: &[&Listener]) -> String {
    let mut programs: Vec<(String, Vec<String>)> = Vec::new();
    for listener in listeners {
        let (who, at) = (program(listener), listener.address.to_string());
        match programs.iter_mut().find(|(known, _)| *known == who) {
            Some((_, addresses)) => addresses.push(at),
            None => programs.push((who, vec![at])),
        }
    }
    let one = |(who, at): &(String, Vec<String>)| format!("{who} listens on {}", at.join(" and "));
    programs.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// No program here takes what others send, and a rule leads it to where one may.
fn led_away(findings: &ListenFindings, serving: &[&Listener]) -> Option<Verdict> {
    let rule = led_elsewhere(findings)?;
    let port = findings.wanted.port;
    let here = match serving {
        [] => "Nothing on this machine itself takes connections".to_owned(),
        serving => format!("Only this machine itself can reach what listens here ({})", listed(serving)),
    };
    let mut verdict = Verdict::ok(format!(
        "A rule of this machine leads what others send to port {port} to another place (NAT), or some of it: {rule}. \
         Whether a program answers there cannot be seen from here. {here}."
    ))
    .next(format!("from another machine: echoline check ADDRESS {port}, with an address of this one"))
    .next("on the machine that it is led to: echoline check --listen, with the port there");
    verdict.certainty = CannotTell;
    Some(verdict)
}

/// The rule that leads, or may lead, what comes in to another port or machine.
pub(in crate::check) fn led_elsewhere(findings: &ListenFindings) -> Option<&str> {
    findings.firewalls.iter().find_map(|firewall| firewall.led_elsewhere.as_deref())
}

/// No socket takes what was asked for. A rule that cannot be read may lead it elsewhere.
fn nobody(findings: &ListenFindings, sockets: &[Listener]) -> Verdict {
    let mut verdict = nowhere(findings, sockets);
    if let Some(why) = findings.firewalls.iter().find_map(|firewall| firewall.unreadable) {
        let doubt = format!(" Whether a rule leads the port elsewhere (NAT) cannot be told: {why}.");
        verdict.sentence.push_str(&doubt);
        verdict.certainty = Likely;
        verdict.next.push(format!("sudo echoline check --listen {}", findings.asked));
    }
    verdict
}

fn nowhere(findings: &ListenFindings, sockets: &[Listener]) -> Verdict {
    let port = findings.wanted.port;
    let others: Vec<&Listener> = sockets.iter().collect();
    if others.is_empty() {
        let sentence = format!("Nothing listens on port {port} of this machine.");
        return Verdict::new(code::NOT_LISTENING, Certain, sentence)
            .next("start the server, or check its port: sudo ss -ltnp lists who listens")
            .next(format!("if it runs in a container, publish the port: docker run -p {port}:{port}"));
    }
    let where_not = match findings.wanted.addresses.as_slice() {
        [] if !findings.wanted.ipv4 => "for IPv6".to_owned(),
        [] if !findings.wanted.ipv6 => "for IPv4".to_owned(),
        [] => "for other machines".to_owned(),
        addresses => {
            format!("on {}", addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "))
        }
    };
    let trap = match findings.wanted.ipv4 && others.iter().all(|listener| listener.address.is_ipv6()) {
        true => {
            " An IPv6 socket takes no IPv4 where IPV6_V6ONLY is set, or where it has an address of its own."
        }
        false => "",
    };
    let sentence = format!("Nothing listens on port {port} {where_not}: {}.{trap}", listed(&others));
    Verdict::new(code::NOT_LISTENING, Certain, sentence)
        .next("let it listen there too: on 0.0.0.0 for every IPv4 address, on [::] for every IPv6 address")
}

fn only_here(findings: &ListenFindings, serving: &[&Listener]) -> Verdict {
    let port = findings.wanted.port;
    let sentence = format!(
        "Only this machine itself can reach port {port}: {}, and everybody else is refused.",
        listed(serving)
    );
    Verdict::new(code::LOOPBACK_ONLY, Certain, sentence)
        .next("let it listen on every address (0.0.0.0 and [::]), or on that of one network")
        .next(format!("for an echoline server: echoline serve :{port}"))
        .next(format!("if that is meant: echoline check --listen localhost:{port}"))
}

/// It listens, and connections are left waiting.
fn not_accepting(findings: &ListenFindings, serving: &[&Listener]) -> Option<Verdict> {
    let new = |certainty: Certainty, sentence: String| Verdict::new(code::NOT_ACCEPTING, certainty, sentence);
    if let Some(stopped) = serving.iter().find(|listener| listener.is_stopped()) {
        let pid = stopped.processes.first().map_or(0, |process| process.pid);
        let sentence = format!(
            "{} listens on {} and is stopped: connections wait and are never served.",
            capital(&program(stopped)),
            stopped.address
        );
        return Some(
            new(Certain, sentence)
                .next(format!("let it go on: kill -CONT {pid}, or fg in the shell that stopped it")),
        );
    }
    if let Some(full) = serving.iter().find(|listener| listener.queue.is_full()) {
        let most = full.queue.may_wait.unwrap_or_default();
        let sentence = format!(
            "{} listens on {} and takes no connections: {} in its queue, which has room for {most}. The system drops \
             every new request, so clients see silence.",
            capital(&program(full)),
            full.address,
            match full.queue.waiting {
                1 => "1 waits".to_owned(),
                waiting => format!("{waiting} wait"),
            }
        );
        return Some(
            new(Certain, sentence)
                .next("see what the program does: its log, its processor time (top), its open files (ulimit -n)")
                .next("if it is only busy: a longer backlog in the program, and net.core.somaxconn to allow it"),
        );
    }
    let left = findings.knocks.iter().find(|knock| knock.taken == Some(false))?;
    let by = serving.iter().find(|listener| listener.serves(left.address.ip()))?;
    let sentence = format!(
        "{} listens on {} and does not take connections at once: the system accepted ours, and the program had not \
         taken it 0.3 s later. {} in its queue.",
        capital(&program(by)),
        by.address,
        count(by.queue.waiting.into(), "connection") + if by.queue.waiting == 1 { " waits" } else { " wait" },
    );
    Some(
        new(Likely, sentence)
            .next("see what the program does: it is stuck, or works on one connection at a time")
            .next("try again: a program that is only busy gets to it"),
    )
}

/// It listens, and not even this machine reaches it.
fn refused_here(findings: &ListenFindings, serving: &[&Listener]) -> Option<Verdict> {
    let failed = findings.knocks.first()?;
    if findings.knocks.iter().any(|knock| knock.connect.ended == Ended::Connected) {
        return None;
    }
    let (how, certainty) = match failed.connect.ended {
        Ended::Refused | Ended::Reset => ("is refused", Likely),
        _ => ("gets no answer", CannotTell),
    };
    let or =
        if certainty == CannotTell { ", or the program has just stopped taking connections" } else { "" };
    let sentence = format!(
        "{}, and yet this machine's own connection to {} {how}: a rule of this machine is in the way{or}.",
        capital(&listed(serving)),
        failed.address
    );
    Some(
        Verdict::new(code::LOCAL_FIREWALL, certainty, sentence)
            .next(format!("see which rule it is: sudo echoline check {}", failed.address))
            .next(super::address::OWN_RULES_IN),
    )
}

/// The firewall lets nobody in.
fn kept_out(findings: &ListenFindings, serving: &[&Listener]) -> Option<Verdict> {
    let stopped: Vec<_> =
        findings.firewalls.iter().filter_map(|firewall| Some((firewall, stop(firewall)?))).collect();
    let (first, (how, rule)) = stopped.first()?;
    let port = findings.wanted.port;
    let does = match how {
        Stop::Drop => "drops",
        Stop::Reject => "rejects",
    };
    let families = match (stopped.len(), findings.firewalls.len()) {
        (one, all) if one == all => String::new(),
        _ => format!(" over {}", first.family),
    };
    let sentence = format!(
        "{}, but this machine's own firewall {does} what others send there{families}: {rule}.",
        capital(&listed(serving))
    );
    let verdict = Verdict::new(code::LOCAL_FIREWALL, Certain, sentence);
    Some(match &first.ufw {
        Some(_) => verdict.next(format!("allow it: sudo ufw allow {port}/tcp")),
        None => verdict
            .next(format!(
                "allow it before that rule, such as: sudo nft insert rule ... tcp dport {port} accept"
            ))
            .next(format!("with firewalld: sudo firewall-cmd --add-port={port}/tcp (and --permanent)")),
    })
}

fn stop(firewall: &Firewall) -> Option<(Stop, &str)> {
    match &firewall.ruling {
        // It may never come there.
        _ if firewall.led_elsewhere.is_some() => None,
        Some(Ruling::Stopped { how, rule }) => Some((*how, rule)),
        _ => None,
    }
}

fn fine(findings: &ListenFindings, serving: &[&Listener]) -> Verdict {
    let mut verdict = Verdict::ok(format!("{}, and takes connections.", capital(&listed(serving))));
    let mut say = |text: &str| {
        verdict.sentence.push(' ');
        verdict.sentence.push_str(text);
    };
    if !findings.wanted.for_others {
        return verdict;
    }
    for remark in remarks(findings) {
        say(&remark);
    }
    let failed = findings.knocks.iter().find(|knock| knock.connect.ended != Ended::Connected);
    if let Some(failed) = failed {
        say(&format!("But this machine's own connection to {} does not work.", failed.address));
    }
    let depends = findings.firewalls.iter().find_map(|firewall| match &firewall.ruling {
        Some(Ruling::Depends { rule }) => Some(rule),
        _ => None,
    });
    let unreadable = findings.firewalls.iter().find(|firewall| firewall.ruling.is_none());
    if let Some(rule) = led_elsewhere(findings) {
        say(&format!(
            "But a rule of this machine leads what comes in from elsewhere to another place (NAT): {rule}."
        ));
        verdict.certainty = Likely;
    } else if let Some(rule) = depends {
        say(&format!("This machine's firewall lets in some and not others: {rule}."));
        verdict.certainty = Likely;
    } else if let Some(unread) = unreadable {
        let why = unread.unreadable.unwrap_or("its rules were not found");
        let ufw = unread.ufw.as_ref().map_or_else(String::new, |ufw| format!(" ({ufw})"));
        say(&format!("Whether this machine's firewall lets others in cannot be told: {why}{ufw}."));
        verdict.certainty = CannotTell;
        verdict.next.push(format!("sudo echoline check --listen {}", findings.asked));
    } else {
        say("Nothing on this machine keeps others out.");
    }
    verdict
}

/// What is worth knowing though it works.
pub(in crate::check) fn remarks(findings: &ListenFindings) -> Vec<String> {
    let others: Vec<&Place> = findings
        .places
        .iter()
        .filter(|place| !is_loopback(place) && AddressKind::of(place.address.ip()) != AddressKind::LinkLocal)
        .collect();
    let mut remarks = Vec::new();
    for (ipv4, family, why) in [
        (true, "IPv4", "its socket is of IPv6 and takes no IPv4 (IPV6_V6ONLY)"),
        (false, "IPv6", "clients that find an IPv6 address of this machine try it first and are refused"),
    ] {
        let of: Vec<_> = others.iter().filter(|place| place.address.is_ipv4() == ipv4).collect();
        let unserved = of.iter().filter(|place| !place.served).count();
        if unserved > 0 && unserved == of.len() {
            remarks.push(format!("It is not there for {family}: {why}."));
        }
    }
    remarks
}

impl Verdict {
    /// With the line that tells more about a failure.
    pub(super) fn explained(mut self) -> Self {
        if !matches!(self.code, code::OK | code::UNEXPECTED_REPLY) {
            self.next.push(format!("echoline explain {}", self.code));
        }
        self
    }
}

#[cfg(test)]
#[path = "listening_tests.rs"]
mod tests;
