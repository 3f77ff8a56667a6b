//! The report: the verdict, and each step with its state and what was seen.

mod conversation;
mod idle;
mod listening;
mod network;
mod other_end;
mod seen;
mod step;
mod target;
mod verdict;
mod words;

pub use seen::{
    AddressSeen, Connections, ControlsSeen, PathSeen, QueueSeen, ReachSeen, RouteSeen, Seen, Tried,
};
pub use step::{State, Step};

use std::time::Duration;

use echoline_diagnosis::{Certainty, Diagnosis, Text};
use serde::{Deserialize, Serialize};

use crate::evidence::{Findings, ListenFindings, Target, Word, mark};
use crate::verdict as judge;

/// The JSON document and its version. That grows when something that was there changes or goes; new
/// fields may come.
const SCHEMA: &str = "echoline-check/1";

/// What was looked at, and what it comes to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// The kind of document and its version: `echoline-check/1`.
    pub schema: Word,
    /// What it comes to.
    #[serde(with = "verdict")]
    #[cfg_attr(test, schemars(with = "verdict::Written"))]
    pub verdict: Diagnosis,
    /// What was asked for.
    pub target: Asked,
    /// What was looked at, in that order.
    pub steps: Vec<Step>,
    /// How long all of it took.
    pub took_us: u64,
    /// Somebody ended it early.
    #[serde(skip)]
    pub interrupted: bool,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Asked {
    /// A port of this machine.
    Listen {
        /// As it was written.
        #[serde(serialize_with = "mark::host")]
        listen: String,
        /// The port.
        port: u16,
        /// `listen`.
        expect: Word,
    },
    /// A host.
    Host(Target),
}

impl Report {
    /// Of a host.
    pub(crate) fn new(findings: &Findings, took: Duration) -> Self {
        let mut steps = vec![target::address(findings), target::name(findings)];
        steps.extend([network::route(findings), network::connect(findings)]);
        steps.extend(network::controls(findings));
        steps.extend(network::path(findings));
        steps.extend([conversation::conversation(findings), conversation::timing(findings)]);
        steps.extend(other_end::whoami(findings));
        steps.extend(other_end::backends(findings));
        steps.extend(idle::idle(findings));
        let target = Asked::Host(findings.target.clone());
        Self::whole(target, judge::verdict(findings), steps, took).or_interrupted(findings.interrupted)
    }

    /// Of `--listen`.
    pub(crate) fn of_listening(findings: &ListenFindings, took: Duration) -> Self {
        let port = findings.wanted.port;
        let target = Asked::Listen { listen: findings.asked.clone(), port, expect: "listen".into() };
        let verdict = judge::listening_verdict(findings);
        Self::whole(target, verdict, listening::steps(findings), took).or_interrupted(findings.interrupted)
    }

    fn whole(target: Asked, verdict: Diagnosis, steps: Vec<Step>, took: Duration) -> Self {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self { schema: SCHEMA.into(), target, verdict, steps, took_us, interrupted: false }
    }

    /// What was not looked at to its end proves nothing. Of silent connections, the verdict says so
    /// itself.
    fn or_interrupted(self, interrupted: bool) -> Self {
        let is_idle = |step: &Step| matches!(step.seen, Seen::Idle(_));
        let verdict = match interrupted && !self.steps.iter().any(is_idle) {
            true => self.verdict.and(" The check was ended early.").with_certainty(Certainty::CannotTell),
            false => self.verdict,
        };
        Self { verdict, interrupted, ..self }
    }

    /// The same with each of our sentences replaced by what `change` makes of it: for a rendering
    /// that hides names and addresses. What stands as an address, a host or words of others in the
    /// evidence is left as it is.
    #[must_use]
    pub fn map_texts(mut self, mut change: impl FnMut(&Text) -> Text) -> Self {
        self.verdict = self.verdict.map_texts(&mut change);
        for step in &mut self.steps {
            step.says.iter_mut().for_each(|line| *line = change(line));
            step.seen.map_texts(&mut change);
        }
        self
    }
}
