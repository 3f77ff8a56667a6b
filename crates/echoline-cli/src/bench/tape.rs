//! The lines that are sent: one prepared cycle, which every connection enters at a place of its own.
//!
//! What connection `c` sends as its `n`th line follows from both numbers, so lost, altered, surplus and swapped lines
//! can be told apart; and both sending and comparing are slices of one buffer, without work per line.

use std::ops::Range;

/// A cycle of different lines, back to back. Line 0 follows the last one.
#[derive(Debug)]
pub(super) struct Tape {
    bytes: Vec<u8>,
    /// Where each line ends in `bytes`; ascending.
    ends: Vec<usize>,
    /// The longest line's length, LF included.
    longest: usize,
}

/// A place on the tape: the next byte, and the line it is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) line: usize,
    pub(super) byte: usize,
}

/// The tape is about this long where lines are short: inside a second-level cache.
const SHORT: u64 = 256 * 1024;
const MOST_LINES: u64 = 1021;
const LEAST_LINES: u64 = 4;

const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Tape {
    /// Lines of `sizes` bytes, LF included, drawn with `seed`. With `in_flight` lines on their way, no two are the same
    /// (from three bytes a line on; shorter ones have too few different contents).
    pub(super) fn new(sizes: &std::ops::RangeInclusive<u32>, in_flight: u32, seed: u64) -> Self {
        let (min, max) = (u64::from(*sizes.start()), u64::from(*sizes.end()));
        assert!(min >= 1 && min <= max, "a line has at least its LF");
        let mean = u64::midpoint(min, max);
        // Different sizes need many lines to show; equal ones only to be told apart.
        let target = if min == max { SHORT } else { 8 * SHORT };
        let lines = (target / mean).clamp(LEAST_LINES, MOST_LINES).max(u64::from(in_flight) + 1);
        let mut random = Random::new(seed);
        let mut tape = Self { bytes: Vec::new(), ends: Vec::new(), longest: 0 };
        for index in 0..lines {
            let size = min + random.below(max - min + 1);
            tape.push_line(index, size, &mut random);
        }
        tape.longest = (0..tape.lines()).map(|n| tape.line(n).len()).max().unwrap_or(0);
        tape
    }

    /// The line's number in base 62, then random digits, then LF.
    fn push_line(&mut self, index: u64, size: u64, random: &mut Random) {
        let mut number = index;
        for place in 1..size {
            let digit = if place <= 3 { number % 62 } else { random.below(62) };
            self.bytes.push(DIGITS[usize::try_from(digit).expect("a digit is below 62")]);
            number /= 62;
        }
        self.bytes.push(b'\n');
        self.ends.push(self.bytes.len());
    }

    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn lines(&self) -> usize {
        self.ends.len()
    }

    /// Where connection `index` starts: neighbours are far apart.
    pub(super) fn entry(&self, connection: usize) -> Cursor {
        self.at(connection.wrapping_mul(389) % self.lines())
    }

    pub(super) fn at(&self, line: usize) -> Cursor {
        Cursor { line, byte: self.range(line).start }
    }

    fn range(&self, line: usize) -> Range<usize> {
        let start = if line == 0 { 0 } else { self.ends[line - 1] };
        start..self.ends[line]
    }

    pub(super) fn line(&self, line: usize) -> &[u8] {
        &self.bytes[self.range(line)]
    }

    /// The line of `cursor`, as far as it lies before the cursor.
    pub(super) fn before(&self, cursor: Cursor) -> &[u8] {
        &self.bytes[self.range(cursor.line).start..cursor.byte]
    }

    /// The number of the line that comes `lines` after `line`.
    pub(super) fn after(&self, line: usize, lines: usize) -> usize {
        (line + lines) % self.lines()
    }

    /// The bytes from `cursor` to the end of the `lines`th line from there (1: the cursor's own), in two pieces where
    /// the tape wraps. At most one cycle.
    pub(super) fn ahead(&self, cursor: Cursor, lines: usize) -> [&[u8]; 2] {
        if lines == 0 {
            return [&[], &[]];
        }
        let last = cursor.line + lines.min(self.lines()) - 1;
        match self.ends.get(last) {
            Some(&end) => [&self.bytes[cursor.byte..end], &[]],
            None => [&self.bytes[cursor.byte..], &self.bytes[..self.ends[last - self.lines()]]],
        }
    }

    /// Moves `cursor` over `bytes` bytes; returns how many line ends it passed.
    pub(super) fn advance(&self, cursor: &mut Cursor, bytes: usize) -> usize {
        let mut target = cursor.byte + bytes;
        let mut passed = 0;
        while target >= self.ends[cursor.line] {
            passed += 1;
            cursor.line += 1;
            if cursor.line == self.lines() {
                cursor.line = 0;
                target -= self.bytes.len();
            }
        }
        cursor.byte = target;
        passed
    }
}

/// A small generator (SplitMix64): the same seed draws the same lines everywhere.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; the bias of the high word is below 2^-32 for the bounds used here.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(bound)) >> 64).expect("the high word fits")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_three_bytes_and_more_are_all_different() {
        for (sizes, in_flight) in [(3..=3, 2000), (64..=64, 1), (1..=512, 16), (1 << 20..=1 << 20, 4)] {
            let tape = Tape::new(&sizes, in_flight, 7);
            let long: Vec<_> =
                (0..tape.lines()).map(|n| tape.line(n)).filter(|line| line.len() >= 4).collect();
            assert_eq!(long.iter().collect::<HashSet<_>>().len(), long.len());
            assert!(tape.lines() > in_flight as usize);
        }
    }

    proptest! {
        #[test]
        fn sizes_are_kept_and_each_line_ends_with_its_only_lf(min in 1..200_u32, more in 0..200_u32, seed: u64) {
            let tape = Tape::new(&(min..=min + more), 3, seed);
            for n in 0..tape.lines() {
                let line = tape.line(n);
                prop_assert!((min as usize..=(min + more) as usize).contains(&line.len()));
                prop_assert_eq!(line.iter().position(|&b| b == b'\n'), Some(line.len() - 1));
            }
        }

        #[test]
        fn a_cursor_reads_the_cycle_however_it_steps(steps in prop::collection::vec(0..400_usize, 1..60), start in 0..50_usize) {
            let tape = Tape::new(&(1..=90), 60, 3);
            let cycle: Vec<u8> = (0..tape.lines()).flat_map(|n| tape.line(n).to_vec()).collect();
            let mut cursor = tape.at(start % tape.lines());
            let mut place = cursor.byte;
            for step in steps {
                let ahead = tape.ahead(cursor, tape.lines()).concat();
                let step = step.min(ahead.len());
                let expected: Vec<u8> = cycle.iter().cycle().skip(place).take(step).copied().collect();
                prop_assert_eq!(&ahead[..step], &expected[..]);
                let passed = tape.advance(&mut cursor, step);
                prop_assert_eq!(passed, expected.iter().filter(|&&b| b == b'\n').count());
                place = (place + step) % cycle.len();
                prop_assert_eq!(cursor.byte, place);
                prop_assert_eq!(tape.before(cursor).len() + tape.ahead(cursor, 1).concat().len(), tape.line(cursor.line).len());
            }
        }
    }
}
