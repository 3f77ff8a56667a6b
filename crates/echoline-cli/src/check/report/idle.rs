//! Silent connections as a step.

use super::{State, Step, step, timed};
use crate::check::findings::{Findings, IdleEnd, IdleTry, Poke};
use echoline_diagnosis::units::human_time;
use serde_json::json;
use std::time::Duration;

/// A time that may be long: in minutes from two on.
pub(in crate::check) fn long_time(us: u64) -> String {
    let time = Duration::from_micros(us);
    if time < Duration::from_secs(120) {
        return human_time(time);
    }
    format!("{:.1} min", time.as_secs_f64() / 60.0)
}

pub(super) fn idle(findings: &Findings) -> Option<Step> {
    let idle = findings.idle.as_ref()?;
    let of = |closer: bool| idle.tries.iter().filter(move |one| one.closer == closer);
    let lived = |closer: bool| {
        let times: Vec<_> =
            of(closer).filter(|one| one.end == IdleEnd::Alive).map(|one| long_time(one.silent_us)).collect();
        times.join(", ")
    };
    let mut says = Vec::new();
    let poke = match idle.poke {
        Poke::Echo => "sent a line",
        Poke::Keepalive => "sent a TCP keepalive, which no program sees",
    };
    says.push(format!("connections that were silent, each for another time, and then {poke}"));
    for (closer, word) in [(false, "survived"), (true, "and, closer")] {
        let times = lived(closer);
        if !times.is_empty() {
            says.push(format!("{word}: {times}"));
        }
        for line in of(closer).filter(|one| one.end != IdleEnd::Alive).map(dead) {
            if says.last() != Some(&line) {
                says.push(line);
            }
        }
    }
    says.push(match (idle.busy_ended, idle.poke) {
        _ if let Some(why) = &idle.busy_problem => {
            format!("one that was never silent: could not be opened: {why}")
        }
        (None, Poke::Echo) => "one on which something was said all the time: lives".to_owned(),
        (None, Poke::Keepalive) => "one with a keepalive every second: lives".to_owned(),
        (Some((end, us)), _) => format!("one that was never silent: {} after {}", word(end), long_time(us)),
    });
    says.extend(idle.problem.clone());
    if idle.interrupted {
        says.push("ended early".to_owned());
    }
    let state = match (idle.first_dead(), idle.longest_alive_us()) {
        (Some(_), _) => State::Fail,
        (None, Some(us)) if us >= idle.asked_us => State::Pass,
        _ => State::Warn,
    };
    Some(timed(idle.took_us, step("idle", state, says, json!(idle))))
}

fn dead(one: &IdleTry) -> String {
    let after = long_time(one.silent_us);
    let when = if one.poked { ", when something was sent" } else { ", by itself" };
    format!("{} after {after}{when}", word(one.end))
}

fn word(end: IdleEnd) -> &'static str {
    match end {
        IdleEnd::Alive => "lives",
        IdleEnd::Closed => "closed by the other side (FIN)",
        IdleEnd::Reset => "reset (RST)",
        IdleEnd::Silent { acknowledged: true } => "no answer, though acknowledged (TCP)",
        IdleEnd::Silent { acknowledged: false } => "no answer, not even acknowledged (TCP)",
        IdleEnd::Altered => "another answer",
    }
}
