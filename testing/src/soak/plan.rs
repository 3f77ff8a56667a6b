//! What one conversation will do, decided by its seed before it begins.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use super::content::{Content, Lengths, log_uniform};

/// The services that the server runs; a plan names one by its place.
pub(super) const SERVICES: [&str; 2] = ["echo", "echo-bytes"];

/// The server's limit of a line that it holds: lines around it are frequent.
const MAX_LINE: u64 = 64 * 1024;
/// No line is longer, nor is a conversation.
const LONGEST: u64 = 4 * 1024 * 1024;
/// No conversation takes more writes, reads or round trips than a small multiple of this.
const STEPS: u64 = 4 * 1024;

/// How a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// FIN right after the last byte, then everything is read to the server's FIN.
    FinishAtOnce,
    /// FIN once everything came back, then the server's FIN.
    FinishAfterAll,
    /// Closed once everything came back; nobody waits for the server's FIN.
    CloseAfterAll,
    /// Closed in the middle, whatever is unread.
    CloseAt(Moment),
    /// Reset in the middle (SO_LINGER 0).
    ResetAt(Moment),
}

/// A moment of a conversation. Zero bytes is right after the connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Sent(u64),
    Received(u64),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    /// Once so many bytes have gone this way.
    pub(super) at: u64,
    pub(super) time: Duration,
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Index into [`SERVICES`].
    pub(super) service: usize,
    pub(super) key: u64,
    pub(super) total: u64,
    pub(super) lengths: Lengths,
    /// Lines that may be on their way.
    pub(super) depth: u64,
    /// Bytes of one write, at most, and in how many slices (writev(2)).
    pub(super) write: usize,
    pub(super) slices: usize,
    /// Bytes of one read, at most.
    pub(super) read: usize,
    /// In order of `at`.
    pub(super) write_pauses: Vec<Pause>,
    pub(super) read_pauses: Vec<Pause>,
    pub(super) no_delay: bool,
    /// SO_RCVBUF in bytes, where it is not left to the kernel.
    pub(super) receive_buffer: Option<usize>,
    pub(super) end: End,
}

impl Plan {
    pub(super) fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let write = log_uniform(&mut rng, 1, 1024 * 1024);
        let read = log_uniform(&mut rng, 1, 256 * 1024);
        let longest = match rng.u32(0..4) {
            0 => rng.u64(MAX_LINE - 2..=MAX_LINE + 2),
            _ => log_uniform(&mut rng, 1, LONGEST),
        };
        let shortest = if rng.bool() { longest } else { log_uniform(&mut rng, 1, longest) };
        let depth = if rng.u32(0..3) == 0 { 1 } else { log_uniform(&mut rng, 1, 100_000) };
        let most = LONGEST.min(write.min(read).min(shortest * depth) * STEPS);
        // One line at least, where the steps allow it.
        let total = log_uniform(&mut rng, shortest.min(most), most);
        let end = end(&mut rng, total);
        Self {
            service: usize::from(rng.u32(0..4) == 0),
            key: rng.u64(..),
            total,
            lengths: Lengths { shortest, longest },
            depth,
            write: write as usize,
            slices: rng.usize(1..=16),
            read: read as usize,
            write_pauses: pauses(&mut rng, total),
            read_pauses: pauses(&mut rng, total),
            no_delay: rng.bool(),
            receive_buffer: (rng.u32(0..4) == 0).then(|| rng.usize(2048..65536)),
            end,
        }
    }

    /// What is sent, and what must come back.
    pub(super) fn content(&self) -> Content {
        // A rest of a line comes back only after our FIN: who waits for everything first ends with a newline.
        let may_end_without = self.end == End::FinishAtOnce;
        Content::new(self.key, self.total, self.lengths, !may_end_without || self.key.is_multiple_of(2))
    }

    /// A plain conversation, for tests to bend.
    #[cfg(test)]
    pub(super) fn plain(total: u64, end: End) -> Self {
        Self {
            service: 0,
            key: 4711,
            total,
            lengths: Lengths { shortest: 1, longest: 1000 },
            depth: 10,
            write: 4096,
            slices: 3,
            read: 4096,
            write_pauses: Vec::new(),
            read_pauses: Vec::new(),
            no_delay: true,
            receive_buffer: None,
            end,
        }
    }
}

fn end(rng: &mut Rng, total: u64) -> End {
    match rng.u32(0..100) {
        0..40 => End::FinishAtOnce,
        40..60 => End::FinishAfterAll,
        60..65 => End::CloseAfterAll,
        65..72 => End::CloseAt(moment(rng, total)),
        72..92 => End::ResetAt(moment(rng, total)),
        92..96 => End::CloseAt(Moment::Sent(0)),
        _ => End::ResetAt(Moment::Sent(0)),
    }
}

fn moment(rng: &mut Rng, total: u64) -> Moment {
    let bytes = rng.u64(0..=total);
    if rng.bool() { Moment::Sent(bytes) } else { Moment::Received(bytes) }
}

/// None as a rule, a few now and then.
fn pauses(rng: &mut Rng, total: u64) -> Vec<Pause> {
    let number = rng.usize(0..10).saturating_sub(6);
    let mut pauses: Vec<_> = (0..number)
        .map(|_| Pause { at: rng.u64(0..=total), time: Duration::from_millis(log_uniform(rng, 1, 400)) })
        .collect();
    pauses.sort_by_key(|pause| pause.at);
    pauses
}

impl End {
    /// The client breaks the conversation off, and the server may see a reset.
    pub(super) fn breaks_off(self) -> bool {
        matches!(self, Self::CloseAt(_) | Self::ResetAt(_))
    }

    /// The client leaves before it has sent anything.
    pub(super) fn is_at_once(self) -> bool {
        matches!(self, Self::CloseAt(Moment::Sent(0)) | Self::ResetAt(Moment::Sent(0)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent(bytes) => write!(f, "once {bytes} bytes were sent"),
            Self::Received(bytes) => write!(f, "once {bytes} bytes came back"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FinishAtOnce => f.write_str("FIN after the last byte"),
            Self::FinishAfterAll => f.write_str("FIN once all came back"),
            Self::CloseAfterAll => f.write_str("close once all came back"),
            Self::CloseAt(moment) => write!(f, "close {moment}"),
            Self::ResetAt(moment) => write!(f, "reset {moment}"),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} bytes, lines of {} to {}, {} in flight, writes of {} in {} slices, reads of {}{}, {}",
            SERVICES[self.service],
            self.total,
            self.lengths.shortest,
            self.lengths.longest,
            self.depth,
            self.write,
            self.slices,
            self.read,
            self.receive_buffer.map_or_else(String::new, |size| format!(" from a buffer of {size}")),
            self.end
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_plan() {
        assert_eq!(format!("{:?}", Plan::of(5)), format!("{:?}", Plan::of(5)));
        assert_ne!(format!("{:?}", Plan::of(5)), format!("{:?}", Plan::of(6)));
    }

    #[test]
    fn a_thousand_plans_hold_everything_that_is_promised_and_stay_bounded() {
        let plans: Vec<_> = (0..1000).map(Plan::of).collect();
        let some = |holds: fn(&Plan) -> bool| assert!(plans.iter().any(holds));
        some(|plan| plan.write == 1);
        some(|plan| plan.write > 500_000 && plan.slices > 8);
        some(|plan| plan.read == 1);
        some(|plan| plan.lengths.longest == MAX_LINE + 1 && plan.total > MAX_LINE);
        some(|plan| plan.lengths.shortest > 1024 * 1024 && plan.total > 2 * 1024 * 1024);
        some(|plan| plan.depth == 1);
        some(|plan| plan.depth > 1000);
        some(|plan| plan.service == 1);
        some(|plan| plan.end.is_at_once());
        some(|plan| matches!(plan.end, End::ResetAt(Moment::Received(1..))));
        some(|plan| plan.end == End::FinishAtOnce && !plan.read_pauses.is_empty());
        assert!(plans.iter().all(|plan| (1..=LONGEST).contains(&plan.total)));
        let step = |plan: &Plan| (plan.lengths.shortest * plan.depth).min(plan.write.min(plan.read) as u64);
        let steps = |plan: &Plan| plan.total / step(plan);
        assert!(plans.iter().all(|plan| steps(plan) <= STEPS));
    }
}
