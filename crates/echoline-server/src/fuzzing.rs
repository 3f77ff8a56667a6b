//! For the fuzz targets alone: what is private and reads bytes of others. No part of the interface.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::config::MinProgress;
use crate::session::bench::{Bench, Kind, Op, RECEIVE};

/// A session under the events of a script. The first four bytes choose the service, the limit of a line, the cap of
/// pending output and the least progress; the next is how many bytes of script follow, each an event; the rest is what
/// the client says.
///
/// # Panics
/// When the session breaks a promise.
pub fn session(bytes: &[u8]) {
    let [kind, max_line, cap, least, steps, rest @ ..] = bytes else { return };
    let (script, input) = rest.split_at(rest.len().min((*steps).into()));
    let kind = match kind % 7 {
        0 => Kind::Echo,
        1 => Kind::EchoClose,
        2 => Kind::Bytes,
        3 => Kind::Twice,
        4 => Kind::Nibble,
        5 => Kind::Thinker,
        _ => Kind::Taster(1 + usize::from(kind / 7)),
    };
    let bench = Bench::new(kind, 1 + usize::from(*max_line), 1 + usize::from(*cap), input);
    let bench = match NonZeroU64::new((*least).into()) {
        Some(bytes) => bench.with_min_progress(MinProgress { bytes, interval: Duration::from_secs(3) }),
        None => bench,
    };
    bench.play(script.iter().map(|step| op(*step)));
}

/// The upper bits choose the event, the lower ones how much of it.
fn op(step: u8) -> Op {
    let much = usize::from(step & 0x1f);
    match step >> 5 {
        0 | 1 => Op::Arrive { bytes: 1 + much % RECEIVE, late: false },
        2 => Op::Arrive { bytes: 1 + much % RECEIVE, late: true },
        3 => Op::Sent(much * 100 / 0x1f),
        4 => Op::Writable,
        5 => Op::Computed,
        6 => Op::Pass(Duration::from_millis(200 * much as u64)),
        _ => match much {
            0..16 => Op::Sent(100),
            16..20 => Op::SentNothing,
            20..24 => Op::Relieve,
            24..28 => Op::EndOfInput,
            28..30 => Op::Finish,
            _ => Op::Broken,
        },
    }
}
