//! What silent connections come to.

use echoline_diagnosis::Certainty::{CannotTell, Certain, Likely};
use echoline_diagnosis::{Certainty, Code, Diagnosis, code, text};

use super::conclude::{cannot_tell, likely, ok};
use crate::evidence::{Idle, IdleEnd, IdleTry, Poke};
use crate::words::long_time;

pub(super) fn judge(idle: &Idle) -> Diagnosis {
    let with = idle.with;
    let alive = idle.longest_alive_us();
    if let Some(dead) = idle.first_dead() {
        return died(idle, dead, alive);
    }
    let Some(alive) = alive else {
        let why = idle.problem.clone().unwrap_or_else(|| "it was ended too early".into());
        let verdict = ok(text!("{} works, and nothing is known of silent connections: {}.", with, why));
        return unsure(verdict);
    };
    let lived = long_time(alive);
    if alive < idle.asked_us {
        let why = if idle.interrupted { "it was ended early" } else { "the longest of them is missing" };
        return unsure(ok(text!("A silent connection to {} lives for {} at least; {}.", with, lived, why)));
    }
    let how = match idle.poke {
        Poke::Echo => "what was sent then came back",
        Poke::Keepalive => "the other machine still knew it (TCP keepalive)",
    };
    ok(text!("A connection to {} survives a silence of {}: {}.", with, lived, how))
}

fn unsure(verdict: Diagnosis) -> Diagnosis {
    verdict.with_certainty(CannotTell)
}

fn died(idle: &Idle, dead: &IdleTry, alive: Option<u64>) -> Diagnosis {
    let with = idle.with;
    let after = long_time(dead.silent_us);
    // The timers of two machines, and the steps in which they count, agree only so far.
    let about = dead.silent_us + dead.silent_us / 8;
    if let Some(longer) = alive.filter(|alive| *alive > about) {
        let sentence = text!(
            "A connection to {} died after a silence of {} ({}), and another one survived {}: it is not the \
             silence alone.",
            with,
            after,
            how(dead),
            long_time(longer)
        );
        return cannot_tell(code(dead), sentence).next("try again, to see whether it is chance");
    }
    // A program may have a limit for what it hears, and a keepalive is nothing that it hears.
    let heard = idle.poke == Poke::Echo;
    if let Some((end, lived)) = idle.busy_died().filter(|_| heard) {
        let sentence = text!(
            "A connection to {} died after a silence of {} ({}), but so did one that was never silent, after \
             {}: it is not the silence.",
            with,
            after,
            how(dead),
            long_time(lived)
        );
        let ended = IdleTry { end, ..dead.clone() };
        return cannot_tell(otherwise(&ended), sentence)
            .next("look at the log of the program there: did it end, or does it limit how long a connection may last?")
            .next("check without --idle, to see whether it works at all");
    }
    compared(idle, silence(idle, dead, alive))
}

/// Without one that was not silent, nobody knows that it would have lived.
fn compared(idle: &Idle, verdict: Diagnosis) -> Diagnosis {
    if idle.busy_problem.is_none() || verdict.certainty() != Certain {
        return verdict;
    }
    verdict
        .and(" A connection that is never silent, to compare it with, could not be opened.")
        .with_certainty(Likely)
}

fn silence(idle: &Idle, dead: &IdleTry, alive: Option<u64>) -> Diagnosis {
    let with = idle.with;
    let after = long_time(dead.silent_us);
    let lived = alive.map(|alive| text!(" It survived {}.", long_time(alive)));
    let certainty: Certainty = if idle.busy_ended.is_some() { Likely } else { Certain };
    match dead.end {
        IdleEnd::Closed => {
            let kept = match idle.busy_ended {
                Some(_) if idle.poke == Poke::Keepalive => " TCP keepalive does not help: its program, or a proxy, wants to hear something.",
                _ => "",
            };
            let sentence =
                text!("The other side, {}, ends a connection in order (FIN) after a silence of {}.{}", with, after, kept);
            Diagnosis::new(code::IDLE_CLOSED, sentence).with_certainty(certainty)
                .next("look for an idle timeout of that length: in the server, then in proxies and load balancers")
                .next("send something more often than that, or connect anew")
        }
        IdleEnd::Reset => {
            let when = match dead.poked {
                true => text!("when something is sent after a silence of {}.{}", after, lived),
                false => text!("after a silence of {}, by itself.", after),
            };
            let sentence = text!("A connection to {} is reset {} A reset does not prove who sent it.", with, when);
            let verdict = Diagnosis::new(code::IDLE_RESET, sentence).with_certainty(certainty);
            match dead.poked {
                true => verdict.next("look for a firewall or load balancer on the way that forgets connections"),
                false => verdict.next("look for an idle timeout of that length: in the server, then in load balancers"),
            }
            .next("send something more often, or switch TCP keepalive on with a shorter time")
        }
        IdleEnd::Silent { acknowledged: true } => likely(code::NO_REPLY, text!("{} does not reply on a connection that was silent for {}, though its machine acknowledges \
                 what is sent.{} The program has given that connection up without ending it.", with, after, lived))
        .next("look at the log of the program there"),
        IdleEnd::Silent { acknowledged: false } => likely(code::IDLE_LOST, text!("A silent connection to {} dies unnoticed: after {} of silence, what was sent got no answer at \
                 all.{} A router with NAT, a firewall or a load balancer on the way forgot it.", with, after, lived))
        .next(text!("switch TCP keepalive on, with a time below {}", long_time(alive.unwrap_or(dead.silent_us))))
        .next("or send something of your own more often than that"),
        IdleEnd::Altered | IdleEnd::Alive => Diagnosis::new(code::ALTERED, text!("{} sends something else back on a connection that was silent for {}.{}", with, after, lived))
        .next("look at the log of the program there"),
    }
}

fn code(dead: &IdleTry) -> Code {
    match dead.end {
        IdleEnd::Closed => code::IDLE_CLOSED,
        IdleEnd::Reset => code::IDLE_RESET,
        IdleEnd::Silent { .. } => code::IDLE_LOST,
        IdleEnd::Altered | IdleEnd::Alive => code::ALTERED,
    }
}

/// The code of what is not due to the silence.
fn otherwise(ended: &IdleTry) -> Code {
    match ended.end {
        IdleEnd::Closed => code::CLOSED_EARLY,
        IdleEnd::Reset => code::RESET,
        IdleEnd::Silent { .. } => code::NO_REPLY,
        IdleEnd::Altered | IdleEnd::Alive => code::ALTERED,
    }
}

fn how(dead: &IdleTry) -> &'static str {
    match (dead.end, dead.poked) {
        (IdleEnd::Closed, _) => "FIN",
        (IdleEnd::Reset, _) => "RST",
        (IdleEnd::Silent { .. }, _) => "no answer",
        (IdleEnd::Altered | IdleEnd::Alive, _) => "another answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(silent_s: u64, end: IdleEnd, poked: bool) -> IdleTry {
        IdleTry { silent_us: silent_s * 1_000_000, end, poked, closer: false }
    }

    fn idle(tries: &[IdleTry]) -> Idle {
        Idle {
            with: "203.0.113.10:5151".parse().unwrap(),
            asked_us: 600_000_000,
            poke: Poke::Echo,
            tries: tries.to_vec(),
            busy_every_us: 1_000_000,
            busy_ended: None,
            busy_problem: None,
            problem: None,
            interrupted: false,
            took_us: 0,
        }
    }

    fn expect(idle: &Idle, code: Option<Code>, certainty: Certainty, words: &[&str]) {
        let verdict = judge(idle);
        let expected = code.unwrap_or(code::OK);
        assert_eq!((verdict.code(), verdict.certainty()), (expected, certainty), "{verdict:?}");
        for word in words {
            assert!(verdict.to_string().contains(word), "{word} in {verdict:?}");
        }
        assert!(code.is_none() || !verdict.steps().is_empty(), "{verdict:?}");
    }

    const LOST: IdleEnd = IdleEnd::Silent { acknowledged: false };

    #[test]
    fn each_way_to_die_has_its_code_and_says_how_long_it_took() {
        use IdleEnd::{Alive, Closed, Reset, Silent};
        let alive = one(240, Alive, true);
        let after = |end, poked| idle(&[alive.clone(), one(480, end, poked)]);
        expect(&after(Closed, false), Some(code::IDLE_CLOSED), Certain, &["(FIN)", "8.0 min"]);
        expect(&after(Reset, false), Some(code::IDLE_RESET), Certain, &["8.0 min, by itself"]);
        expect(
            &after(Reset, true),
            Some(code::IDLE_RESET),
            Certain,
            &["when something is sent", "survived 4.0 min"],
        );
        expect(
            &after(LOST, true),
            Some(code::IDLE_LOST),
            Likely,
            &["8.0 min", "survived 4.0 min", "forgot it"],
        );
        expect(&after(Silent { acknowledged: true }, true), Some(code::NO_REPLY), Likely, &["acknowledges"]);
        expect(&after(IdleEnd::Altered, true), Some(code::ALTERED), Certain, &["something else"]);
    }

    #[test]
    fn what_lives_to_the_end_is_fine_and_what_was_ended_early_is_unsure() {
        let whole = idle(&[one(300, IdleEnd::Alive, true), one(600, IdleEnd::Alive, true)]);
        expect(&whole, None, Certain, &["survives a silence of 10.0 min"]);
        let early = Idle { interrupted: true, ..idle(&[one(300, IdleEnd::Alive, true)]) };
        expect(&early, None, CannotTell, &["5.0 min at least", "ended early"]);
        let none = Idle { problem: Some("refused".into()), ..idle(&[]) };
        expect(&none, None, CannotTell, &["nothing is known of silent connections: refused"]);
    }

    #[test]
    fn what_also_befell_one_that_was_never_silent_is_not_due_to_the_silence() {
        let mut all = idle(&[one(240, IdleEnd::Alive, true), one(480, IdleEnd::Closed, false)]);
        all.busy_ended = Some((IdleEnd::Closed, 480_000_000));
        expect(&all, Some(code::CLOSED_EARLY), CannotTell, &["so did one that was never silent"]);
        // A limit so short that even that one was silent for as long says nothing.
        all.busy_every_us = 500_000_000;
        expect(&all, Some(code::IDLE_CLOSED), Likely, &["8.0 min"]);
        // A program does not hear a keepalive.
        (all.busy_every_us, all.poke) = (1_000_000, Poke::Keepalive);
        expect(&all, Some(code::IDLE_CLOSED), Likely, &["TCP keepalive does not help"]);
    }

    #[test]
    fn without_one_that_was_never_silent_nothing_is_certain() {
        for end in [IdleEnd::Closed, IdleEnd::Reset, IdleEnd::Altered] {
            let all = idle(&[one(240, IdleEnd::Alive, true), one(480, end, false)]);
            assert_eq!(judge(&all).certainty(), Certain);
            let alone = Idle { busy_problem: Some("refused".into()), ..all };
            expect(&alone, Some(code(&one(480, end, false))), Likely, &["to compare it with"]);
        }
    }

    #[test]
    fn a_longer_silence_that_was_survived_makes_a_shorter_death_chance() {
        let about = idle(&[one(240, IdleEnd::Closed, false), one(241, IdleEnd::Alive, true)]);
        expect(&about, Some(code::IDLE_CLOSED), Certain, &["4.0 min"]);
        let odd = idle(&[one(240, LOST, true), one(480, IdleEnd::Alive, true)]);
        expect(
            &odd,
            Some(code::IDLE_LOST),
            CannotTell,
            &["another one survived 8.0 min", "not the silence alone"],
        );
    }
}
