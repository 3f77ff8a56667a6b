//! What went wrong, as one value with two renderings: text for a person, JSON for a program.

use crate::code::Code;
use crate::exit::ExitStatus;
use crate::units::human_time;
use echoline::attempt::{Attempt, Outcome};
use echoline::escape::{Escaped, escape};
use echoline::explain::explain;
use echoline::{Code as NetworkCode, Endpoint, Error, Operation, Port};
use if_addrs::get_if_addrs;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::net::IpAddr;

/// Why a command stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something to report.
    Failure(Box<Failure>),
    /// Whoever read standard output left. That is no failure: `echoline explain | head -1`.
    OutputClosed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure.explained()))
    }
}

/// One failure: what happened, the evidence, what to do next and a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failure {
    /// Stable: scripts match it, and `echoline explain` has its page.
    pub(crate) code: Code,
    /// One sentence: what was tried, on what, what happened.
    pub(crate) message: String,
    /// The evidence, in the order in which a person wants it.
    pub(crate) facts: Vec<Fact>,
    /// What to do, best first.
    pub(crate) next: Vec<String>,
    #[serde(skip)]
    pub(crate) exit: ExitStatus,
}

/// One piece of evidence, under a word that says what kind: `from`, `tried`, `held`, `so`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub(crate) about: &'static str,
    pub(crate) text: String,
}

impl Fact {
    pub(crate) fn new(about: &'static str, text: impl Into<String>) -> Self {
        Self { about, text: text.into() }
    }
}

impl Failure {
    pub(crate) fn new(code: impl Into<Code>, exit: ExitStatus, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), facts: Vec::new(), next: Vec::new(), exit }
    }

    #[must_use]
    pub(crate) fn fact(mut self, about: &'static str, text: impl Into<String>) -> Self {
        self.facts.push(Fact::new(about, text));
        self
    }

    #[must_use]
    pub(crate) fn next(mut self, text: impl Into<String>) -> Self {
        self.next.push(text.into());
        self
    }

    /// Ends with the line that tells more, if it is not there already.
    #[must_use]
    pub(crate) fn explained(self) -> Self {
        if self.next.iter().any(|step| step.starts_with("echoline explain ")) {
            return self;
        }
        let line = format!("echoline explain {}", self.code);
        self.next(line)
    }

    /// For a person: the sentence and its code, then a line for each fact and each next step.
    pub(crate) fn text(&self) -> String {
        let (bold, red, dim) = (anstyle::Style::new().bold(), RED, anstyle::Style::new().dimmed());
        let mut text = format!("{bold}{}{bold:#}   {red}[{}]{red:#}", shown(&self.message), self.code);
        let next = self.next.iter().map(|step| ("next", step));
        for (about, line) in self.facts.iter().map(|fact| (fact.about, &fact.text)).chain(next) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {dim}{about:<5}{dim:#} {}", shown(line));
        }
        text
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let code = error.code();
        let mut failure = Self::new(code, exit_of(error), error.to_string());
        failure.facts.extend(left_from(error.attempts()));
        if let [_, _, ..] = error.attempts() {
            failure.facts.extend(all_tried(error.attempts()));
        }
        // A text that could not be read says by itself what is wrong with it.
        if !matches!(code, NetworkCode::BadAddress | NetworkCode::BadPort) {
            failure = failure.fact("so", explain(code).so);
        }
        // Where no port was written, an address may have swallowed it.
        let unwritten = error.endpoint().filter(|endpoint| endpoint.port() == Port::DEFAULT);
        if let Some(meant) = unwritten.and_then(Endpoint::with_port_in_brackets) {
            failure = failure.next(format!("if {} is the port, write {meant}", meant.port()));
        }
        let mut failure = failure.next(error.remedy());
        failure.next.extend(check_of(error));
        failure.explained()
    }
}

/// The command that finds out more, where more can be found out.
fn check_of(error: &Error) -> Option<String> {
    let sought = matches!(error.operation(), Operation::Resolve | Operation::Connect);
    let helps = matches!(
        error.code(),
        NetworkCode::Refused
            | NetworkCode::NoAnswer
            | NetworkCode::NoRoute
            | NetworkCode::HostUnreachable
            | NetworkCode::PermissionDenied
            | NetworkCode::Reset
            | NetworkCode::NameLookupFailed
            | NetworkCode::NameLookupTimedOut
    );
    let endpoint = error.endpoint().filter(|_| sought && helps && cfg!(target_os = "linux"))?;
    Some(format!("echoline check {endpoint} says why"))
}

/// The local addresses that the system chose for the way there, and their interfaces.
fn left_from(attempts: &[Attempt]) -> Option<Fact> {
    let interfaces = get_if_addrs().unwrap_or_default();
    let via = |ip: IpAddr| match interfaces.iter().find(|interface| interface.ip() == ip) {
        Some(interface) => format!("{ip} via {}", interface.name),
        None => ip.to_string(),
    };
    let mut sources: Vec<_> =
        attempts.iter().filter_map(|attempt| attempt.source).map(|it| via(it.ip())).collect();
    // The families alternate, and so do their sources.
    let mut seen = HashSet::new();
    sources.retain(|source| seen.insert(source.clone()));
    (!sources.is_empty()).then(|| Fact::new("from", sources.join(", ")))
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Failure::from(&error).into()
    }
}

/// Arguments and this machine are ours; everything else is the network's.
fn exit_of(error: &Error) -> ExitStatus {
    match (error.operation(), error.code()) {
        (Operation::Parse | Operation::Listen | Operation::Accept | Operation::Configure, _)
        | (Operation::Resolve, NetworkCode::System)
        | (
            _,
            NetworkCode::BadAddress
            | NetworkCode::BadPort
            | NetworkCode::TooManyOpenFiles
            | NetworkCode::NoLocalPort
            | NetworkCode::ResolverBusy
            | NetworkCode::AddressNotAvailable,
        ) => ExitStatus::Usage,
        _ => ExitStatus::Refused,
    }
}

/// A name server decides how many there are: the first few one by one, the rest by how they ended.
fn all_tried(attempts: &[Attempt]) -> Vec<Fact> {
    const SHOWN: usize = 8;
    let (shown, rest) = attempts.split_at(attempts.len().min(SHOWN));
    let mut facts: Vec<_> = shown.iter().map(tried).collect();
    let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
    for attempt in rest {
        *endings.entry(ended(attempt)).or_default() += 1;
    }
    if !rest.is_empty() {
        let endings: Vec<_> = endings.iter().map(|(ended, number)| format!("{number} {ended}")).collect();
        facts.push(Fact::new("tried", format!("{} more: {}", rest.len(), endings.join(", "))));
    }
    facts
}

fn tried(attempt: &Attempt) -> Fact {
    let Attempt { address, took, .. } = attempt;
    Fact::new("tried", format!("{address}: {} after {}", ended(attempt), human_time(*took)))
}

fn ended(attempt: &Attempt) -> &'static str {
    match attempt.outcome {
        Outcome::Failed { code, .. } => code.as_str(),
        Outcome::Connected => "connected",
        _ => "abandoned",
    }
}

/// Parts of it can come from a peer or from a name server, and some are escaped already.
fn shown(text: &str) -> Escaped<'_> {
    escape(text.as_bytes()).with_plain_backslash()
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default();
