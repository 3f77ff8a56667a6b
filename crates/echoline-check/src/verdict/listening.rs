//! The serving side: what keeps others from a port of this machine. A pure function, too.

use std::net::SocketAddr;

use echoline::AddressKind;
use echoline_diagnosis::Certainty::{CannotTell, Certain, Likely};
use echoline_diagnosis::units::count;
use echoline_diagnosis::{Certainty, Diagnosis, Part, Text, code, foreign, host as named, plain, text};

use super::conclude::{cannot_tell, explained, of_problem, ok};
use super::near::OWN_RULES_IN;
use crate::evidence::{Ended, Firewall, ListenFindings, Listener, Place, Ruling, Stop};

pub(crate) fn verdict(findings: &ListenFindings) -> Diagnosis {
    explained(judge(findings))
}

fn judge(findings: &ListenFindings) -> Diagnosis {
    if let Some(problem) = &findings.unreadable {
        return of_problem(problem);
    }
    let port = findings.wanted.port;
    let Some(sockets) = &findings.sockets else {
        let sentence = text!(
            "Whether a program listens on port {} cannot be told: the system shows no table of sockets.",
            port
        );
        return cannot_tell(code::SYSTEM, sentence).next("see whether /proc is there: ls /proc/net/tcp");
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
pub(crate) fn program(listener: &Listener) -> Text {
    match listener.processes.as_slice() {
        [] => text!("a program of user {}", listener.uid),
        [one] => text!("{} (process {})", foreign(&one.name), one.pid),
        [one, rest @ ..] => text!("{} (process {} and {} more)", foreign(&one.name), one.pid, rest.len()),
    }
}

/// At the beginning of a sentence; the name of a program stays as it is.
fn capital(text: &Text) -> Text {
    let mut is_first = true;
    text.map(|part| match part {
        Part::Plain(words) if std::mem::take(&mut is_first) => match words.strip_prefix("a program of") {
            Some(rest) => Part::Plain(format!("A program of{rest}").into()),
            None => part.clone(),
        },
        part => {
            is_first = false;
            part.clone()
        }
    })
}

/// Every socket in words: `nginx (process 7) on 0.0.0.0:80`.
fn listed(listeners: &[&Listener]) -> Text {
    let mut programs: Vec<(Text, Vec<SocketAddr>)> = Vec::new();
    for listener in listeners {
        let (who, at) = (program(listener), listener.address);
        match programs.iter_mut().find(|(known, _)| *known == who) {
            Some((_, addresses)) => addresses.push(at),
            None => programs.push((who, vec![at])),
        }
    }
    let one = |(who, at): (Text, Vec<SocketAddr>)| {
        text!("{} listens on {}", who, Text::join(at.into_iter().map(Text::from), " and "))
    };
    Text::join(programs.into_iter().map(one), "; ")
}

/// No program here takes what others send, and a rule leads it to where one may.
fn led_away(findings: &ListenFindings, serving: &[&Listener]) -> Option<Diagnosis> {
    let rule = led_elsewhere(findings)?;
    let port = findings.wanted.port;
    let here = match serving {
        [] => "Nothing on this machine itself takes connections".into(),
        serving => text!("Only this machine itself can reach what listens here ({})", listed(serving)),
    };
    let verdict = ok(text!(
        "A rule of this machine leads what others send to port {} to another place (NAT), or some of it: {}. \
         Whether a program answers there cannot be seen from here. {}.",
        port,
        foreign(rule),
        here
    ))
    .next(text!("from another machine: echoline check ADDRESS {}, with an address of this one", port))
    .next("on the machine that it is led to: echoline check --listen, with the port there");
    Some(verdict.with_certainty(CannotTell))
}

/// The rule that leads, or may lead, what comes in to another port or machine.
pub(crate) fn led_elsewhere(findings: &ListenFindings) -> Option<&str> {
    findings.firewalls.iter().find_map(|firewall| firewall.led_elsewhere.as_deref())
}

/// No socket takes what was asked for. A rule that cannot be read may lead it elsewhere.
fn nobody(findings: &ListenFindings, sockets: &[Listener]) -> Diagnosis {
    let mut verdict = nowhere(findings, sockets);
    if let Some(why) = findings.firewalls.iter().find_map(|firewall| firewall.unreadable.clone()) {
        let doubt = text!(" Whether a rule leads the port elsewhere (NAT) cannot be told: {}.", why);
        verdict = verdict
            .and(doubt)
            .with_certainty(Likely)
            .next(text!("sudo echoline check --listen {}", named(&findings.asked)));
    }
    verdict
}

fn nowhere(findings: &ListenFindings, sockets: &[Listener]) -> Diagnosis {
    let port = findings.wanted.port;
    let others: Vec<&Listener> = sockets.iter().collect();
    if others.is_empty() {
        let sentence = text!("Nothing listens on port {} of this machine.", port);
        return Diagnosis::new(code::NOT_LISTENING, sentence)
            .next("start the server, or check its port: sudo ss -ltnp lists who listens")
            .next(text!("if it runs in a container, publish the port: docker run -p {}:{}", port, port));
    }
    let where_not = match findings.wanted.addresses.as_slice() {
        [] if !findings.wanted.ipv4 => "for IPv6".into(),
        [] if !findings.wanted.ipv6 => "for IPv4".into(),
        [] => "for other machines".into(),
        addresses => {
            text!("on {}", Text::join(addresses.iter().map(Text::from), " or "))
        }
    };
    let trap = match findings.wanted.ipv4 && others.iter().all(|listener| listener.address.is_ipv6()) {
        true => {
            " An IPv6 socket takes no IPv4 where IPV6_V6ONLY is set, or where it has an address of its own."
        }
        false => "",
    };
    let sentence = text!("Nothing listens on port {} {}: {}.{}", port, where_not, listed(&others), trap);
    Diagnosis::new(code::NOT_LISTENING, sentence)
        .next("let it listen there too: on 0.0.0.0 for every IPv4 address, on [::] for every IPv6 address")
}

fn only_here(findings: &ListenFindings, serving: &[&Listener]) -> Diagnosis {
    let port = findings.wanted.port;
    let sentence = text!(
        "Only this machine itself can reach port {}: {}, and everybody else is refused.",
        port,
        listed(serving)
    );
    Diagnosis::new(code::LOOPBACK_ONLY, sentence)
        .next("let it listen on every address (0.0.0.0 and [::]), or on that of one network")
        .next(text!("for an echoline server: echoline serve :{}", port))
        .next(text!("if that is meant: echoline check --listen localhost:{}", port))
}

/// It listens, and connections are left waiting.
fn not_accepting(findings: &ListenFindings, serving: &[&Listener]) -> Option<Diagnosis> {
    let new = |certainty: Certainty, sentence: Text| {
        Diagnosis::new(code::NOT_ACCEPTING, sentence).with_certainty(certainty)
    };
    if let Some(stopped) = serving.iter().find(|listener| listener.is_stopped()) {
        let pid = stopped.processes.first().map_or(0, |process| process.pid);
        let sentence = text!(
            "{} listens on {} and is stopped: connections wait and are never served.",
            capital(&program(stopped)),
            stopped.address
        );
        return Some(
            new(Certain, sentence)
                .next(text!("let it go on: kill -CONT {}, or fg in the shell that stopped it", pid)),
        );
    }
    if let Some(full) = serving.iter().find(|listener| listener.queue.is_full()) {
        let most = full.queue.may_wait.unwrap_or_default();
        let sentence = text!(
            "{} listens on {} and takes no connections: {} in its queue, which has room for {}. The system drops \
             every new request, so clients see silence.",
            capital(&program(full)),
            full.address,
            match full.queue.waiting {
                1 => "1 waits".into(),
                waiting => text!("{} wait", waiting),
            },
            most
        );
        return Some(
            new(Certain, sentence)
                .next("see what the program does: its log, its processor time (top), its open files (ulimit -n)")
                .next("if it is only busy: a longer backlog in the program, and net.core.somaxconn to allow it"),
        );
    }
    let left = findings.knocks.iter().find(|knock| knock.taken == Some(false))?;
    let by = serving.iter().find(|listener| listener.serves(left.address.ip()))?;
    let sentence = text!(
        "{} listens on {} and does not take connections at once: the system accepted ours, and the program had not \
         taken it 0.3 s later. {} in its queue.",
        capital(&program(by)),
        by.address,
        plain(count(by.queue.waiting.into(), "connection")).and(if by.queue.waiting == 1 {
            " waits"
        } else {
            " wait"
        })
    );
    Some(
        new(Likely, sentence)
            .next("see what the program does: it is stuck, or works on one connection at a time")
            .next("try again: a program that is only busy gets to it"),
    )
}

/// It listens, and not even this machine reaches it.
fn refused_here(findings: &ListenFindings, serving: &[&Listener]) -> Option<Diagnosis> {
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
    let sentence = text!(
        "{}, and yet this machine's own connection to {} {}: a rule of this machine is in the way{}.",
        capital(&listed(serving)),
        failed.address,
        how,
        or
    );
    Some(
        Diagnosis::new(code::LOCAL_FIREWALL, sentence)
            .with_certainty(certainty)
            .next(text!("see which rule it is: sudo echoline check {}", failed.address))
            .next(OWN_RULES_IN),
    )
}

/// The firewall lets nobody in.
fn kept_out(findings: &ListenFindings, serving: &[&Listener]) -> Option<Diagnosis> {
    let stopped: Vec<_> =
        findings.firewalls.iter().filter_map(|firewall| Some((firewall, stop(firewall)?))).collect();
    let (first, (how, rule)) = stopped.first()?;
    let port = findings.wanted.port;
    let does = match how {
        Stop::Drop => "drops",
        Stop::Reject => "rejects",
    };
    let families = match (stopped.len(), findings.firewalls.len()) {
        (one, all) if one == all => Text::default(),
        _ => text!(" over {}", first.family.clone()),
    };
    let sentence = text!(
        "{}, but this machine's own firewall {} what others send there{}: {}.",
        capital(&listed(serving)),
        does,
        families,
        foreign(rule)
    );
    let verdict = Diagnosis::new(code::LOCAL_FIREWALL, sentence);
    Some(match &first.ufw {
        Some(_) => verdict.next(text!("allow it: sudo ufw allow {}/tcp", port)),
        None => verdict
            .next(text!(
                "allow it before that rule, such as: sudo nft insert rule ... tcp dport {} accept",
                port
            ))
            .next(text!("with firewalld: sudo firewall-cmd --add-port={}/tcp (and --permanent)", port)),
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

fn fine(findings: &ListenFindings, serving: &[&Listener]) -> Diagnosis {
    let mut verdict = ok(text!("{}, and takes connections.", capital(&listed(serving))));
    if !findings.wanted.for_others {
        return verdict;
    }
    for remark in remarks(findings) {
        verdict = verdict.and(" ").and(remark);
    }
    let failed = findings.knocks.iter().find(|knock| knock.connect.ended != Ended::Connected);
    if let Some(failed) = failed {
        verdict =
            verdict.and(text!(" But this machine's own connection to {} does not work.", failed.address));
    }
    let depends = findings.firewalls.iter().find_map(|firewall| match &firewall.ruling {
        Some(Ruling::Depends { rule }) => Some(rule),
        _ => None,
    });
    let unreadable = findings.firewalls.iter().find(|firewall| firewall.ruling.is_none());
    if let Some(rule) = led_elsewhere(findings) {
        verdict = verdict
            .and(text!(
                " But a rule of this machine leads what comes in from elsewhere to another place (NAT): {}.",
                foreign(rule)
            ))
            .with_certainty(Likely);
    } else if let Some(rule) = depends {
        verdict = verdict
            .and(text!(" This machine's firewall lets in some and not others: {}.", foreign(rule)))
            .with_certainty(Likely);
    } else if let Some(unread) = unreadable {
        let why = unread.unreadable.clone().unwrap_or("its rules were not found".into());
        let ufw = unread.ufw.as_ref().map(|ufw| text!(" ({})", foreign(ufw)));
        verdict = verdict
            .and(text!(" Whether this machine's firewall lets others in cannot be told: {}{}.", why, ufw))
            .with_certainty(CannotTell)
            .next(text!("sudo echoline check --listen {}", named(&findings.asked)));
    } else {
        verdict = verdict.and(" Nothing on this machine keeps others out.");
    }
    verdict
}

/// What is worth knowing though it works.
pub(crate) fn remarks(findings: &ListenFindings) -> Vec<Text> {
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
            remarks.push(text!("It is not there for {}: {}.", family, why));
        }
    }
    remarks
}

#[cfg(test)]
#[path = "listening_tests.rs"]
mod tests;
