//! Silent connections as a step.

use echoline_diagnosis::{Text, text};

use super::seen::Seen;
use super::step::{State, Step};
use crate::evidence::{Findings, IdleEnd, IdleTry, Poke};
use crate::words::long_time;

pub(super) fn idle(findings: &Findings) -> Option<Step> {
    let idle = findings.idle.as_ref()?;
    let of = |closer: bool| idle.tries.iter().filter(move |one| one.closer == closer);
    let lived = |closer: bool| {
        let times: Vec<_> =
            of(closer).filter(|one| one.end == IdleEnd::Alive).map(|one| long_time(one.silent_us)).collect();
        Text::join(times, ", ")
    };
    let mut says = Vec::new();
    let poke = match idle.poke {
        Poke::Echo => "sent a line",
        Poke::Keepalive => "sent a TCP keepalive, which no program sees",
    };
    says.push(text!("connections that were silent, each for another time, and then {}", poke));
    for (closer, word) in [(false, "survived"), (true, "and, closer")] {
        let times = lived(closer);
        if !times.is_empty() {
            says.push(text!("{}: {}", word, times));
        }
        for line in of(closer).filter(|one| one.end != IdleEnd::Alive).map(dead) {
            if says.last() != Some(&line) {
                says.push(line);
            }
        }
    }
    says.push(match (idle.busy_ended, idle.poke) {
        _ if let Some(why) = &idle.busy_problem => {
            text!("one that was never silent: could not be opened: {}", why)
        }
        (None, Poke::Echo) => "one on which something was said all the time: lives".into(),
        (None, Poke::Keepalive) => "one with a keepalive every second: lives".into(),
        (Some((end, us)), _) => text!("one that was never silent: {} after {}", word(end), long_time(us)),
    });
    says.extend(idle.problem.clone());
    if idle.interrupted {
        says.push("ended early".into());
    }
    let state = match (idle.first_dead(), idle.longest_alive_us()) {
        (Some(_), _) => State::Fail,
        (None, Some(us)) if us >= idle.asked_us => State::Pass,
        _ => State::Warn,
    };
    Some(Step::new(Seen::Idle(idle.clone()), state, says).took(idle.took_us))
}

fn dead(one: &IdleTry) -> Text {
    let after = long_time(one.silent_us);
    let when = if one.poked { ", when something was sent" } else { ", by itself" };
    text!("{} after {}{}", word(one.end), after, when)
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
