//! Why a command stopped, and what is shown of a failure: as text for a person, as JSON for a
//! program.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::net::IpAddr;

use echoline::{Endpoint, Port};
use echoline_diagnosis::units::human_time;
use echoline_diagnosis::{Attempt, Code, Diagnosis, Operation, Outcome, code};
use if_addrs::get_if_addrs;
use serde::{Serialize, Serializer};

/// Why a command stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something to report.
    Failure(Diagnosis),
    /// The reader of standard output has left. That is no failure: `echoline explain | head -1`.
    OutputClosed,
}

impl From<Diagnosis> for Stop {
    fn from(failure: Diagnosis) -> Self {
        Self::Failure(failure)
    }
}

/// What is shown of a failure: the diagnosis, with what the program adds to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shown {
    /// Stable: scripts match it, and `echoline explain` has its page.
    pub(crate) code: Code,
    /// One sentence: what was tried, on what, what happened.
    pub(crate) message: String,
    /// The evidence, in the order in which a person wants it.
    pub(crate) facts: Vec<Fact>,
    /// What to do, best first.
    pub(crate) next: Vec<String>,
}

/// One piece of evidence, under a word that says what kind: `from`, `tried`, `held`, `so`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Fact {
    pub(crate) about: &'static str,
    pub(crate) text: String,
}

impl Fact {
    fn new(about: &'static str, text: impl Into<String>) -> Self {
        Self { about, text: text.into() }
    }
}

impl Shown {
    /// Looks up which interfaces the attempts left from, and adds the commands that say more.
    pub(crate) fn of(failure: &Diagnosis) -> Self {
        let code = failure.code();
        let mut facts = Vec::new();
        facts.extend(left_from(failure.attempts()));
        if let [_, _, ..] = failure.attempts() {
            facts.extend(all_tried(failure.attempts()));
        }
        let of_library = failure.operation().is_some();
        // A text that could not be read says by itself what is wrong with it; what is known of this
        // very failure says more than the page.
        let is_plain = matches!(code, code::BAD_ADDRESS | code::BAD_PORT)
            || failure.all_evidence().iter().any(|evidence| matches!(evidence.about, "so" | "held"));
        if of_library && !is_plain {
            facts.push(Fact::new("so", code.page().so));
        }
        let evidence = failure.all_evidence().iter();
        facts.extend(evidence.map(|evidence| Fact::new(evidence.about, evidence.text.to_string())));

        let mut next: Vec<String> = meant(failure).into_iter().collect();
        if of_library && failure.steps().is_empty() {
            next.push(failure.remedy());
        }
        next.extend(failure.steps().iter().map(ToString::to_string));
        next.extend(check_of(failure));
        if !next.iter().any(|step| step.starts_with("echoline explain ")) {
            next.push(format!("echoline explain {code}"));
        }
        Self { code, message: failure.whole().to_string(), facts, next }
    }

    /// For a person: the sentence and its code, then a line for each fact and each next step.
    pub(crate) fn text(&self) -> String {
        let (bold, red, dim) = (anstyle::Style::new().bold(), RED, anstyle::Style::new().dimmed());
        let mut text = format!("{bold}{}{bold:#}   {red}[{}]{red:#}", self.message, self.code);
        let next = self.next.iter().map(|step| ("next", step));
        for (about, line) in self.facts.iter().map(|fact| (fact.about, &fact.text)).chain(next) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {dim}{about:<5}{dim:#} {line}");
        }
        text
    }
}

/// A diagnosis as a field of a JSON document.
pub(crate) fn as_json<S: Serializer>(failure: &Diagnosis, serializer: S) -> Result<S::Ok, S::Error> {
    Shown::of(failure).serialize(serializer)
}

/// As [`as_json`], of one that need not be there.
pub(crate) fn as_optional_json<S: Serializer>(
    failure: &Option<Diagnosis>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    failure.as_ref().map(Shown::of).serialize(serializer)
}

/// Where no port was written, an address may have swallowed it.
fn meant(failure: &Diagnosis) -> Option<String> {
    let target = failure.endpoint().filter(|target| target.port == Port::DEFAULT.get())?;
    let endpoint = Endpoint::try_from((target.host.as_str(), target.port)).ok()?;
    let meant = endpoint.with_port_in_brackets()?;
    Some(format!("if {} is the port, write {meant}", meant.port()))
}

/// The command that finds out more, where more can be found out.
fn check_of(failure: &Diagnosis) -> Option<String> {
    let sought = matches!(failure.operation(), Some(Operation::Resolve | Operation::Connect));
    let helps = matches!(
        failure.code(),
        code::REFUSED
            | code::NO_ANSWER
            | code::NO_ROUTE
            | code::HOST_UNREACHABLE
            | code::PERMISSION_DENIED
            | code::RESET
            | code::NAME_LOOKUP_FAILED
            | code::NAME_LOOKUP_TIMED_OUT
    );
    let endpoint = failure.endpoint().filter(|_| sought && helps && cfg!(target_os = "linux"))?;
    Some(format!("echoline check {endpoint} says why"))
}

/// The local addresses that the system chose for the route, and their interfaces.
fn left_from(attempts: &[Attempt]) -> Option<Fact> {
    let mut sources: Vec<IpAddr> =
        attempts.iter().filter_map(|attempt| attempt.source).map(|source| source.ip()).collect();
    // The families alternate, and so do their sources.
    let mut seen = HashSet::new();
    sources.retain(|source| seen.insert(*source));
    if sources.is_empty() {
        return None;
    }
    let interfaces = get_if_addrs().unwrap_or_default();
    let via = |ip: &IpAddr| match interfaces.iter().find(|interface| interface.ip() == *ip) {
        Some(interface) => format!("{ip} via {}", interface.name),
        None => ip.to_string(),
    };
    Some(Fact::new("from", sources.iter().map(via).collect::<Vec<_>>().join(", ")))
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
        Outcome::Abandoned => "abandoned",
    }
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default();
