//! What was said, and how long it took.

use super::{State, Step, ms, skipped, step, timed};
use crate::check::findings::{Answer, Exchange, Expect, Findings, LineEnds, Scheme};
use crate::check::quote::quoted;
use echoline_diagnosis::units::{count, grouped};
use serde_json::json;

pub(super) fn conversation(findings: &Findings) -> Step {
    let name = match findings.target.expect {
        Expect::Echo => "echo",
        Expect::Connect => "greeting",
    };
    let Some(conversation) = &findings.conversation else { return skipped(name) };
    let mut says = Vec::new();
    if findings.target.expect == Expect::Connect {
        let asked = findings.target.scheme == Some(Scheme::Http);
        says.extend(asked.then(|| "a HEAD request was sent".to_owned()));
        says.push(match (&conversation.greeting, conversation.broke) {
            (Some(greeting), _) => format!("it says {}", quoted(greeting)),
            (None, Some(_)) if asked => "the other side ended the connection without an answer".to_owned(),
            (None, Some(_)) => "the other side ended the connection at once".to_owned(),
            (None, None) if asked => "it says nothing".to_owned(),
            (None, None) => "it says nothing first, as many services do".to_owned(),
        });
    }
    for exchange in &conversation.exchanges {
        says.push(exchange_line(exchange));
        says.extend(exchange.got.as_ref().map(|got| format!("it sent {}", quoted(got))));
    }
    says.extend(conversation.recognised.map(|protocol| format!("recognised: {protocol}")));
    let bad = |exchange: &Exchange| exchange.result != Answer::Identical;
    let state = match conversation.exchanges.iter().find(|exchange| bad(exchange)) {
        Some(exchange) if exchange.is_only_the_end() => State::Warn,
        Some(_) => State::Fail,
        None if !conversation.fits(findings.target.scheme) => State::Fail,
        None => State::Pass,
    };
    timed(conversation.took_us, step(name, state, says, json!(conversation)))
}

fn exchange_line(exchange: &Exchange) -> String {
    let what = exchange.what.words();
    let (bytes, got) = (grouped(exchange.sent_bytes as u64), count(exchange.got_bytes as u64, "byte"));
    let reads = if exchange.reads == 1 { "1 read".to_owned() } else { format!("{} reads", exchange.reads) };
    match exchange.result {
        Answer::Identical => format!("{what}: {bytes} bytes, identical, {reads}, {}", ms(exchange.took_us)),
        Answer::LineEndings => {
            format!("{what}: {bytes} bytes, came back with {}", LineEnds::words(exchange.line_ends))
        }
        Answer::Altered { at } => {
            format!("{what}: {bytes} bytes, byte {} came back changed", grouped(at as u64 + 1))
        }
        Answer::Added { bytes: more, .. } => {
            format!("{what}: {bytes} bytes, all came back, and {} more", count(more as u64, "byte"))
        }
        Answer::Different => format!("{what}: {bytes} bytes, something else came back"),
        Answer::Silent { .. } if exchange.is_whole() => {
            format!(
                "{what}: {bytes} bytes, all came back, and no end behind them in {}",
                ms(exchange.took_us)
            )
        }
        Answer::Silent { acknowledged } => {
            let tcp = match acknowledged {
                Some(true) => "; the other machine acknowledged them (TCP)",
                Some(false) => "; not even acknowledged (TCP)",
                None => "",
            };
            format!(
                "{what}: {bytes} bytes, {} came back in {}{tcp}",
                if exchange.got_bytes == 0 {
                    "nothing".to_owned()
                } else {
                    format!("only {}", grouped(exchange.got_bytes as u64))
                },
                ms(exchange.took_us)
            )
        }
        Answer::Closed => format!("{what}: the other side closed after {got}"),
        Answer::Reset => format!("{what}: the connection was reset after {got}"),
    }
}

pub(super) fn timing(findings: &Findings) -> Step {
    let Some(timing) = &findings.timing else { return skipped("timing") };
    let mut parts = Vec::new();
    if let (Some(min), Some(p50), Some(p99)) = (timing.min_us, timing.p50_us, timing.p99_us) {
        let jitter = timing.jitter_us.map_or_else(String::new, |jitter| format!(", jitter {}", ms(jitter)));
        parts.push(format!(
            "{} round trips: min {}, p50 {}, p99 {}{jitter}",
            timing.round_trips,
            ms(min),
            ms(p50),
            ms(p99)
        ));
    }
    parts.push(format!(
        "the kernel's round-trip time {}, segments sent again: {}",
        ms(timing.kernel_rtt_us),
        timing.segments_sent_again
    ));
    let state = if timing.segments_sent_again > 0 { State::Warn } else { State::Pass };
    let step = step("timing", state, parts, json!(timing));
    // Where nothing may be sent, nothing took any time.
    if timing.round_trips == 0 { step } else { timed(timing.took_us, step) }
}
