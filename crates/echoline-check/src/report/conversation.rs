//! What was said, and how long it took.

use echoline_diagnosis::units::{count, grouped};
use echoline_diagnosis::{Text, plain, text};

use super::seen::Seen;
use super::step::{State, Step};
use crate::evidence::{Answer, Exchange, Expect, Findings, LineEnds, Scheme};
use crate::words::{quoted, short_time};

pub(super) fn conversation(findings: &Findings) -> Step {
    let seen = match findings.target.expect {
        Expect::Echo => Seen::Echo(findings.conversation.clone()),
        Expect::Connect => Seen::Greeting(findings.conversation.clone()),
    };
    let Some(conversation) = &findings.conversation else { return Step::skipped(seen) };
    let mut says = Vec::new();
    if findings.target.expect == Expect::Connect {
        let asked = findings.target.scheme == Some(Scheme::Http);
        says.extend(asked.then(|| "a HEAD request was sent".into()));
        says.push(match (&conversation.greeting, conversation.broke) {
            (Some(greeting), _) => text!("it says {}", quoted(greeting)),
            (None, Some(_)) if asked => "the other side ended the connection without an answer".into(),
            (None, Some(_)) => "the other side ended the connection at once".into(),
            (None, None) if asked => "it says nothing".into(),
            (None, None) => "it says nothing first, as many services do".into(),
        });
    }
    for exchange in &conversation.exchanges {
        says.push(exchange_line(exchange));
        says.extend(exchange.got.as_ref().map(|got| text!("it sent {}", quoted(got))));
    }
    says.extend(conversation.recognised.clone().map(|protocol| text!("recognised: {}", protocol)));
    let bad = |exchange: &Exchange| exchange.result != Answer::Identical;
    let state = match conversation.exchanges.iter().find(|exchange| bad(exchange)) {
        Some(exchange) if exchange.is_only_the_end() => State::Warn,
        Some(_) => State::Fail,
        None if !conversation.fits(findings.target.scheme) => State::Fail,
        None => State::Pass,
    };
    Step::new(seen, state, says).took(conversation.took_us)
}

fn exchange_line(exchange: &Exchange) -> Text {
    let what = exchange.what.words();
    let bytes = &plain(grouped(exchange.sent_bytes as u64));
    let got = plain(count(exchange.got_bytes as u64, "byte"));
    let reads = if exchange.reads == 1 { "1 read".into() } else { text!("{} reads", exchange.reads) };
    match exchange.result {
        Answer::Identical => {
            text!("{}: {} bytes, identical, {}, {}", what, bytes, reads, short_time(exchange.took_us))
        }
        Answer::LineEndings => {
            text!("{}: {} bytes, came back with {}", what, bytes, LineEnds::words(exchange.line_ends))
        }
        Answer::Altered { at } => {
            text!("{}: {} bytes, byte {} came back changed", what, bytes, plain(grouped(at as u64 + 1)))
        }
        Answer::Added { bytes: more, .. } => {
            text!("{}: {} bytes, all came back, and {} more", what, bytes, plain(count(more as u64, "byte")))
        }
        Answer::Different => text!("{}: {} bytes, something else came back", what, bytes),
        Answer::Silent { .. } if exchange.is_whole() => {
            text!(
                "{}: {} bytes, all came back, and no end behind them in {}",
                what,
                bytes,
                short_time(exchange.took_us)
            )
        }
        Answer::Silent { acknowledged } => {
            let tcp = match acknowledged {
                Some(true) => "; the other machine acknowledged them (TCP)",
                Some(false) => "; not even acknowledged (TCP)",
                None => "",
            };
            text!(
                "{}: {} bytes, {} came back in {}{}",
                what,
                bytes,
                if exchange.got_bytes == 0 {
                    "nothing".into()
                } else {
                    text!("only {}", plain(grouped(exchange.got_bytes as u64)))
                },
                short_time(exchange.took_us),
                tcp
            )
        }
        Answer::Closed => text!("{}: the other side closed after {}", what, got),
        Answer::Reset => text!("{}: the connection was reset after {}", what, got),
    }
}

pub(super) fn timing(findings: &Findings) -> Step {
    let Some(timing) = &findings.timing else { return Step::skipped(Seen::Timing(None)) };
    let mut parts = Vec::new();
    if let (Some(min), Some(p50), Some(p99)) = (timing.min_us, timing.p50_us, timing.p99_us) {
        let jitter = timing.jitter_us.map(|jitter| text!(", jitter {}", short_time(jitter)));
        parts.push(text!(
            "{} round trips: min {}, p50 {}, p99 {}{}",
            timing.round_trips,
            short_time(min),
            short_time(p50),
            short_time(p99),
            jitter
        ));
    }
    parts.push(text!(
        "the kernel's round-trip time {}, segments sent again: {}",
        short_time(timing.kernel_rtt_us),
        timing.segments_sent_again
    ));
    let state = if timing.segments_sent_again > 0 { State::Warn } else { State::Pass };
    let step = Step::new(Seen::Timing(Some(timing.clone())), state, parts);
    // Where nothing may be sent, nothing took any time.
    if timing.round_trips == 0 { step } else { step.took(timing.took_us) }
}
