//! Compares what comes back with what was sent, byte for byte, and says how it differs.
//!
//! The usual case is one comparison of slices. After a difference the bytes are cut into lines, and each line is looked
//! for among those on their way: it may be early (others were lost or overtaken), late, or nobody's (altered or surplus).

use std::collections::VecDeque;

use super::tape::{Cursor, Tape};

/// What was wrong, in lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// Sent and never echoed.
    pub(super) lost: u64,
    /// Echoed with other bytes.
    pub(super) altered: u64,
    /// Received and never sent.
    pub(super) surplus: u64,
    /// Echoed unchanged, after a line that was sent later.
    pub(super) swapped: u64,
}

impl Faults {
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.altered += other.altered;
        self.surplus += other.surplus;
        self.swapped += other.swapped;
    }

    pub(super) fn total(&self) -> u64 {
        self.lost + self.altered + self.surplus + self.swapped
    }
}

/// The state of one connection's comparison.
#[derive(Debug)]
pub(super) struct Verifier {
    expected: Cursor,
    /// Lines sent (wholly or in part) and not yet answered.
    on_their_way: usize,
    trouble: Option<Box<Trouble>>,
}

/// Exists from the first difference on.
#[derive(Debug, Default)]
struct Trouble {
    faults: Faults,
    /// Received bytes of a line that has not ended yet and is not the expected one.
    partial: Vec<u8>,
    /// The partial line was too long to be kept; only its end matters now.
    over_long: bool,
    /// Bytes that were not the expected ones, since a line was answered last.
    foreign: u64,
    /// Lines that were overtaken, oldest first; lost unless they still come.
    overtaken: VecDeque<usize>,
    /// Lines taken as answered by altered ones, oldest first; if one still comes, what was received was surplus.
    replaced: VecDeque<usize>,
}

/// How many overtaken or replaced lines are remembered; older ones keep the verdict they have.
const REMEMBERED: usize = 256;

/// So many bytes that answer no line do not end: far more than a server holds back.
const ENDLESS: u64 = 16 << 20;

impl Verifier {
    pub(super) fn new(start: Cursor) -> Self {
        Self { expected: start, on_their_way: 0, trouble: None }
    }

    /// Says that `lines` more are being sent.
    pub(super) fn sending(&mut self, lines: usize) {
        self.on_their_way += lines;
    }

    pub(super) fn on_their_way(&self) -> usize {
        self.on_their_way
    }

    /// The next byte of the answers.
    pub(super) fn expected(&self) -> Cursor {
        self.expected
    }

    /// Takes what was received; returns how many of the lines on their way it answers, oldest first (an altered or a
    /// lost line counts as answered here, and as a fault).
    pub(super) fn received(&mut self, tape: &Tape, mut input: &[u8]) -> usize {
        let before = self.on_their_way;
        while !input.is_empty() {
            if self.trouble.as_ref().is_none_or(|trouble| trouble.partial.is_empty() && !trouble.over_long) {
                let same = self.same(tape, input);
                let answered = tape.advance(&mut self.expected, same);
                self.on_their_way -= answered;
                if let (Some(trouble), 1..) = (&mut self.trouble, answered) {
                    trouble.foreign = 0;
                }
                input = &input[same..];
                if input.is_empty() {
                    break;
                }
            }
            input = self.differing(tape, input);
        }
        before - self.on_their_way
    }

    /// How many bytes of `input` are what is expected next.
    fn same(&self, tape: &Tape, input: &[u8]) -> usize {
        let mut same = 0;
        for piece in tape.ahead(self.expected, self.on_their_way) {
            let rest = &input[same..];
            let length = piece.len().min(rest.len());
            if piece[..length] != rest[..length] {
                return same + piece.iter().zip(rest).take_while(|(a, b)| a == b).count();
            }
            same += length;
        }
        same
    }

    /// Takes bytes up to the end of a line that is not the expected one; returns the rest.
    fn differing<'a>(&mut self, tape: &Tape, input: &'a [u8]) -> &'a [u8] {
        let trouble = self.trouble.get_or_insert_default();
        if trouble.partial.is_empty() && !trouble.over_long {
            // What this line shared with the expected one.
            trouble.partial.extend_from_slice(tape.before(self.expected));
            self.expected = tape.at(self.expected.line);
        }
        let end = input.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        let piece = &input[..end.unwrap_or(input.len())];
        trouble.foreign += piece.len() as u64;
        if trouble.partial.len() + piece.len() > tape.longest() {
            trouble.over_long = true;
            trouble.partial.clear();
        } else if !trouble.over_long {
            trouble.partial.extend_from_slice(piece);
        }
        if end.is_some() {
            let line = std::mem::take(&mut trouble.partial);
            let over_long = std::mem::take(&mut trouble.over_long);
            self.judge(tape, if over_long { None } else { Some(&line) });
        }
        &input[piece.len()..]
    }

    /// Judges one whole line that is not the next one (`None`: longer than any that was sent).
    fn judge(&mut self, tape: &Tape, line: Option<&[u8]>) {
        let next = self.expected.line;
        let early = (0..self.on_their_way).find(|&n| Some(tape.line(tape.after(next, n))) == line);
        let trouble = self.trouble.get_or_insert_default();
        let known = |list: &VecDeque<usize>| list.iter().position(|&n| Some(tape.line(n)) == line);
        if let Some(skipped) = early {
            for n in 0..skipped {
                remember(&mut trouble.overtaken, tape.after(next, n));
            }
            trouble.faults.lost += skipped as u64;
            self.answered(tape, skipped + 1);
        } else if let Some(at) = known(&trouble.overtaken) {
            trouble.overtaken.remove(at);
            trouble.faults.lost -= 1;
            trouble.faults.swapped += 1;
        } else if let Some(at) = known(&trouble.replaced) {
            trouble.replaced.remove(at);
            trouble.faults.altered -= 1;
            trouble.faults.surplus += 1;
        } else if self.on_their_way == 0 {
            trouble.faults.surplus += 1;
        } else {
            trouble.faults.altered += 1;
            remember(&mut trouble.replaced, next);
            self.answered(tape, 1);
        }
    }

    fn answered(&mut self, tape: &Tape, lines: usize) {
        self.expected = tape.at(tape.after(self.expected.line, lines));
        self.on_their_way -= lines;
        self.trouble.get_or_insert_default().foreign = 0;
    }

    /// The faults so far. Lines still on their way are none.
    pub(super) fn faults(&self) -> Faults {
        self.trouble.as_ref().map_or_else(Faults::default, |trouble| trouble.faults)
    }

    /// The other side sends without being asked, and nothing shows that it will end.
    pub(super) fn is_endless(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.foreign > ENDLESS)
    }

    /// The faults when nothing more will come: what is on its way is lost; an unfinished line that is not the expected
    /// one is an altered or a surplus line.
    pub(super) fn close(&mut self, tape: &Tape) -> Faults {
        if self.trouble.as_ref().is_some_and(|trouble| trouble.over_long || !trouble.partial.is_empty()) {
            self.judge(tape, None);
        }
        let mut faults = self.faults();
        faults.lost += self.on_their_way as u64;
        self.on_their_way = 0;
        faults
    }
}

fn remember(list: &mut VecDeque<usize>, line: usize) {
    if list.len() == REMEMBERED {
        list.pop_front();
    }
    list.push_back(line);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tape() -> Tape {
        Tape::new(&(12..=12), 64, 1)
    }

    fn lines(tape: &Tape, numbers: std::ops::Range<usize>) -> Vec<Vec<u8>> {
        numbers.map(|n| tape.line(n % tape.lines()).to_vec()).collect()
    }

    /// Sends `count` lines, receives `echoed` in pieces of `piece` bytes; the faults at the end.
    fn verdict(tape: &Tape, count: usize, echoed: &[Vec<u8>], piece: usize) -> (usize, Faults) {
        let mut verifier = Verifier::new(tape.at(0));
        verifier.sending(count);
        let mut answered = 0;
        for chunk in echoed.concat().chunks(piece) {
            answered += verifier.received(tape, chunk);
        }
        (answered, verifier.close(tape))
    }

    proptest! {
        #[test]
        fn an_exact_echo_has_no_fault_in_any_segmentation(pieces in prop::collection::vec(1..70_usize, 1..80), depth in 1..20_usize) {
            let tape = Tape::new(&(1..=40), 20, 9);
            let mut verifier = Verifier::new(tape.entry(5));
            let mut sent = tape.entry(5);
            let mut wire = Vec::new();
            for piece in pieces {
                let room = depth - verifier.on_their_way();
                wire.extend(tape.ahead(sent, room).concat());
                sent = tape.at(tape.after(sent.line, room));
                verifier.sending(room);
                let rest = wire.split_off(piece.min(wire.len()));
                let ended = wire.iter().filter(|&&byte| byte == b'\n').count();
                prop_assert_eq!(verifier.received(&tape, &wire), ended);
                wire = rest;
            }
            prop_assert_eq!(verifier.faults(), Faults::default());
        }

        #[test]
        fn each_kind_of_fault_is_told_from_the_others(at in 0..19_usize, piece in 1..300_usize, byte in 0..11_usize) {
            let tape = tape();
            let sent = lines(&tape, 0..20);
            let mut lossy = sent.clone();
            lossy.remove(at);
            prop_assert_eq!(verdict(&tape, 20, &lossy, piece).1, Faults { lost: 1, ..Faults::default() });
            let mut altered = sent.clone();
            altered[at][byte] ^= 0x80;
            prop_assert_eq!(verdict(&tape, 20, &altered, piece), (20, Faults { altered: 1, ..Faults::default() }));
            let mut more = sent.clone();
            more.insert(at, b"surplus\n".to_vec());
            prop_assert_eq!(verdict(&tape, 20, &more, piece), (20, Faults { surplus: 1, ..Faults::default() }));
            let mut twice = sent.clone();
            twice.insert(at, sent[at].clone());
            prop_assert_eq!(verdict(&tape, 20, &twice, piece), (20, Faults { surplus: 1, ..Faults::default() }));
            let mut swapped = sent.clone();
            swapped.swap(at, at + 1);
            prop_assert_eq!(verdict(&tape, 20, &swapped, piece), (20, Faults { swapped: 1, ..Faults::default() }));
        }

        #[test]
        fn hostile_bytes_never_stop_it_and_are_never_free_of_faults(noise in prop::collection::vec(any::<u8>(), 1..4000), piece in 1..999_usize) {
            let tape = tape();
            let (answered, faults) = verdict(&tape, 8, &[noise], piece);
            prop_assert!(answered <= 8);
            prop_assert!(faults.total() > 0);
        }
    }

    #[test]
    fn lines_of_another_connection_are_surplus_or_altered_not_accepted() {
        let tape = tape();
        let mut verifier = Verifier::new(tape.entry(0));
        verifier.sending(2);
        let foreign = tape.line(tape.entry(1).line).to_vec();
        assert_eq!(verifier.received(&tape, &foreign), 1);
        assert_eq!(verifier.faults(), Faults { altered: 1, ..Faults::default() });
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let tape = tape();
        let mut verifier = Verifier::new(tape.at(0));
        verifier.sending(1);
        for _ in 0..1000 {
            verifier.received(&tape, &[b'x'; 4096]);
        }
        assert!(verifier.trouble.as_ref().unwrap().partial.capacity() < 8192);
        assert_eq!(verifier.close(&tape), Faults { altered: 1, ..Faults::default() });
    }
}
