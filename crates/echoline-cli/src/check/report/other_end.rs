//! What the other end says, when it was asked.

use super::{State, Step, step, timed};
use crate::check::findings::{Backends, Expect, Findings};
use echoline_diagnosis::units::count;
use serde_json::json;

/// NAT is seen by reading down.
pub(super) fn whoami(findings: &Findings) -> Option<Step> {
    let whoami = findings.whoami.as_ref()?;
    let mut says = Vec::new();
    if let (Some(sent), Some(seen)) = (whoami.sent_from, whoami.seen_as) {
        says.push(format!("sent from                 {sent}"));
        says.push(format!("seen by the server as     {seen}"));
        says.push(match (sent.ip() == seen.ip(), sent.port() == seen.port()) {
            (true, true) => "nothing in between rewrote address or port".to_owned(),
            (false, false) => "a router in between rewrote address and port (NAT)".to_owned(),
            (false, true) => "a router in between rewrote the address (NAT)".to_owned(),
            (true, false) => "something in between rewrote the port".to_owned(),
        });
    }
    if whoami.instances > 1 {
        says.push(format!("{} instances answer: none speaks for the other", whoami.instances));
    }
    // Where nobody answered there is nobody who could tell.
    if findings.target.expect == Expect::Echo && whoami.instances > 0 {
        says.push(match whoami.reached_echo {
            Some(true) => "our line reached its echo service".to_owned(),
            Some(false) => "our line never reached its echo service".to_owned(),
            None => "it cannot tell whether our line reached an echo service".to_owned(),
        });
    }
    says.extend(whoami.problem.as_ref().map(|problem| {
        let address = whoami.address.to_string();
        if problem.contains(&address) { problem.clone() } else { format!("{address}: {problem}") }
    }));
    let state = if whoami.problem.is_some() { State::Warn } else { State::Pass };
    Some(timed(whoami.took_us, step("whoami", state, says, json!(whoami))))
}

pub(super) fn backends(findings: &Findings) -> Option<Step> {
    let backends = findings.backends.as_ref()?;
    let all = backends.order.len();
    let counts = backends.counts();
    let who = if all == 0 {
        "nobody answered:".to_owned()
    } else {
        format!("{} answered", count(counts.len() as u64, "instance"))
    };
    let mut says = vec![format!("{who} {all} of {} connections", backends.asked)];
    says.extend(counts.iter().map(|(instance, connections)| format!("{instance}  {connections}")));
    if all > 0 {
        says.extend([balance(backends), source(backends)]);
    }
    says.extend(backends.problem.clone());
    let state = if backends.problem.is_some() { State::Warn } else { State::Pass };
    Some(timed(backends.took_us, step("backends", state, says, json!(backends))))
}

fn balance(backends: &Backends) -> String {
    match (backends.counts().len(), backends.changes()) {
        (0 | 1, _) => "one instance for all: nothing is seen of a balancer".to_owned(),
        (many, changes) if changes + 1 == many => {
            "sticky: connections in a row went to the same one".to_owned()
        }
        (_, changes) => format!("not sticky: {changes} times the next connection went to another one"),
    }
}

fn source(backends: &Backends) -> String {
    match backends.source_kept {
        0 => "the server never saw this machine's own address".to_owned(),
        kept if kept == backends.order.len() => {
            "the server saw this machine's own address each time".to_owned()
        }
        kept => format!("the server saw this machine's own address {kept} times"),
    }
}
