//! The connection stood: what the other side did with it.

use std::net::SocketAddr;

use echoline_diagnosis::units::{count, grouped};
use echoline_diagnosis::{Diagnosis, Text, code, plain, text};

use super::conclude::{likely, ok};
use super::connected;
use super::said::{WHOSE_RESET, said, speaks};
use crate::evidence::{Answer, Conversation, Exchange, Expect, Findings, LineEnds, What};
use crate::words::time;

pub(super) fn judge(findings: &Findings, conversation: &Conversation) -> Diagnosis {
    match findings.target.expect {
        Expect::Connect => connected::judge(findings.target.scheme, conversation),
        Expect::Echo => echo(findings, conversation),
    }
}

fn echo(findings: &Findings, conversation: &Conversation) -> Diagnosis {
    let with = conversation.with;
    let failed = conversation.exchanges.iter().find(|exchange| exchange.result != Answer::Identical);
    let Some(exchange) = failed else {
        let p50 = findings.timing.as_ref().and_then(|timing| timing.p50_us);
        let time = p50.map(|p50| text!("; the round trip takes {}", time(p50)));
        return ok(text!("{} echoes every byte{}.", with, time));
    };
    if exchange.is_only_the_end() {
        return ok(text!("{} {}", with, end(exchange)));
    }
    let verdict = match (exchange.result, findings.whoami.as_ref().and_then(|whoami| whoami.reached_echo)) {
        (Answer::Silent { .. }, Some(reached)) if exchange.what == What::Line && exchange.got_bytes == 0 => {
            lost(conversation, reached)
        }
        _ => broken(conversation, exchange),
    };
    debug_assert_ne!(verdict.code(), code::OK);
    verdict
}

/// All lines came back; then this side ended its output in the middle of one.
fn end(exchange: &Exchange) -> Text {
    let time = time(exchange.took_us);
    let (tail, but) = (
        "echoes every byte, an unfinished line at the end too. But",
        "echoes lines. But what was unfinished when this side ended its output did not come back",
    );
    match (exchange.result, exchange.is_whole()) {
        (Answer::Silent { .. }, true) => text!(
            "{} it did not end its output in {} after this side had: a client that waits for the end waits on.",
            tail,
            time
        ),
        (_, true) => text!("{} then it reset the connection instead of ending its output in order.", tail),
        (Answer::Silent { .. }, false) => {
            text!("{} in {}: a client that finishes first may lose its tail.", but, time)
        }
        (Answer::Reset, false) => text!("{}, and the connection was reset. {}", but, WHOSE_RESET),
        (_, false) => text!("{}: a client that finishes first loses its tail.", but),
    }
}

/// The other end knows whether our line came.
fn lost(conversation: &Conversation, reached: bool) -> Diagnosis {
    let with = conversation.with;
    if reached {
        let sentence = text!(
            "The reply of {} is lost: its echo service got our line, and nothing came back. The way back is broken.",
            with
        );
        return Diagnosis::new(code::REPLY_LOST, sentence)
            .next("look at the firewalls and routes on the way back, from the server to this machine");
    }
    let sentence = text!(
        "The request to {} is lost: the connection stands, but its echo service never got our line.",
        with
    );
    // Likely only: an echo service of another instance has another journal, and does not say which it is.
    likely(code::REQUEST_LOST, sentence)
        .next("look for a firewall or proxy before the server that takes connections and keeps the data")
        .next("check that the port leads to the echo service of that very server")
}

fn broken(conversation: &Conversation, exchange: &Exchange) -> Diagnosis {
    let with = conversation.with;
    let what = exchange.what.words();
    let (before, first) = match exchange.what {
        What::Line => (Text::default(), true),
        _ => (
            text!(
                " A short line came back before that; {} ({}) did not.",
                what,
                plain(count(exchange.sent_bytes as u64, "byte"))
            ),
            false,
        ),
    };
    let got = Text::from(said(exchange.got.as_deref()));
    // Another protocol greets, or quotes our line in its error. Later on, one line has come back already.
    let whole = matches!(exchange.result, Answer::Added { .. });
    let foreign = conversation.recognised.is_some() && (first || whole);
    match exchange.result {
        Answer::Silent { acknowledged } => silent(with, exchange, acknowledged, &before),
        Answer::Closed => Diagnosis::new(
            code::CLOSED_EARLY,
            text!("{} closed the connection instead of sending {} back.{}{}", with, what, before, got),
        )
        .next("look at the log of the program there"),
        Answer::Reset => Diagnosis::new(
            code::RESET,
            text!("{} broke the connection off when it got {}.{} {}", with, what, before, WHOSE_RESET),
        )
        .next("look at the log of the program there, at this very moment"),
        Answer::LineEndings => Diagnosis::new(
            code::ALTERED,
            text!(
                "{} changes line endings: {} came back with {}, all else identical.{}{}",
                with,
                what,
                LineEnds::words(exchange.line_ends),
                before,
                got
            ),
        )
        .next("let the server send what it got, CR and LF included"),
        Answer::Altered { .. } | Answer::Added { .. } if foreign => not_echo(conversation, &got),
        Answer::Added { at, bytes } => added(with, exchange, at, bytes, &got),
        Answer::Altered { at } => Diagnosis::new(
            code::ALTERED,
            text!(
                "{} changes what it sends back: {} differs from byte {} on.{}{}",
                with,
                what,
                plain(grouped(at as u64 + 1)),
                before,
                got
            ),
        )
        .next("look for a server or proxy that reads text, and let it handle bytes"),
        Answer::Different | Answer::Identical => not_echo(conversation, &got),
    }
}

fn silent(with: SocketAddr, exchange: &Exchange, acknowledged: Option<bool>, before: &Text) -> Diagnosis {
    if acknowledged == Some(false) {
        let cause = if exchange.what == What::Line {
            "The connection stands, but what is sent on it does not arrive: a firewall that lets only the handshake \
             through, or a way on which larger packets are lost (MTU)."
        } else {
            "Small packets pass and large ones are lost: the way takes only smaller packets (MTU), and the messages \
             that would say so are lost too."
        };
        return likely(code::DATA_LOST, text!("{} does not acknowledge data.{} {}", with, before, cause))
            .next("lower the MTU of the own interface to try: ip link set dev DEVICE mtu 1200")
            .next(
                "let ICMP \"packet too big\" and \"fragmentation needed\" through the firewalls on the way",
            );
    }
    let what = exchange.what.words();
    let (sent, got) = (exchange.sent_bytes as u64, exchange.got_bytes as u64);
    let reply = match got {
        0 => text!("did not reply to {}", what),
        _ => {
            text!("sent back only {} of the {} of {}", plain(grouped(got)), plain(count(sent, "byte")), what)
        }
    };
    let sentence = text!(
        "{} {}, which did arrive at that machine.{} The program waits for something \
         else or is stuck, or its reply is lost on the way.",
        with,
        reply,
        before
    );
    likely(code::NO_REPLY, sentence)
        .next("if it may only be slow, give it longer: -w 1m")
        .next("with an echoline server there, --whoami PORT tells a lost reply from none")
        .next("check that an echo service listens there, and not another program")
        .next("if another program is meant: --expect connect")
}

fn not_echo(conversation: &Conversation, got: &Text) -> Diagnosis {
    let with = conversation.with;
    let speaks = speaks(conversation);
    Diagnosis::new(code::NOT_ECHO, text!("{} is no echo service.{}{}", with, speaks, got))
        .next("check the port; if this program is the right one: --expect connect")
}

fn added(with: SocketAddr, exchange: &Exchange, at: usize, bytes: usize, got: &Text) -> Diagnosis {
    let what = exchange.what.words();
    let first = match at {
        0 => "before it".into(),
        at if at >= exchange.sent_bytes => "behind it".into(),
        at => text!("at byte {}", plain(grouped(at as u64 + 1))),
    };
    let more = plain(count(bytes as u64, "byte"));
    let sentence = text!(
        "{} adds to what it sends back: {} came back whole, with {} that nobody sent, the first {}.{}",
        with,
        what,
        more,
        first,
        got
    );
    Diagnosis::new(code::ADDED, sentence)
        .next("look at what was added: its words often name the program")
        .next("check that an echo service listens there; if this program is the right one: --expect connect")
}
