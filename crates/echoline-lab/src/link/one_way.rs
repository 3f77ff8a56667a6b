//! One way of a link as a value: frames and `now` in, frames and the next moment out. No I/O, no clock.
//!
//! A frame first waits until the wire (with a `rate`) has sent those before it, then flies for `delay`,
//! and is due. So a change of the rate holds for everything that has not left yet, and a change of the
//! delay for everything that leaves after it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::time::{Duration, Instant};

use super::settings::LinkSettings;

/// The most bytes that one way holds, whatever its delay: those above are dropped and counted.
pub const MAX_HELD_BYTES: usize = 32 << 20;
const ETHERNET_HEADER: usize = 14;

/// What became of a frame that entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It leaves now, unchanged: send the caller's own bytes. Nothing was copied.
    Passed,
    /// It was taken in and will come out of [`OneWay::due`], perhaps twice, perhaps altered.
    Held,
    /// It is gone.
    Gone,
}

/// What happened to the frames of one way. Always
/// `frames + duplicated == left + lost + dropped_queue + dropped_cut + held`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Frames that entered.
    pub frames: u64,
    /// Their bytes, with Ethernet headers.
    pub bytes: u64,
    /// Frames that left, copies too.
    pub left: u64,
    /// Frames still inside.
    pub held: u64,
    /// Frames lost by `loss` or `lose_text`.
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Frames that left after one that had entered later.
    pub reordered: u64,
    /// Frames with a flipped bit.
    pub corrupted: u64,
    /// Frames and copies for which the queue, or the memory of a long delay, had no room.
    pub dropped_queue: u64,
    /// Frames that a cut link lost, with those that were inside when it was cut.
    pub dropped_cut: u64,
    /// Frames of `left` that the interface refused.
    pub unsent: u64,
    /// Frames that came faster than they could be read, so they never entered.
    pub missed: u64,
}

/// One way of a link.
#[derive(Debug)]
pub struct OneWay {
    settings: LinkSettings,
    random: fastrand::Rng,
    cut: bool,
    counters: Counters,
    /// Not sent yet, in order. Longer than one frame only with a rate.
    waiting: VecDeque<Waiting>,
    /// When the wire has sent the frame that left `waiting` last.
    wire_free: Option<Instant>,
    flying: BinaryHeap<Flying>,
    /// No frame that is not reordered is due before this, so that jitter keeps the order.
    latest_due: Option<Instant>,
    held_bytes: usize,
    next_number: u64,
    highest_left: Option<u64>,
}

#[derive(Debug)]
struct Waiting {
    frame: Vec<u8>,
    number: u64,
    entered: Instant,
    draws: Draws,
}

#[derive(Debug)]
struct Flying {
    frame: Vec<u8>,
    number: u64,
    due: Instant,
}

/// The random numbers of one frame. Each frame takes all of them whatever the settings, so the nth frame of
/// a seed meets the same luck under any settings.
#[derive(Clone, Copy, Debug)]
struct Draws {
    loss: u32,
    duplicate: u32,
    reorder: u32,
    corrupt: u32,
    jitter: u32,
    bit: u64,
}

impl Draws {
    fn next(random: &mut fastrand::Rng) -> Self {
        Self {
            loss: random.u32(..),
            duplicate: random.u32(..),
            reorder: random.u32(..),
            corrupt: random.u32(..),
            jitter: random.u32(..),
            bit: random.u64(..),
        }
    }
}

impl OneWay {
    /// An empty way. The same seed gives the nth frame the same luck.
    pub fn new(settings: LinkSettings, seed: u64) -> Self {
        Self {
            settings,
            random: fastrand::Rng::with_seed(seed),
            cut: false,
            counters: Counters::default(),
            waiting: VecDeque::new(),
            wire_free: None,
            flying: BinaryHeap::new(),
            latest_due: None,
            held_bytes: 0,
            next_number: 0,
            highest_left: None,
        }
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        Counters { held: (self.waiting.len() + self.flying.len()) as u64, ..self.counters }
    }

    /// What it does now.
    pub fn settings(&self) -> &LinkSettings {
        &self.settings
    }

    /// Changes what it does. Frames that fly already keep their moment.
    pub fn set(&mut self, settings: LinkSettings, now: Instant) {
        self.advance(now);
        self.settings = settings;
    }

    /// Cuts the wire, which loses what is inside and all that enters, or mends it.
    pub fn cut(&mut self, cut: bool) {
        self.cut = cut;
        if cut {
            self.counters.dropped_cut += self.counters().held;
            self.waiting.clear();
            self.flying.clear();
            self.held_bytes = 0;
            self.latest_due = None;
            self.wire_free = None;
        }
    }

    /// True while the wire is cut.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Takes an Ethernet frame that arrived at the near end.
    pub fn on_frame(&mut self, frame: &[u8], now: Instant) -> Fate {
        self.advance(now);
        let draws = Draws::next(&mut self.random);
        self.counters.frames += 1;
        self.counters.bytes += frame.len() as u64;
        if self.cut {
            self.counters.dropped_cut += 1;
            return Fate::Gone;
        }
        if self.settings.loss.picks(draws.loss) || self.has_lost_text(frame) {
            self.counters.lost += 1;
            return Fate::Gone;
        }
        let corrupted = self.settings.corrupt.picks(draws.corrupt) && frame.len() > ETHERNET_HEADER;
        let twice = self.settings.duplicate.picks(draws.duplicate);
        if !corrupted && !twice && self.is_open(draws) {
            self.highest_left = Some(self.take_number());
            self.counters.left += 1;
            return Fate::Passed;
        }
        let mut frame = frame.to_vec();
        if corrupted {
            flip_bit(&mut frame[ETHERNET_HEADER..], draws.bit);
            self.counters.corrupted += 1;
        }
        let copy = twice.then(|| frame.clone());
        let kept = self.enqueue(frame, now, draws);
        if let Some(copy) = copy {
            self.counters.duplicated += 1;
            self.enqueue(copy, now, draws);
        }
        self.advance(now);
        if kept { Fate::Held } else { Fate::Gone }
    }

    /// The next frame to send at the far end, while one is due. Call it until it returns `None`.
    pub fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.advance(now);
        if self.flying.peek()?.due > now {
            return None;
        }
        let Flying { frame, number, .. } = self.flying.pop()?;
        self.held_bytes -= frame.len();
        self.counters.left += 1;
        if self.highest_left.is_some_and(|highest| number < highest) {
            self.counters.reordered += 1;
        }
        self.highest_left = self.highest_left.max(Some(number));
        Some(frame)
    }

    /// When to call [`OneWay::due`] next, unless a frame enters before.
    pub fn next_due(&self) -> Option<Instant> {
        let sent = self.waiting.front().map(|head| self.sent_at(head));
        let due = self.flying.peek().map(|first| first.due);
        [sent, due].into_iter().flatten().min()
    }

    /// Counts what only the caller sees: a frame of ours that the interface refused.
    pub(super) fn count_unsent(&mut self) {
        self.counters.unsent += 1;
    }

    /// Counts frames that the kernel dropped before they could be read.
    pub(super) fn count_missed(&mut self, frames: u64) {
        self.counters.missed += frames;
    }

    /// Whether a frame with these draws meets nothing on its way.
    fn is_open(&self, draws: Draws) -> bool {
        let s = &self.settings;
        let undelayed = s.delay.is_zero() && s.jitter.is_zero() && !s.reorder.picks(draws.reorder);
        undelayed && s.rate.is_none() && self.waiting.is_empty() && self.flying.is_empty()
    }

    fn has_lost_text(&self, frame: &[u8]) -> bool {
        match self.settings.lose_text.as_deref() {
            None | Some([]) => false,
            Some(text) => memchr::memmem::find(frame, text).is_some(),
        }
    }

    fn take_number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn enqueue(&mut self, frame: Vec<u8>, now: Instant, draws: Draws) -> bool {
        let full = self.waiting.len() >= self.settings.queue;
        if full || self.held_bytes + frame.len() > MAX_HELD_BYTES {
            self.counters.dropped_queue += 1;
            return false;
        }
        self.held_bytes += frame.len();
        let number = self.take_number();
        self.waiting.push_back(Waiting { frame, number, entered: now, draws });
        // Without a rate it leaves the queue at once, so that a copy finds the same room.
        self.advance(now);
        true
    }

    /// When the wire will have sent the frame at the head of the queue.
    fn sent_at(&self, head: &Waiting) -> Instant {
        let Some(rate) = self.settings.rate else { return head.entered };
        let start = self.wire_free.map_or(head.entered, |free| free.max(head.entered));
        let nanoseconds = (head.frame.len() as u128 * 8 * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
        // At least 1 bit a second and at most 64 KiB a frame: far below u64::MAX.
        start + Duration::from_nanos(nanoseconds as u64)
    }

    /// Lets every frame that the wire has sent by `now` fly.
    fn advance(&mut self, now: Instant) {
        while let Some(head) = self.waiting.front() {
            let sent = self.sent_at(head);
            if sent > now {
                return;
            }
            let Some(Waiting { frame, number, draws, .. }) = self.waiting.pop_front() else { return };
            self.wire_free = Some(sent);
            let due = self.due_at(sent, draws);
            self.flying.push(Flying { frame, number, due });
        }
    }

    fn due_at(&mut self, sent: Instant, draws: Draws) -> Instant {
        let LinkSettings { delay, jitter, hold, reorder, .. } = self.settings;
        let share = f64::from(draws.jitter) / f64::from(u32::MAX);
        let due = sent + (delay + (2 * jitter).mul_f64(share)).saturating_sub(jitter);
        if reorder.picks(draws.reorder) {
            return self.latest_due.map_or(due, |latest| due.max(latest)) + hold;
        }
        let due = self.latest_due.map_or(due, |latest| due.max(latest));
        self.latest_due = Some(due);
        due
    }
}

fn flip_bit(bytes: &mut [u8], draw: u64) {
    let bit = (draw % (bytes.len() as u64 * 8)) as usize;
    bytes[bit / 8] ^= 1 << (bit % 8);
}

impl Ord for Flying {
    /// The heap gives its greatest first: that is the earliest due, of those the first that entered.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for Flying {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flying {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Flying {}

#[cfg(test)]
#[path = "one_way_tests.rs"]
mod tests;
