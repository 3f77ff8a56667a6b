//! What a row is given to work with: servers, canaries, and how much is asked of this run.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Engine;
use super::canary::Canary;
use super::seen::{Seen, not_shown};
use super::victim::{Setup, Subject, Victim};

pub(crate) struct Bench {
    pub(crate) subject: Subject,
    pub(crate) echoline: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) quick: bool,
    /// Other servers are attacked beside ours.
    pub(crate) compared: bool,
    /// Why the attacks are not in a network of their own.
    pub(crate) not_aside: Option<String>,
}

impl Bench {
    /// One of two sizes of an attack: for CI, or for the whole catalogue.
    pub(crate) fn size<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// As `size`, of a time that others than ours must be able to keep, too: not in a hurry where they are compared.
    pub(crate) fn time<T>(&self, quick: T, full: T) -> T {
        if self.quick && !self.compared { quick } else { full }
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.subject {
            Subject::Ours(engine) => engine,
            Subject::Other(_) => Engine::Portable,
        }
    }

    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.subject, Subject::Ours(_))
    }

    /// An error unless this is a network of our own, where rules and links may be changed.
    pub(crate) fn must_be_aside(&self) -> Result<()> {
        match &self.not_aside {
            None => Ok(()),
            Some(reason) => Err(not_shown(reason.clone())),
        }
    }

    pub(crate) fn serve(&self, setup: Setup<'_>) -> Result<Victim> {
        Victim::start(self.subject, &self.echoline, &self.scratch, setup)
    }

    pub(crate) fn canary(&self, victim: &Victim) -> Result<Canary> {
        let mut to = victim.address;
        if to.ip().is_unspecified() {
            to.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        Canary::start(to, self.size(Duration::from_millis(300), Duration::from_secs(2)))
    }

    /// Starts a server with these flags and a canary, attacks, and ends both: the server must still run, and end well.
    pub(crate) fn attack(
        &self,
        flags: &[&str],
        attack: impl FnOnce(&Victim) -> Result<Seen>,
    ) -> Result<Seen> {
        self.attack_on(Setup { flags, ..Setup::default() }, attack)
    }

    pub(crate) fn attack_on(
        &self,
        setup: Setup<'_>,
        attack: impl FnOnce(&Victim) -> Result<Seen>,
    ) -> Result<Seen> {
        let mut victim = self.serve(setup)?;
        let canary = self.canary(&victim)?;
        let seen = attack(&victim);
        if seen.is_err() {
            // What ended the server matters more than what the attack made of it.
            victim.ended_within(Duration::from_millis(300))?;
            // It is over: no reason to wait as long as a canary does.
            if canary.hangs() {
                return seen.context("the canary hangs, too");
            }
        }
        let watched = canary.end()?;
        victim.still_runs()?;
        let mut seen = seen?;
        seen.canary = Some(watched);
        let end = victim.end()?;
        let said = end.status.map_or_else(|| "it did not end".to_owned(), |status| status.to_string());
        // 1: somebody was still talking when the drain was over.
        let in_order = end.status.and_then(|status| status.code()).is_some_and(|code| code <= 1);
        let holds = !self.is_ours() || in_order;
        Ok(seen.must(holds, format!("the server ends in order after SIGTERM ({said})")))
    }

    /// Repeats a short attack for as long as a canary needs to feel it. Returns how often.
    pub(crate) fn repeat(&self, mut attack: impl FnMut() -> Result<()>) -> Result<u32> {
        let until = Instant::now() + self.size(Duration::from_millis(500), Duration::from_secs(3));
        let mut times = 0;
        while times == 0 || Instant::now() < until {
            attack()?;
            times += 1;
        }
        Ok(times)
    }
}
