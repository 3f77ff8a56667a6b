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

pub(in crate::check) use step::Step;

use std::time::Duration;

use echoline_diagnosis::{Diagnosis, Text};
use serde::{Deserialize, Serialize};

use super::findings::{Findings, ListenFindings, Target, Word, mark};
use super::verdict as judge;

/// The JSON document and its version. That grows when something that was there changes or goes; new fields may come.
const SCHEMA: &str = "echoline-check/1";

/// What was looked at, and what it comes to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub(in crate::check) struct Report {
    /// The kind of document and its version: `echoline-check/1`.
    pub(in crate::check) schema: Word,
    /// What it comes to.
    #[serde(with = "verdict")]
    pub(in crate::check) verdict: Diagnosis,
    /// What was asked for.
    pub(in crate::check) target: Asked,
    /// What was looked at, in that order.
    pub(in crate::check) steps: Vec<Step>,
    /// How long all of it took.
    pub(in crate::check) took_us: u64,
    /// Somebody ended it early.
    #[serde(skip)]
    pub(in crate::check) interrupted: bool,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::check) enum Asked {
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
    pub(in crate::check) fn new(findings: &Findings, took: Duration) -> Self {
        let mut steps = vec![target::address(findings), target::name(findings)];
        steps.extend([network::route(findings), network::connect(findings)]);
        steps.extend(network::controls(findings));
        steps.extend(network::path(findings));
        steps.extend([conversation::conversation(findings), conversation::timing(findings)]);
        steps.extend(other_end::whoami(findings));
        steps.extend(other_end::backends(findings));
        steps.extend(idle::idle(findings));
        let target = Asked::Host(findings.target.clone());
        let interrupted = findings.idle.as_ref().is_some_and(|idle| idle.interrupted);
        Self { interrupted, ..Self::whole(target, judge::verdict(findings), steps, took) }
    }

    /// Of `--listen`.
    pub(in crate::check) fn of_listening(findings: &ListenFindings, took: Duration) -> Self {
        let port = findings.wanted.port;
        let target = Asked::Listen { listen: findings.asked.clone(), port, expect: "listen".into() };
        Self::whole(target, judge::listening_verdict(findings), listening::steps(findings), took)
    }

    fn whole(target: Asked, verdict: Diagnosis, steps: Vec<Step>, took: Duration) -> Self {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self { schema: SCHEMA.into(), target, verdict, steps, took_us, interrupted: false }
    }

    /// The same with each of our sentences replaced by what `change` makes of it: for a rendering that hides names and
    /// addresses. What stands as an address, a host or words of others in the evidence is left as it is.
    #[must_use]
    pub(in crate::check) fn map_texts(mut self, mut change: impl FnMut(&Text) -> Text) -> Self {
        self.verdict = self.verdict.map_texts(&mut change);
        for step in &mut self.steps {
            step.says.iter_mut().for_each(|line| *line = change(line));
            step.seen.map_texts(&mut change);
        }
        self
    }
}
