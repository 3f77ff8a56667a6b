//! The bytes of a conversation, made from a seed as they are needed: whoever sends and whoever compares make them
//! twice instead of keeping them.

use fastrand::Rng;

/// How long the lines of a conversation are: log-uniform, so that every order of magnitude comes up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    pub(super) shortest: u64,
    pub(super) longest: u64,
}

/// A stream of lines of which every byte depends on the seed and on its place: a byte that is altered, lost, doubled,
/// swapped or of another conversation is noticed.
#[derive(Debug, Clone)]
pub(super) struct Content {
    key: u64,
    /// Bytes made so far.
    at: u64,
    total: u64,
    /// Where the line under way ends, its LF included.
    line_end: u64,
    ends_with_newline: bool,
    lengths: Lengths,
    rng: Rng,
    lines_begun: u64,
    lines_whole: u64,
}

impl Content {
    pub(super) fn new(key: u64, total: u64, lengths: Lengths, ends_with_newline: bool) -> Self {
        let rng = Rng::with_seed(key);
        Self {
            key,
            at: 0,
            total,
            line_end: 0,
            ends_with_newline,
            lengths,
            rng,
            lines_begun: 0,
            lines_whole: 0,
        }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes that are still to be made.
    pub(super) fn left(&self) -> u64 {
        self.total - self.at
    }

    pub(super) fn is_inside_line(&self) -> bool {
        self.at < self.line_end
    }

    pub(super) fn lines_begun(&self) -> u64 {
        self.lines_begun
    }

    /// Lines made to their LF.
    pub(super) fn lines_whole(&self) -> u64 {
        self.lines_whole
    }

    /// Appends at most `limit` bytes of one line to `to`.
    pub(super) fn append(&mut self, to: &mut Vec<u8>, limit: usize) {
        if self.left() == 0 || limit == 0 {
            return;
        }
        if !self.is_inside_line() {
            let length = log_uniform(&mut self.rng, self.lengths.shortest, self.lengths.longest);
            self.line_end = (self.at + length).min(self.total);
            self.lines_begun += 1;
        }
        let end = self.line_end.min(self.at.saturating_add(limit as u64));
        while self.at < end {
            let within = (self.at % 8) as usize;
            let word = word(self.key, self.at / 8);
            let taken = (8 - within).min((end - self.at) as usize);
            to.extend_from_slice(&word[within..within + taken]);
            self.at += taken as u64;
        }
        if self.at == self.line_end && (self.line_end < self.total || self.ends_with_newline) {
            self.lines_whole += 1;
            if let Some(last) = to.last_mut() {
                *last = b'\n';
            }
        }
    }

    /// Appends up to `limit` bytes to `to`, over as many lines as it takes.
    pub(super) fn append_lines(&mut self, to: &mut Vec<u8>, limit: usize) {
        let wanted = to.len() + limit;
        while to.len() < wanted && self.left() > 0 {
            let room = wanted - to.len();
            self.append(to, room);
        }
    }
}

/// Eight bytes of every value but LF, by the place of the word (the generator splitmix64).
fn word(key: u64, index: u64) -> [u8; 8] {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let mut bits = key.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let mut bytes = bits.to_le_bytes();
    // The usual test of a word for a zero byte, here for LF: most words hold none.
    let without = bits ^ (LOW * u64::from(b'\n'));
    if without.wrapping_sub(LOW) & !without & (LOW << 7) != 0 {
        for byte in &mut bytes {
            if *byte == b'\n' {
                *byte = b'\r';
            }
        }
    }
    bytes
}

/// A number between `low` and `high` whose logarithm is uniform.
pub(super) fn log_uniform(rng: &mut Rng, low: u64, high: u64) -> u64 {
    let (from, to) = ((low.max(1) as f64).ln(), (high.max(1) as f64 + 1.0).ln());
    ((from + rng.f64() * (to - from)).exp() as u64).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut content: Content, piece: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while content.left() > 0 {
            content.append(&mut bytes, piece);
        }
        bytes
    }

    #[test]
    fn the_pieces_in_which_it_is_made_change_no_byte() {
        let content = Content::new(7, 50_000, Lengths { shortest: 1, longest: 999 }, true);
        let whole = all(content.clone(), usize::MAX);
        assert_eq!(whole.len(), 50_000);
        for piece in [1, 7, 8, 4096] {
            assert!(all(content.clone(), piece) == whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn there_are_as_many_newlines_as_whole_lines() {
        for ends_with_newline in [true, false] {
            let lengths = Lengths { shortest: 1, longest: 300 };
            let mut content = Content::new(3, 20_000, lengths, ends_with_newline);
            let mut bytes = Vec::new();
            content.append_lines(&mut bytes, usize::MAX / 2);
            let newlines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(content.lines_whole(), newlines);
            assert_eq!(content.lines_begun(), newlines + u64::from(!ends_with_newline));
            assert_eq!(bytes.last() == Some(&b'\n'), ends_with_newline);
        }
    }

    #[test]
    fn every_byte_value_comes_up() {
        let bytes = all(Content::new(1, 100_000, Lengths { shortest: 1, longest: 999 }, true), 4096);
        assert!((0..=u8::MAX).all(|value| bytes.contains(&value)));
    }

    #[test]
    fn another_key_is_another_stream() {
        let of = |key| all(Content::new(key, 64, Lengths { shortest: 64, longest: 64 }, false), 64);
        assert_ne!(of(1), of(2));
    }
}
