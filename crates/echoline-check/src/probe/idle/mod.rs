//! When and how a connection dies on which nothing is said.
//!
//! That it died in silence can be noticed only by sending, and what is sent ends the silence. So there are several
//! connections, each silent for another time and then poked once; and one that is never silent, for comparison.

mod held;

pub(crate) use held::Plan;

use std::time::{Duration, Instant};

use echoline_diagnosis::{foreign, text};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cancel::Cancel;
use crate::evidence::{Idle, IdleEnd, IdleTry, Poke};
use crate::probe::time::micros;
use held::{Held, Phase, SHORTEST_KEEPALIVE, keep_alive};

/// How long the connections of the first series are silent, in 64ths of the whole.
const AGES: [u32; 11] = [64, 56, 48, 40, 32, 24, 16, 8, 4, 2, 1];
/// Of the second series, evenly between what lived and what died.
const CLOSER: u32 = 7;
/// Less than that is no silence: a busy network takes as long.
const SHORTEST: Duration = Duration::from_millis(50);
/// How often something is said on the one that is never silent.
const BUSY: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];
/// The timers of a server differ so much between its connections.
const MARGIN: Duration = Duration::from_millis(200);
/// How often the kernel is asked whether a keepalive was acknowledged.
const STEP: Duration = Duration::from_millis(10);

/// Holds connections until it is known how they die, or the time is up.
pub(crate) fn hold(plan: &Plan, cancel: &Cancel) -> Idle {
    let begin = Instant::now();
    let mut holding = Holding { plan: *plan, begin, held: Vec::new(), busy: None, idle: empty(plan) };
    holding.open_first_series(cancel);
    holding.idle.interrupted = holding.wait_for_all(cancel);
    let mut idle = holding.idle;
    idle.tries.sort_by_key(|one| one.silent_us);
    idle.took_us = micros(begin.elapsed());
    idle
}

fn empty(plan: &Plan) -> Idle {
    Idle {
        with: plan.with,
        asked_us: micros(plan.longest),
        poke: plan.poke,
        tries: Vec::new(),
        busy_every_us: 0,
        busy_ended: None,
        busy_problem: None,
        problem: None,
        interrupted: false,
        took_us: 0,
    }
}

struct Holding {
    plan: Plan,
    begin: Instant,
    held: Vec<Held>,
    /// The one that is never silent, since when it is there, and whether it answered after the first death.
    busy: Option<Busy>,
    idle: Idle,
}

struct Busy {
    held: Held,
    opened: Instant,
    answered: Instant,
}

impl Holding {
    fn shortest(&self) -> Duration {
        if self.plan.poke == Poke::Echo { SHORTEST } else { SHORTEST_KEEPALIVE }
    }

    /// The longest first: it is the one that decides how long all takes.
    fn open_first_series(&mut self, cancel: &Cancel) {
        let age = |part: u32| self.plan.longest * part / AGES[0];
        let ages: Vec<Duration> = AGES.into_iter().map(age).collect();
        let long_enough = |at: usize| at == 0 || ages[at] >= self.shortest();
        let ages: Vec<Duration> = (0..ages.len()).filter(|at| long_enough(*at)).map(|at| ages[at]).collect();
        self.open(&ages, false, cancel);
        let period = (self.plan.longest / 64).clamp(BUSY[0], BUSY[1]);
        self.idle.busy_every_us = micros(period);
        match Held::open(&self.plan, period, false, cancel) {
            Ok(held) => {
                if self.plan.poke == Poke::Keepalive {
                    // From now on by itself, every second.
                    let _ = keep_alive(&held.stream);
                }
                let now = Instant::now();
                self.busy = Some(Busy { held, opened: now, answered: now });
            }
            Err(error) => self.idle.busy_problem = Some(foreign(error)),
        }
    }

    fn open(&mut self, ages: &[Duration], closer: bool, cancel: &Cancel) {
        for age in ages {
            match Held::open(&self.plan, *age, closer, cancel) {
                Ok(held) => self.held.push(held),
                Err(error) => {
                    self.idle.problem =
                        Some(text!("a connection more could not be opened: {}", foreign(error)));
                    return;
                }
            }
        }
    }

    /// True if it was interrupted.
    fn wait_for_all(&mut self, cancel: &Cancel) -> bool {
        let mut is_closer = false;
        let mut died: Option<Instant> = None;
        loop {
            if cancel.is_cancelled() {
                return true;
            }
            let now = Instant::now();
            self.poke_due(now);
            self.end_overdue(now);
            if died.is_none() && self.idle.first_dead().is_some() {
                died = Some(now);
            }
            self.leave_out_longer();
            if self.held.is_empty() && !is_closer && self.idle.first_dead().is_some_and(|dead| dead.poked) {
                is_closer = true;
                self.open_second_series(cancel);
            }
            // After a death, whatever was not silent has to show once more that it lives.
            let compared = died.is_none_or(|died| self.busy_outlived(died));
            if self.held.is_empty()
                && (compared || now >= self.begin + self.plan.longest + self.plan.patience)
            {
                return false;
            }
            self.sleep(self.next_event(now), cancel);
        }
    }

    /// Has the one that was not silent answered since the first death, at an age at which the silent one was dead?
    fn busy_outlived(&self, died: Instant) -> bool {
        let (Some(busy), Some(dead)) = (&self.busy, self.idle.first_dead()) else { return true };
        let age = Duration::from_micros(dead.silent_us) + busy.held.age + MARGIN;
        busy.answered > died && busy.answered >= busy.opened + age
    }

    fn poke_due(&mut self, now: Instant) {
        let poke = self.plan.poke;
        for held in self.held.iter_mut().chain(self.busy.as_mut().map(|busy| &mut busy.held)) {
            if matches!(held.phase, Phase::Silent) && now >= held.silent_since + held.age {
                held.poke(poke, now);
            }
        }
    }

    /// Takes what is decided: an answer, an end, a time that is up.
    fn end_overdue(&mut self, now: Instant) {
        let (poke, patience) = (self.plan.poke, self.plan.patience);
        let mut at = 0;
        while at < self.held.len() {
            match self.held[at].outcome(poke, patience, now) {
                None => at += 1,
                Some(one) => {
                    self.held.swap_remove(at);
                    self.idle.tries.push(one);
                }
            }
        }
        let Some(busy) = &mut self.busy else { return };
        match busy.held.outcome(poke, patience, now) {
            None => {}
            Some(IdleTry { end: IdleEnd::Alive, .. }) => {
                busy.answered = now;
                (busy.held.phase, busy.held.silent_since) = (Phase::Silent, now);
            }
            Some(ended) => {
                self.idle.busy_ended = Some((ended.end, micros(busy.opened.elapsed())));
                self.busy = None;
            }
        }
    }

    /// What was to be silent for longer than what has died is not waited for.
    fn leave_out_longer(&mut self) {
        if let Some(dead) = self.idle.first_dead() {
            let silent = Duration::from_micros(dead.silent_us);
            self.held.retain(|held| held.age < silent);
        }
    }

    /// Between the longest that lived and the shortest that died, as far as the time goes.
    fn open_second_series(&mut self, cancel: &Cancel) {
        let Some(dead) = self.idle.first_dead().map(|dead| Duration::from_micros(dead.silent_us)) else {
            return;
        };
        let alive = Duration::from_micros(self.idle.longest_alive_us().unwrap_or(0));
        let step = dead.saturating_sub(alive) / (CLOSER + 1);
        let left = (self.begin + self.plan.longest).saturating_duration_since(Instant::now());
        let ages: Vec<Duration> = (1..=CLOSER).rev().map(|part| alive + step * part).collect();
        let fits = |age: &Duration| *age <= left && *age >= self.shortest();
        let ages: Vec<Duration> = ages.into_iter().filter(fits).collect();
        self.open(&ages, true, cancel);
    }

    fn next_event(&self, now: Instant) -> Instant {
        let patience = self.plan.patience;
        let of = |held: &Held| match held.phase {
            Phase::Silent => held.silent_since + held.age,
            Phase::Poked { .. } if self.plan.poke == Poke::Keepalive => now + STEP,
            Phase::Poked { at, .. } => at + patience,
        };
        let all = self.held.iter().chain(self.busy.as_ref().map(|busy| &busy.held));
        let last = self.begin + self.plan.longest + patience;
        all.map(of).min().unwrap_or(last).max(now + Duration::from_millis(1))
    }

    /// Until something comes in, or then, or for a moment: then it is time to look around.
    fn sleep(&self, until: Instant, cancel: &Cancel) {
        let all = self.held.iter().chain(self.busy.as_ref().map(|busy| &busy.held));
        let mut fds: Vec<_> = all.map(|held| PollFd::new(&held.stream, PollFlags::IN)).collect();
        let step = cancel.step(until).unwrap_or_default();
        // A signal, too, is a reason to look around.
        let _ = poll(&mut fds, Timespec::try_from(step).ok().as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;

    use socket2::SockRef;

    use super::held::LINE;
    use super::*;
    use crate::probe::conversation::tests::reset;

    /// Echoes lines, and does this to each connection that was silent so long.
    fn server(limit: Duration, end: fn(TcpStream)) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    stream.set_read_timeout(Some(limit)).unwrap();
                    let (mut input, mut output) = (&stream, &stream);
                    let mut buffer = [0; 1024];
                    while let Ok(length @ 1..) = input.read(&mut buffer) {
                        output.write_all(&buffer[..length]).unwrap();
                    }
                    end(stream);
                });
            }
        });
        address
    }

    fn held(with: SocketAddr, poke: Poke, longest: Duration) -> Idle {
        hold(&Plan { with, source: None, longest, poke, patience: Duration::from_secs(20) }, &Cancel::new())
    }

    const LIMIT: Duration = Duration::from_secs(1);

    #[test]
    fn a_server_that_closes_what_is_silent_is_seen_to_do_so_and_when() {
        let idle = held(server(LIMIT, drop), Poke::Echo, Duration::from_secs(8));
        let dead = idle.first_dead().unwrap();
        assert_eq!((dead.end, dead.poked), (IdleEnd::Closed, false));
        assert!(dead.silent_us >= micros(LIMIT) * 3 / 4, "{idle:?}");
        assert!(idle.busy_ended.is_none(), "{idle:?}");
        assert!(idle.took_us < 7_000_000, "nothing longer is waited for: {idle:?}");
    }

    #[test]
    fn a_server_that_resets_what_is_silent_is_told_from_one_that_closes() {
        let reset = |stream: TcpStream| {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        };
        let idle = held(server(LIMIT, reset), Poke::Echo, Duration::from_secs(60));
        assert_eq!(idle.first_dead().unwrap().end, IdleEnd::Reset, "{idle:?}");
    }

    #[test]
    fn a_reset_of_which_the_poke_is_told_is_no_close() {
        let now = Instant::now();
        let mut held = Held {
            stream: reset(),
            silent_since: now,
            age: LIMIT,
            phase: Phase::Silent,
            closer: false,
            reset: false,
        };
        held.poke(Poke::Echo, now);
        let end = held.outcome(Poke::Echo, LIMIT, now).map(|one| one.end);
        assert_eq!(end, Some(IdleEnd::Reset));
    }

    #[test]
    fn a_server_without_room_for_one_that_is_never_silent_leaves_nothing_to_compare() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let with = listener.local_addr().unwrap();
        thread::spawn(move || {
            // As many as there are ages; each ends after a time, whatever is said.
            let held: Vec<_> = (0..AGES.len())
                .map(|_| {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut line = [0; LINE.len()];
                    stream.read_exact(&mut line).and_then(|()| stream.write_all(&line)).unwrap();
                    stream
                })
                .collect();
            drop(listener);
            thread::sleep(LIMIT);
            drop(held);
        });
        let idle = held(with, Poke::Echo, Duration::from_secs(64));
        assert_eq!(idle.first_dead().map(|dead| dead.end), Some(IdleEnd::Closed), "{idle:?}");
        assert!(idle.busy_problem.is_some() && idle.busy_ended.is_none(), "{idle:?}");
    }

    #[test]
    fn an_answer_that_drips_is_none_once_its_time_is_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let with = listener.local_addr().unwrap();
        let dripping = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for byte in LINE {
                thread::sleep(Duration::from_millis(200));
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
            }
        });
        let patience = Duration::from_millis(500);
        let plan = Plan { with, source: None, longest: LIMIT, poke: Poke::Echo, patience };
        let Err(error) = Held::open(&plan, LIMIT, false, &Cancel::new()) else {
            panic!("a line of 6 seconds is no answer")
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        dripping.join().unwrap();
    }

    #[test]
    fn what_lives_is_poked_once_at_each_age_and_answers() {
        let idle = held(server(Duration::from_secs(600), drop), Poke::Echo, Duration::from_millis(640));
        let ages: Vec<u64> = idle.tries.iter().map(|one| one.silent_us / 10_000).collect();
        assert_eq!(idle.tries.len(), 8, "{ages:?}");
        assert!(idle.tries.iter().all(|one| one.end == IdleEnd::Alive && one.poked), "{idle:?}");
        assert!(idle.longest_alive_us().unwrap() >= 640_000 && idle.busy_ended.is_none(), "{idle:?}");
    }

    #[test]
    fn a_program_that_says_nothing_is_seen_alive_by_its_keepalive() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let idle = held(listener.local_addr().unwrap(), Poke::Keepalive, Duration::from_millis(1_200));
        assert_eq!(idle.tries.len(), 2, "{idle:?}");
        assert!(idle.tries.iter().all(|one| one.end == IdleEnd::Alive), "{idle:?}");
    }

    #[test]
    fn a_program_that_takes_lines_and_echoes_no_longer_is_silent_and_acknowledged() {
        let stuck = |stream: TcpStream| {
            let _held = stream;
            thread::sleep(Duration::from_secs(60));
        };
        let plan = Plan {
            with: server(LIMIT, stuck),
            source: None,
            longest: Duration::from_secs(6),
            poke: Poke::Echo,
            patience: Duration::from_secs(1),
        };
        let idle = hold(&plan, &Cancel::new());
        let dead = idle.first_dead().unwrap();
        assert_eq!((dead.end, dead.poked), (IdleEnd::Silent { acknowledged: true }, true), "{idle:?}");
        assert!(idle.tries.iter().any(|one| one.closer), "a second series comes closer: {idle:?}");
        assert!(idle.longest_alive_us().unwrap() < dead.silent_us, "{idle:?}");
    }
}
