//! What the other end says, when it was asked.

use echoline_diagnosis::units::count;
use echoline_diagnosis::{Text, foreign, plain, text};

use super::seen::Seen;
use super::step::{State, Step};
use crate::evidence::{Backends, Expect, Findings};

/// NAT is seen by reading down.
pub(super) fn whoami(findings: &Findings) -> Option<Step> {
    let whoami = findings.whoami.as_ref()?;
    let mut says = Vec::new();
    if let (Some(sent), Some(seen)) = (whoami.sent_from, whoami.seen_as) {
        says.push(text!("sent from                 {}", sent));
        says.push(text!("seen by the server as     {}", seen));
        says.push(match (sent.ip() == seen.ip(), sent.port() == seen.port()) {
            (true, true) => "nothing in between rewrote address or port".into(),
            (false, false) => "a router in between rewrote address and port (NAT)".into(),
            (false, true) => "a router in between rewrote the address (NAT)".into(),
            (true, false) => "something in between rewrote the port".into(),
        });
    }
    if whoami.instances > 1 {
        says.push(text!("{} instances answer: none speaks for the other", whoami.instances));
    }
    // Where nobody answered there is nobody who could tell.
    if findings.target.expect == Expect::Echo && whoami.instances > 0 {
        says.push(match whoami.reached_echo {
            Some(true) => "our line reached its echo service".into(),
            Some(false) => "our line never reached its echo service".into(),
            None => "it cannot tell whether our line reached an echo service".into(),
        });
    }
    says.extend(whoami.problem.as_ref().map(|problem| {
        let is_named = problem.to_string().contains(&whoami.address.to_string());
        if is_named { problem.clone() } else { text!("{}: {}", whoami.address, problem) }
    }));
    let state = if whoami.problem.is_some() { State::Warn } else { State::Pass };
    Some(Step::new(Seen::Whoami(whoami.clone()), state, says).took(whoami.took_us))
}

pub(super) fn backends(findings: &Findings) -> Option<Step> {
    let backends = findings.backends.as_ref()?;
    let all = backends.order.len();
    let counts = backends.counts();
    let who = if all == 0 {
        "nobody answered:".into()
    } else {
        text!("{} answered", plain(count(counts.len() as u64, "instance")))
    };
    let mut says = vec![text!("{} {} of {} connections", who, all, backends.asked)];
    says.extend(
        counts.iter().map(|(instance, connections)| text!("{}  {}", foreign(instance), *connections)),
    );
    if all > 0 {
        says.extend([balance(backends), source(backends)]);
    }
    says.extend(backends.problem.clone());
    let state = if backends.problem.is_some() { State::Warn } else { State::Pass };
    Some(Step::new(Seen::Backends(backends.clone()), state, says).took(backends.took_us))
}

fn balance(backends: &Backends) -> Text {
    match (backends.counts().len(), backends.changes()) {
        (0 | 1, _) => "one instance for all: nothing is seen of a balancer".into(),
        (many, changes) if changes + 1 == many => "sticky: connections in a row went to the same one".into(),
        (_, changes) => text!("not sticky: {} times the next connection went to another one", changes),
    }
}

fn source(backends: &Backends) -> Text {
    match backends.source_kept {
        0 => "the server never saw this machine's own address".into(),
        kept if kept == backends.order.len() => "the server saw this machine's own address each time".into(),
        kept => text!("the server saw this machine's own address {} times", kept),
    }
}
