//! Clients that have one conversation after the other, each on a thread of its own, and what came of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde::Serialize;

use super::conversation::{Finding, Outcome, hold};
use super::plan::{Plan, SERVICES};

/// Findings that are told in full; the rest are counted.
const TOLD: usize = 20;
/// A client whose conversation went wrong waits so long: a server that is gone is not asked a million times.
const AFTER_A_FINDING: Duration = Duration::from_millis(100);

/// What all conversations together saw.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connections: u64,
    /// Those that the plan broke off by a reset or an early close.
    pub(super) broken_off: u64,
    pub(super) left_at_once: u64,
    pub(super) sent: u64,
    /// The part of `sent` that went into conversations which came to their end: the server has read it all.
    pub(super) sent_to_the_end: u64,
    pub(super) compared: u64,
    pub(super) lines_back: u64,
    /// Lines of the service that counts them, sent and come back.
    pub(super) counted_sent: u64,
    pub(super) counted_back: u64,
    pub(super) differences: u64,
    pub(super) unexpected_endings: u64,
    /// The first few of both, in words.
    pub(super) findings: Vec<String>,
    pub(super) longest: Longest,
}

/// The conversation that took the most time.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Longest {
    pub(super) took_s: f64,
    pub(super) conversation: String,
}

/// One client: plans from `seed` until `stop` is set.
pub(super) fn client(
    number: usize,
    seed: u64,
    addresses: &[SocketAddr],
    stop: &AtomicBool,
    tally: &Mutex<Tally>,
) {
    let mut seeds = Rng::with_seed(seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for count in 1_u64.. {
        if stop.load(Relaxed) {
            return;
        }
        let plan = Plan::of(seeds.u64(..));
        let start = Instant::now();
        let outcome = hold(&plan, addresses[plan.service], stop);
        let took_s = start.elapsed().as_secs_f64();
        let failed = outcome.finding.is_some();
        let mut tally = lock(tally);
        let who = format!("client {number}, conversation {count}");
        if took_s > tally.longest.took_s {
            tally.longest = Longest { took_s, conversation: format!("{who}: {plan}") };
        }
        tally.add(&plan, outcome, &who);
        drop(tally);
        if failed {
            std::thread::sleep(AFTER_A_FINDING);
        }
    }
}

/// The tally is whole between statements, so a panic elsewhere does not spoil it.
pub(super) fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    fn add(&mut self, plan: &Plan, outcome: Outcome, who: &str) {
        self.connections += u64::from(outcome.connected);
        self.broken_off += u64::from(outcome.connected && plan.end.breaks_off());
        self.left_at_once += u64::from(outcome.connected && plan.end.is_at_once());
        self.sent += outcome.sent;
        self.compared += outcome.compared;
        self.lines_back += outcome.lines_back;
        if SERVICES[plan.service] == "echo" {
            self.counted_sent += outcome.lines_sent;
            self.counted_back += outcome.lines_back;
        }
        if outcome.finding.is_none() && !plan.end.breaks_off() {
            self.sent_to_the_end += outcome.sent;
        }
        let text = match outcome.finding {
            None => return,
            Some(Finding::Difference(text)) => {
                self.differences += 1;
                text
            }
            Some(Finding::Ending(text)) => {
                self.unexpected_endings += 1;
                text
            }
        };
        if self.findings.len() < TOLD {
            self.findings.push(format!("{who} ({plan}): {text}"));
        }
    }
}
