//! One direction of a TCP conversation, as seen from one place.

use std::collections::VecDeque;

use super::packet::Segment;

/// Gaps remembered; a conversation with more is told with the newest of them.
const MAX_GAPS: usize = 64;
/// Segments in which a copy is sought.
const RECENT: usize = 64;

/// What a segment is to those before it. Sequence numbers are relative: the first byte of data is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It follows what was seen.
    Next,
    /// It takes no sequence number: a bare ACK or RST.
    Bare,
    /// The very frame was seen before: the link made a copy.
    Copy,
    /// Its bytes were seen before, in another frame.
    Again,
    /// Bytes before it have not been seen.
    AfterGap { from: u32, to: u32 },
    /// It fills a gap. `again` if its clock says that it was sent after what it follows.
    Fills { again: bool },
    /// No byte, at an old place: sent to see if the peer is there (RFC 9293 section 3.8.4).
    KeepAlive,
}

/// What was seen of one direction.
#[derive(Debug)]
pub(super) struct Half {
    /// The sequence number of the SYN.
    base: u32,
    /// Behind the highest byte seen.
    next: u32,
    /// Ranges below `next` that were not seen.
    gaps: VecDeque<(u32, u32)>,
    recent: VecDeque<Identity>,
    timestamp: Option<u32>,
    last_ack: Option<u32>,
}

/// What two frames have in common only if one is a copy of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u32, u32, u32, Option<u16>, Option<u32>);

impl Identity {
    fn of(s: &Segment<'_>) -> Self {
        Self(s.seq, s.end(), s.ack, s.ip_id, s.timestamp)
    }
}

impl Half {
    /// Begins with the first segment seen: a SYN, or the middle of a conversation that was there before.
    pub(super) fn new(first: &Segment<'_>) -> Self {
        let base = if first.flags.syn { first.seq } else { first.seq.wrapping_sub(1) };
        let (gaps, recent) = (VecDeque::new(), VecDeque::new());
        Self { base, next: first.seq, gaps, recent, timestamp: None, last_ack: None }
    }

    /// A sequence number, counted from the SYN.
    pub(super) fn relative(&self, seq: u32) -> u32 {
        seq.wrapping_sub(self.base)
    }

    /// Whether this bare ACK says what the one before said: something is still missing over there.
    pub(super) fn acks_again(&mut self, segment: &Segment<'_>) -> bool {
        let again = self.last_ack == Some(segment.ack) && segment.payload.is_empty();
        self.last_ack = Some(segment.ack);
        again
    }

    /// Places a segment and remembers it.
    pub(super) fn place(&mut self, segment: &Segment<'_>) -> Place {
        let (seq, end) = (segment.seq, segment.end());
        let distance = seq.wrapping_sub(self.next).cast_signed();
        if seq == end {
            let probe = distance == -1 && segment.flags.ack && !segment.flags.rst;
            return if probe { Place::KeepAlive } else { Place::Bare };
        }
        let identity = Identity::of(segment);
        // Only IPv4 tells a copy from what was sent again in the same millisecond; 0 is on every SYN ACK.
        let is_copy = segment.ip_id.is_some_and(|id| id != 0) && self.recent.contains(&identity);
        self.recent.push_back(identity);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        let place = match distance {
            _ if is_copy => Place::Copy,
            0 => Place::Next,
            1.. => self.open_gap(seq),
            _ if self.fills(seq, end) => {
                self.fill(seq, end);
                let again = matches!((segment.timestamp, self.timestamp), (Some(this), Some(highest))
                    if this.wrapping_sub(highest).cast_signed() > 0);
                Place::Fills { again }
            }
            _ => Place::Again,
        };
        if end.wrapping_sub(self.next).cast_signed() > 0 {
            self.next = end;
            self.timestamp = segment.timestamp;
        }
        place
    }

    fn open_gap(&mut self, seq: u32) -> Place {
        self.gaps.push_back((self.next, seq));
        if self.gaps.len() > MAX_GAPS {
            self.gaps.pop_front();
        }
        Place::AfterGap { from: self.relative(self.next), to: self.relative(seq) }
    }

    fn fills(&self, seq: u32, end: u32) -> bool {
        self.gaps.iter().any(|gap| overlaps(*gap, (seq, end)))
    }

    /// Takes `seq..end` out of the gaps; what is left of a gap on either side stays one.
    fn fill(&mut self, seq: u32, end: u32) {
        let mut left = VecDeque::with_capacity(self.gaps.len());
        for (from, to) in self.gaps.drain(..) {
            if !overlaps((from, to), (seq, end)) {
                left.push_back((from, to));
                continue;
            }
            left.extend(is_before(from, seq).then_some((from, seq)));
            left.extend(is_before(end, to).then_some((end, to)));
        }
        left.truncate(MAX_GAPS);
        self.gaps = left;
    }
}

/// Whether `a` comes before `b`, over the wrap (RFC 9293 section 3.4).
fn is_before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() < 0
}

fn overlaps(a: (u32, u32), b: (u32, u32)) -> bool {
    is_before(a.0, b.1) && is_before(b.0, a.1)
}
