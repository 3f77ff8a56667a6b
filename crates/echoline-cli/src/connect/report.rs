//! What came of a conversation, and what is wrong with it: the JSON document as a value.

use std::net::SocketAddr;
use std::time::Duration;

use echoline_diagnosis::units::{count, human_size, human_time};
use echoline_diagnosis::{Code, Diagnosis, code, plain};
use serde::Serialize;

use super::conversation::{Ending, Exchanged, Stalled, Tally};
use super::dial::{Dialled, outcome_text};
use super::difference::{Difference, Ending as LineEnd};
use super::round_trip::Summary;
use crate::failure::{as_json, as_optional_json};

/// The document of `--json` and its version, which grows when a field changes or goes.
pub(super) const SCHEMA: &str = "echoline-connect/1";

/// The document of `--json`, and what the summary is made of.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: &'static str,
    /// `identical`, `finished` (not compared), `interrupted`, or the code of the failure.
    pub(super) result: String,
    server: SocketAddr,
    client: SocketAddr,
    /// The server ran in this process.
    embedded: bool,
    connect_us: u128,
    attempts: Vec<AttemptReport>,
    pub(super) sent: Tally,
    pub(super) received: Tally,
    pub(super) duration_us: u128,
    pub(super) round_trip: Option<Summary>,
    difference: Option<Difference>,
    /// The server left its side open after ours had finished.
    pub(super) left_open: bool,
    #[serde(serialize_with = "as_optional_json")]
    pub(super) error: Option<Diagnosis>,
}

/// The document when there was no conversation.
#[derive(Debug, Serialize)]
pub(super) struct NotConnected<'a> {
    pub(super) schema: &'static str,
    pub(super) result: Code,
    #[serde(serialize_with = "as_json")]
    pub(super) error: &'a Diagnosis,
}

#[derive(Debug, Serialize)]
struct AttemptReport {
    address: SocketAddr,
    took_us: u128,
    outcome: &'static str,
}

impl Report {
    pub(super) fn new(
        dialled: &Dialled,
        exchanged: Exchanged,
        verified: bool,
        wait: Duration,
        took: Duration,
    ) -> Self {
        let Exchanged { sent, received, round_trips, ending } = exchanged;
        let left_open = matches!(ending, Ending::LeftOpen);
        let interrupted = matches!(ending, Ending::Interrupted);
        let difference = difference(&ending).cloned();
        let error = failure(&dialled.endpoint.to_string(), ending, sent, wait);
        let error =
            error.map(|error| if dialled.embedded.is_some() { error } else { checked(error, dialled) });
        let result = match &error {
            Some(error) => error.code().to_string(),
            _ if interrupted => "interrupted".to_owned(),
            _ if verified => "identical".to_owned(),
            _ => "finished".to_owned(),
        };
        let attempts = dialled.attempts.iter().map(|attempt| AttemptReport {
            address: attempt.address,
            took_us: attempt.took.as_micros(),
            outcome: outcome_text(attempt.outcome),
        });
        Self {
            schema: SCHEMA,
            result,
            server: dialled.server,
            client: dialled.client,
            embedded: dialled.embedded.is_some(),
            connect_us: dialled.took.as_micros(),
            attempts: attempts.collect(),
            sent,
            received,
            duration_us: took.as_micros(),
            round_trip: round_trips.summary(),
            left_open,
            difference,
            error,
        }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.result == "interrupted"
    }
}

fn difference(ending: &Ending) -> Option<&Difference> {
    match ending {
        Ending::Different(difference, _) | Ending::CutOff(difference) => Some(difference),
        Ending::ClosedEarly(difference) | Ending::Broken(_, difference) => difference.as_ref(),
        _ => None,
    }
}

const NOTHING_SENT: &str =
    "it took the connection and ended it before anything was sent; nothing can be sent any more";
const NOTHING_MISSING: &str = "all that was sent came back; nothing more can be sent";

/// What is wrong with how it ended, if anything is.
fn failure(server: &str, ending: Ending, sent: Tally, wait: Duration) -> Option<Diagnosis> {
    let failure = |code: Code, message: String| Diagnosis::new(code, message);
    let failed = match ending {
        Ending::Complete | Ending::LeftOpen | Ending::Interrupted => return None,
        Ending::Different(difference, speaks) => different(server, &difference, speaks),
        Ending::ClosedEarly(None) => {
            failure(code::CLOSED_EARLY, format!("{server} finished while our input was still open"))
                .evidence("so", if sent.bytes == 0 { NOTHING_SENT } else { NOTHING_MISSING })
                .next("look at the server: a limit, an idle timeout, or a service that serves once")
        }
        Ending::ClosedEarly(Some(missing)) => {
            failure(code::CLOSED_EARLY, format!("{server} finished while we were sending: {missing}"))
                .evidence(
                    "so",
                    format!("{} were sent; the server, or a proxy before it, gave up", sent.amount()),
                )
                .next("look at the server's log: a limit on lines or time, or a service that serves once")
        }
        Ending::CutOff(missing) => {
            failure(code::CLOSED_EARLY, format!("{server} finished before everything was back: {missing}"))
                .evidence("so", "some programs take the end of our input for the end of all (ncat -c is one)")
                .next("keep the input open until all is back: (cat FILE; sleep 2) | echoline connect ...")
        }
        Ending::Broken(error, missing) => {
            let missing = missing.map(|missing| format!(", with {missing}")).unwrap_or_default();
            let (code, what) = match error.kind() {
                std::io::ErrorKind::ConnectionReset => (code::RESET, "reset the connection".to_owned()),
                std::io::ErrorKind::TimedOut => {
                    let what = "no longer answers: what was sent is not even acknowledged";
                    (code::TIMED_OUT, what.to_owned())
                }
                _ => (code::SYSTEM, format!("the connection broke: {error}")),
            };
            failure(code, format!("{server} {what}{missing}")).with_source(error)
        }
        Ending::NoReply { missing, from, stalled } => {
            no_reply(server, missing, &from.to_string(), stalled, wait)
        }
        Ending::InputFailed(error) => {
            return Some(
                Diagnosis::new(code::INPUT, "cannot read standard input")
                    .caused_by(error)
                    .next("give standard input a file or a pipe that can be read"),
            );
        }
    };
    // What is known of this very conversation says more than the page.
    let page = failed.code().page();
    let failed =
        if failed.all_evidence().is_empty() { failed.evidence("so", plain(page.so)) } else { failed };
    let general = page.next.into_iter().next().filter(|_| failed.steps().is_empty());
    Some(general.into_iter().fold(failed, |failed, step| failed.next(plain(step))))
}

/// With the command that finds out more: each step of an echo by itself.
fn checked(failure: Diagnosis, dialled: &Dialled) -> Diagnosis {
    let helps = failure.code() != code::INPUT && cfg!(target_os = "linux");
    let check = format!("echoline check --expect echo {} says why", dialled.endpoint);
    if helps { failure.next(check) } else { failure }
}

fn different(server: &str, difference: &Difference, speaks: Option<&str>) -> Diagnosis {
    if let Some(protocol) = speaks {
        let message = format!("{server} is no echo service: it speaks {protocol} ({difference})");
        return Diagnosis::new(code::NOT_ECHO, message)
            .evidence("so", "the network works; the port belongs to another program")
            .next("check the port; --no-verify shows what a service says that is no echo");
    }
    let failure = |code: Code, message: String| {
        Diagnosis::new(code, message).next("--no-verify shows what a service says that is no echo")
    };
    let message = format!("{server} did not return what was sent: {difference}");
    let rewritten = "something on the way rewrites line endings; what is behind was not compared";
    match difference {
        Difference::Surplus { endless: true, .. } => {
            failure(code::ENDLESS, format!("{server} sends without an end: {difference}"))
                .evidence("so", "it sends without being asked; the rest was not waited for")
        }
        Difference::Surplus { at, .. } if at.offset == 0 => {
            failure(code::ADDED, message).evidence("so", "the service speaks first, so it is no echo")
        }
        Difference::Surplus { .. } | Difference::Added { .. } => failure(code::ADDED, message)
            .evidence("so", "the service is no echo, or something on the way puts bytes in"),
        Difference::LineEnding { sent, .. } => {
            let next = match sent {
                LineEnd::Lf => "-C sends lines with CRLF, as this server returns them",
                LineEnd::Crlf => "leave -C out: this server returns lines with LF",
            };
            Diagnosis::new(code::ALTERED, message).evidence("so", rewritten).next(next)
        }
        _ => failure(code::ALTERED, message)
            .evidence("so", "the service is no echo, or something on the way changes bytes"),
    }
}

fn no_reply(server: &str, missing: u64, from: &str, stalled: Stalled, wait: Duration) -> Diagnosis {
    let (message, so, next) = match stalled {
        Stalled::Ended => (
            format!(
                "{server} did not answer in {}: {} missing from {from}",
                human_time(wait),
                count(missing, "byte")
            ),
            "it took the bytes and did not return them: it is busy or stuck, or it is no echo",
            "--wait 1m waits longer; --no-verify is for a service that is no echo",
        ),
        Stalled::Writing => (
            format!("{server} took no more bytes for {}", human_time(wait)),
            "its receive buffer is full and its program does not read",
            "look at the server: it is busy or stuck, or it never reads",
        ),
        Stalled::WindowFull => (
            format!("{server} took {} and returned none of it for {}", human_size(missing), human_time(wait)),
            "a line of that length, or a server that waits for the end of input before it answers",
            "--window 64MiB lets more bytes be under way",
        ),
    };
    Diagnosis::new(code::NO_REPLY, message).evidence("so", so).next(next)
}
