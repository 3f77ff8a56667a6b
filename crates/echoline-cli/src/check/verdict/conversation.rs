//! The connection stood: what the other side did with it.

use super::Certainty::{Certain, Likely};
use super::{Verdict, connected};
use crate::check::findings::{Answer, Conversation, Exchange, Expect, Findings, LineEnds, What};
use crate::check::quote::quoted;
use echoline_diagnosis::code;
use echoline_diagnosis::units::{count, grouped, human_time};
use std::net::SocketAddr;
use std::time::Duration;

pub(super) fn judge(findings: &Findings, conversation: &Conversation) -> Verdict {
    match findings.target.expect {
        Expect::Connect => connected::judge(findings.target.scheme, conversation),
        Expect::Echo => echo(findings, conversation),
    }
}

pub(super) const WHOSE_RESET: &str = "A reset does not prove who sent it.";

fn echo(findings: &Findings, conversation: &Conversation) -> Verdict {
    let with = conversation.with;
    let failed = conversation.exchanges.iter().find(|exchange| exchange.result != Answer::Identical);
    let Some(exchange) = failed else {
        let p50 = findings.timing.as_ref().and_then(|timing| timing.p50_us);
        let time = p50.map_or_else(String::new, |p50| {
            format!("; the round trip takes {}", human_time(Duration::from_micros(p50)))
        });
        return Verdict::ok(format!("{with} echoes every byte{time}."));
    };
    if exchange.is_only_the_end() {
        return Verdict::ok(format!("{with} {}", end(exchange)));
    }
    let verdict = match (exchange.result, findings.whoami.as_ref().and_then(|whoami| whoami.reached_echo)) {
        (Answer::Silent { .. }, Some(reached)) if exchange.what == What::Line && exchange.got_bytes == 0 => {
            lost(conversation, reached)
        }
        _ => broken(conversation, exchange),
    };
    debug_assert_ne!(verdict.code, code::OK);
    verdict
}

/// All lines came back; then this side ended its output in the middle of one.
fn end(exchange: &Exchange) -> String {
    let time = human_time(Duration::from_micros(exchange.took_us));
    let (tail, but) = (
        "echoes every byte, an unfinished line at the end too. But",
        "echoes lines. But what was unfinished when this side ended its output did not come back",
    );
    match (exchange.result, exchange.is_whole()) {
        (Answer::Silent { .. }, true) => format!(
            "{tail} it did not end its output in {time} after this side had: a client that waits for the end waits on."
        ),
        (_, true) => format!("{tail} then it reset the connection instead of ending its output in order."),
        (Answer::Silent { .. }, false) => {
            format!("{but} in {time}: a client that finishes first may lose its tail.")
        }
        (Answer::Reset, false) => format!("{but}, and the connection was reset. {WHOSE_RESET}"),
        (_, false) => format!("{but}: a client that finishes first loses its tail."),
    }
}

/// The other end knows whether our line came.
fn lost(conversation: &Conversation, reached: bool) -> Verdict {
    let with = conversation.with;
    if reached {
        let sentence = format!(
            "The reply of {with} is lost: its echo service got our line, and nothing came back. The way back is broken."
        );
        return Verdict::new(code::REPLY_LOST, Certain, sentence)
            .next("look at the firewalls and routes on the way back, from the server to this machine");
    }
    let sentence = format!(
        "The request to {with} is lost: the connection stands, but its echo service never got our line."
    );
    // Likely only: an echo service of another instance has another journal, and does not say which it is.
    Verdict::new(code::REQUEST_LOST, Likely, sentence)
        .next("look for a firewall or proxy before the server that takes connections and keeps the data")
        .next("check that the port leads to the echo service of that very server")
}

/// What it said, unless that is too long for a sentence: then it stands with the step.
pub(super) fn said(escaped: Option<&str>) -> String {
    const MAX_SHOWN: usize = 60;
    let short = escaped.filter(|text| text.len() <= MAX_SHOWN);
    short.map_or_else(String::new, |text| format!(" It sent: {}.", quoted(text)))
}

fn broken(conversation: &Conversation, exchange: &Exchange) -> Verdict {
    let with = conversation.with;
    let what = exchange.what.words();
    let (before, first) = match exchange.what {
        What::Line => (String::new(), true),
        _ => (
            format!(
                " A short line came back before that; {what} ({}) did not.",
                count(exchange.sent_bytes as u64, "byte")
            ),
            false,
        ),
    };
    let got = said(exchange.got.as_deref());
    // Another protocol greets, or quotes our line in its error. Later on, one line has come back already.
    let whole = matches!(exchange.result, Answer::Added { .. });
    let foreign = conversation.recognised.is_some() && (first || whole);
    match exchange.result {
        Answer::Silent { acknowledged } => silent(with, exchange, acknowledged, &before),
        Answer::Closed => Verdict::new(
            code::CLOSED_EARLY,
            Certain,
            format!("{with} closed the connection instead of sending {what} back.{before}{got}"),
        )
        .next("look at the log of the program there"),
        Answer::Reset => Verdict::new(
            code::RESET,
            Certain,
            format!("{with} broke the connection off when it got {what}.{before} {WHOSE_RESET}"),
        )
        .next("look at the log of the program there, at this very moment"),
        Answer::LineEndings => Verdict::new(
            code::ALTERED,
            Certain,
            format!(
                "{with} changes line endings: {what} came back with {}, all else identical.{before}{got}",
                LineEnds::words(exchange.line_ends)
            ),
        )
        .next("let the server send what it got, CR and LF included"),
        Answer::Altered { .. } | Answer::Added { .. } if foreign => not_echo(conversation, &got),
        Answer::Added { at, bytes } => added(with, exchange, at, bytes, &got),
        Answer::Altered { at } => Verdict::new(
            code::ALTERED,
            Certain,
            format!(
                "{with} changes what it sends back: {what} differs from byte {} on.{before}{got}",
                grouped(at as u64 + 1)
            ),
        )
        .next("look for a server or proxy that reads text, and let it handle bytes"),
        Answer::Different | Answer::Identical => not_echo(conversation, &got),
    }
}

fn silent(with: SocketAddr, exchange: &Exchange, acknowledged: Option<bool>, before: &str) -> Verdict {
    if acknowledged == Some(false) {
        let cause = if exchange.what == What::Line {
            "The connection stands, but what is sent on it does not arrive: a firewall that lets only the handshake \
             through, or a way on which larger packets are lost (MTU)."
        } else {
            "Small packets pass and large ones are lost: the way takes only smaller packets (MTU), and the messages \
             that would say so are lost too."
        };
        return Verdict::new(
            code::DATA_LOST,
            Likely,
            format!("{with} does not acknowledge data.{before} {cause}"),
        )
        .next("lower the MTU of the own interface to try: ip link set dev DEVICE mtu 1200")
        .next("let ICMP \"packet too big\" and \"fragmentation needed\" through the firewalls on the way");
    }
    let what = exchange.what.words();
    let (sent, got) = (exchange.sent_bytes as u64, exchange.got_bytes as u64);
    let reply = match got {
        0 => format!("did not reply to {what}"),
        _ => format!("sent back only {} of the {} of {what}", grouped(got), count(sent, "byte")),
    };
    let sentence = format!(
        "{with} {reply}, which did arrive at that machine.{before} The program waits for something \
         else or is stuck, or its reply is lost on the way."
    );
    Verdict::new(code::NO_REPLY, Likely, sentence)
        .next("if it may only be slow, give it longer: -w 1m")
        .next("with an echoline server there, --whoami PORT tells a lost reply from none")
        .next("check that an echo service listens there, and not another program")
        .next("if another program is meant: --expect connect")
}

fn not_echo(conversation: &Conversation, got: &str) -> Verdict {
    let with = conversation.with;
    let speaks = conversation.recognised.map_or_else(String::new, |name| format!(" It speaks {name}."));
    Verdict::new(code::NOT_ECHO, Certain, format!("{with} is no echo service.{speaks}{got}"))
        .next("check the port; if this program is the right one: --expect connect")
}

fn added(with: SocketAddr, exchange: &Exchange, at: usize, bytes: usize, got: &str) -> Verdict {
    let what = exchange.what.words();
    let first = match at {
        0 => "before it".to_owned(),
        at if at >= exchange.sent_bytes => "behind it".to_owned(),
        at => format!("at byte {}", grouped(at as u64 + 1)),
    };
    let more = count(bytes as u64, "byte");
    let sentence = format!(
        "{with} adds to what it sends back: {what} came back whole, with {more} that nobody sent, the first {first}.{got}"
    );
    Verdict::new(code::ADDED, Certain, sentence)
        .next("look at what was added: its words often name the program")
        .next("check that an echo service listens there; if this program is the right one: --expect connect")
}
