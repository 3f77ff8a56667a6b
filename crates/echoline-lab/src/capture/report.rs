//! What TCP did so that a stream arrived whole, from captures at both ends of a bad link.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::packet::Segment;

/// The data segments of one direction of one conversation: what happened to them between two places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamReport {
    /// Bytes of the stream, each counted once.
    pub bytes: u64,
    /// Data segments that the sender sent.
    pub sent: u64,
    /// Of these, those with bytes that it had sent before.
    pub sent_again: u64,
    /// Segments that did not arrive, or not as they were sent.
    pub lost: u64,
    /// Arrivals beyond what was sent: copies that the link made.
    pub duplicated: u64,
    /// Segments that arrived above a gap: the receiver held them back until it was filled.
    pub held_back: u64,
    /// The most bytes that were held back at one time.
    pub most_held_bytes: u64,
    /// Arrivals with nothing new, which the receiver threw away.
    pub arrived_in_vain: u64,
    /// Bytes that arrived in order, or whose gap was filled: what the reader of the socket could get.
    pub delivered_bytes: u64,
}

impl StreamReport {
    /// Compares what passed at the sender's end with what passed at the receiver's end, each in the order of its
    /// capture. Both hold one direction of one conversation; segments without data are skipped.
    ///
    /// Nothing between the two places may cut up or join segments: the offloads are off on an impaired link.
    pub fn of<'a, 'b>(
        sent: impl IntoIterator<Item = Segment<'a>>,
        arrived: impl IntoIterator<Item = Segment<'b>>,
    ) -> Self {
        let mut report = Self::default();
        let mut stream = Sent::default();
        for segment in sent {
            stream.add(&segment, &mut report);
        }
        let mut receiver = Receiver { next: 0, held: BTreeMap::new() };
        for segment in arrived.into_iter().filter(|s| !s.payload.is_empty()) {
            // What is not known was altered on its way; the receiver's checksum throws it away.
            let Some((position, count)) = stream.segments.get_mut(&identity(&segment)) else { continue };
            count.arrived += 1;
            receiver.take(*position, segment.payload.len() as u64, &mut report);
        }
        for (_, count) in stream.segments.values() {
            report.lost += count.sent.saturating_sub(count.arrived);
            report.duplicated += count.arrived.saturating_sub(count.sent);
        }
        report.delivered_bytes = receiver.next;
        report
    }
}

impl fmt::Display for StreamReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} bytes in {} segments", self.bytes, self.sent)?;
        writeln!(f, "{} segments lost by the link, {} copies made by it", self.lost, self.duplicated)?;
        writeln!(f, "{} segments sent again", self.sent_again)?;
        writeln!(
            f,
            "{} segments held back until a gap was filled, at most {} bytes at a time",
            self.held_back, self.most_held_bytes
        )?;
        writeln!(f, "{} segments arrived with nothing new", self.arrived_in_vain)?;
        write!(f, "{} bytes delivered in order", self.delivered_bytes)
    }
}

#[derive(Debug, Default)]
struct Count {
    sent: u64,
    arrived: u64,
}

/// What was sent: each distinct segment, with its place in the stream. 64 bits, so that a stream of more than
/// 4 GiB does not meet itself.
#[derive(Debug, Default)]
struct Sent {
    first: Option<u32>,
    segments: HashMap<u64, (u64, Count)>,
}

impl Sent {
    fn add(&mut self, segment: &Segment<'_>, report: &mut StreamReport) {
        if segment.payload.is_empty() {
            return;
        }
        let first = *self.first.get_or_insert(segment.seq);
        // How far it lies from the highest byte so far, over the wrap of 32 bits.
        let highest = first.wrapping_add(report.bytes as u32);
        let distance = i64::from(segment.seq.wrapping_sub(highest).cast_signed());
        let position = report.bytes.saturating_add_signed(distance);
        report.sent += 1;
        report.sent_again += u64::from(position < report.bytes);
        report.bytes = report.bytes.max(position + segment.payload.len() as u64);
        let known = self.segments.entry(identity(segment)).or_insert((position, Count::default()));
        known.1.sent += 1;
    }
}

/// The receiver's side of RFC 9293 section 3.4: what it can hand over, and what waits above a gap.
struct Receiver {
    next: u64,
    /// Disjoint ranges above `next`.
    held: BTreeMap<u64, u64>,
}

impl Receiver {
    fn take(&mut self, from: u64, length: u64, report: &mut StreamReport) {
        let to = from + length;
        if to <= self.next || self.holds(from, to) {
            report.arrived_in_vain += 1;
            return;
        }
        if from > self.next {
            report.held_back += 1;
            self.hold(from, to);
            let bytes = self.held.iter().map(|(from, to)| to - from).sum();
            report.most_held_bytes = report.most_held_bytes.max(bytes);
            return;
        }
        self.next = to;
        while let Some(first) = self.held.first_entry().filter(|first| *first.key() <= self.next) {
            self.next = self.next.max(first.remove());
        }
    }

    fn holds(&self, from: u64, to: u64) -> bool {
        self.held.range(..=from).next_back().is_some_and(|(_, end)| *end >= to)
    }

    /// Adds a range, joined with those that it touches.
    fn hold(&mut self, mut from: u64, mut to: u64) {
        while let Some((&start, &end)) = self.held.range(..=to).next_back().filter(|(_, end)| **end >= from) {
            self.held.remove(&start);
            (from, to) = (from.min(start), to.max(end));
        }
        self.held.insert(from, to);
    }
}

/// What is the same at both ends of a link, and differs for what is sent again (later, in another IPv4 packet).
fn identity(segment: &Segment<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (segment.seq, segment.ack, segment.flags, segment.ip_id, segment.timestamp).hash(&mut hasher);
    segment.payload.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment(seq: u32, id: u16, payload: &[u8]) -> Segment<'_> {
        let address = "192.0.2.1:1".parse().expect("an address");
        Segment {
            src: address,
            dst: address,
            flags: super::super::Flags { ack: true, ..Default::default() },
            seq,
            ack: 1,
            window: 1000,
            mss: None,
            timestamp: None,
            ttl: 64,
            ip_id: Some(id),
            payload,
        }
    }

    #[test]
    fn a_lost_segment_holds_back_those_behind_it_until_it_is_sent_again() {
        let base = u32::MAX - 14; // the stream crosses the wrap
        let piece = |n: u32, id: u16| segment(base.wrapping_add(10 * n), id, b"0123456789");
        let sent = [piece(0, 1), piece(1, 2), piece(2, 3), piece(3, 4), piece(1, 5)];
        let arrived = [piece(0, 1), piece(2, 3), piece(3, 4), piece(1, 5)];
        let report = StreamReport::of(sent, arrived);
        let expected = StreamReport {
            bytes: 40,
            sent: 5,
            sent_again: 1,
            lost: 1,
            held_back: 2,
            most_held_bytes: 20,
            delivered_bytes: 40,
            ..StreamReport::default()
        };
        assert_eq!(report, expected);
    }

    #[test]
    fn a_copy_and_an_altered_segment_are_told_from_what_was_sent() {
        let sent = [segment(1, 1, b"aaaa"), segment(5, 2, b"bbbb"), segment(5, 3, b"bbbb")];
        let arrived =
            [segment(1, 1, b"aaaa"), segment(1, 1, b"aaaa"), segment(5, 2, b"bXbb"), segment(5, 3, b"bbbb")];
        let report = StreamReport::of(sent, arrived);
        assert_eq!((report.lost, report.duplicated, report.sent_again), (1, 1, 1));
        assert_eq!((report.arrived_in_vain, report.delivered_bytes), (1, 8));
    }

    #[test]
    fn a_copy_of_what_is_held_back_is_in_vain() {
        let sent = [segment(1, 1, b"aaaa"), segment(5, 2, b"bbbb")];
        let arrived = [segment(5, 2, b"bbbb"), segment(5, 2, b"bbbb"), segment(1, 1, b"aaaa")];
        let report = StreamReport::of(sent, arrived);
        assert_eq!((report.held_back, report.most_held_bytes, report.arrived_in_vain), (1, 4, 1));
    }

    proptest! {
        /// Any arrivals of a stream deliver what is whole from its beginning, and hold what is not.
        #[test]
        fn the_receiver_delivers_exactly_the_whole_beginning(arrivals in proptest::collection::vec((0u64..200, 1u64..40), 0..60)) {
            let mut receiver = Receiver { next: 0, held: BTreeMap::new() };
            let (mut report, mut seen) = (StreamReport::default(), [false; 256]);
            for (from, length) in arrivals {
                receiver.take(from, length, &mut report);
                seen[from as usize..(from + length) as usize].fill(true);
                let whole = seen.iter().take_while(|byte| **byte).count();
                let beyond = seen.iter().skip(whole).filter(|byte| **byte).count();
                prop_assert_eq!(receiver.next, whole as u64);
                prop_assert_eq!(receiver.held.iter().map(|(from, to)| to - from).sum::<u64>(), beyond as u64);
            }
        }
    }
}
