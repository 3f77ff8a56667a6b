//! The report: the verdict, and each step with its state and what was seen. Text and JSON render this one value.

mod conversation;
mod idle;
mod listening;
mod network;
mod other_end;
mod target;

pub(super) use idle::long_time;

use super::findings::{Ended, Findings};
use super::verdict::{Verdict, verdict};
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::units::human_time;
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The JSON document and its version. That grows when something that was there changes or goes; new fields may come.
const SCHEMA: &str = "echoline-check/1";

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) verdict: Verdict,
    /// What was asked for.
    pub(super) target: Value,
    pub(super) steps: Vec<Step>,
    pub(super) took_us: u64,
    /// Somebody ended it early.
    #[serde(skip)]
    pub(super) interrupted: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Step {
    pub(super) step: &'static str,
    pub(super) state: State,
    pub(super) took_us: Option<u64>,
    /// For a person: one line or more.
    pub(super) says: Vec<String>,
    /// For a program: what was seen, as it was seen.
    pub(super) evidence: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Pass,
    Warn,
    Fail,
    /// An earlier step failed.
    Skip,
    /// There is nothing to look at.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
            Self::NotApplicable => "N/A",
        }
    }
}

impl Report {
    pub(super) fn new(findings: &Findings, took: Duration) -> Self {
        let mut steps = vec![target::address(findings), target::name(findings)];
        steps.extend([network::route(findings), network::connect(findings)]);
        steps.extend(network::controls(findings));
        steps.extend(network::path(findings));
        steps.extend([conversation::conversation(findings), conversation::timing(findings)]);
        steps.extend(other_end::whoami(findings));
        steps.extend(other_end::backends(findings));
        steps.extend(idle::idle(findings));
        Self {
            interrupted: findings.idle.as_ref().is_some_and(|idle| idle.interrupted),
            ..Self::whole(json!(findings.target), verdict(findings), steps, took)
        }
    }

    fn whole(target: Value, verdict: Verdict, steps: Vec<Step>, took: Duration) -> Self {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        Self { schema: SCHEMA, target, verdict, steps, took_us, interrupted: false }
    }

    /// What cannot be read, and what this machine has run out of, is no answer of the network.
    pub(super) fn exit(&self) -> ExitStatus {
        if self.interrupted { ExitStatus::Interrupted } else { self.verdict.code.exit() }
    }
}

fn step(step: &'static str, state: State, says: Vec<String>, evidence: Value) -> Step {
    Step { step, state, took_us: None, says, evidence }
}

/// With the time that it took.
fn timed(us: u64, step: Step) -> Step {
    Step { took_us: Some(us), ..step }
}

fn skipped(name: &'static str) -> Step {
    step(name, State::Skip, vec!["an earlier step failed".to_owned()], Value::Null)
}

fn ms(us: u64) -> String {
    if us < 10 {
        return format!("{us} us");
    }
    human_time(Duration::from_micros(us))
}

/// All, some or none.
fn grade(good: usize, all: usize) -> State {
    match good {
        0 => State::Fail,
        _ if good == all => State::Pass,
        _ => State::Warn,
    }
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Connected => "connected",
        Ended::Refused => "refused",
        Ended::Reset => "reset",
        Ended::NetUnreachable => "network unreachable",
        Ended::HostUnreachable => "host unreachable",
        Ended::Denied => "denied by this machine",
        Ended::NoAnswer => "no answer",
        Ended::NoLocalPort => "no local port is free",
        Ended::NoSuchSource => "the source address is none of this machine",
        Ended::Other => "failed",
    }
}
