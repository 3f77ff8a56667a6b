//! The framer: cuts a byte stream into lines. It does no I/O.

use std::num::NonZeroUsize;

use memchr::{memchr, memrchr};

/// The limit a caller takes who has no reason for another: 64 KiB, LF included.
pub const DEFAULT_MAX_LINE: NonZeroUsize = NonZeroUsize::new(64 * 1024).expect("is not zero");

/// The smallest allocation for a held line, so that a line typed byte by byte does not grow it often.
const FIRST_HELD: usize = 256;

/// What [`Framer::next_line`] or [`Framer::next_batch`] found at the start of the input.
///
/// Every number counts bytes taken from the start of the input; the caller offers the rest again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Cut {
    /// `input[..n]` is whole: one line from `next_line`, one or more from `next_batch`. Nothing was held.
    Lines(usize),
    /// The held bytes ([`Framer::take_held`]) and then `input[..n]` are whole: one line from `next_line`, one or
    /// more from `next_batch`. The held bytes must be taken before the next call.
    HeldLines(usize),
    /// A line longer than the limit, or one that was [released](Framer::release): the held bytes, if any, and then
    /// `input[..n]` belong to it. The held bytes must be taken before the next call. It goes on in further cuts of
    /// this kind until one ends with LF.
    OverLong(usize),
    /// The input has no LF; all of it was copied aside and is held. Also the answer to an empty input.
    Partial,
}

/// Cuts a byte stream, however it is segmented, into lines of at most `max_line` bytes.
///
/// LF ends a line and belongs to it. CR is data, as is every other byte. A line of exactly `max_line` bytes, LF
/// included, is a line; as soon as `max_line` bytes lack an LF, the line is over-long and passes through in
/// pieces, so that memory stays bounded.
///
/// Each byte is looked at once, and copied at most once (only bytes of an unfinished line are), so the cost is
/// O(bytes) in any segmentation.
///
/// The contract: each call gets the bytes that follow what the last call took. Bytes not taken are offered again,
/// with or without more behind them.
///
/// ```
/// use echoline::line::{Cut, DEFAULT_MAX_LINE, Framer};
///
/// let mut framer = Framer::new(DEFAULT_MAX_LINE);
/// let input = b"one\ntwo\r\nthr";
/// assert_eq!(framer.next_batch(input), Cut::Lines(9)); // one, two
/// assert_eq!(framer.next_batch(&input[9..]), Cut::Partial); // "thr" is held
///
/// let input = b"ee\nfour\n";
/// assert_eq!(framer.next_line(input), Cut::HeldLines(3));
/// assert_eq!(framer.take_held(), b"thr");
/// assert_eq!(framer.next_line(&input[3..]), Cut::Lines(5));
/// assert_eq!(framer.finish(), b""); // no unfinished tail
/// ```
#[derive(Debug)]
pub struct Framer {
    max_line: usize,
    /// The unfinished line: it has no LF and is shorter than `max_line`.
    held: Vec<u8>,
    /// How many bytes at the start of the coming input are known to have no LF. At most `max_line`.
    clear: usize,
    /// Inside an over-long line whose LF has not come yet.
    passing: bool,
    /// The last cut asks the caller to take `held`.
    must_take: bool,
}

impl Framer {
    /// A framer for lines of at most `max_line` bytes, LF included.
    pub fn new(max_line: NonZeroUsize) -> Self {
        Self { max_line: max_line.get(), held: Vec::new(), clear: 0, passing: false, must_take: false }
    }

    /// Cuts one line off the start of `input`.
    pub fn next_line(&mut self, input: &[u8]) -> Cut {
        self.check_taken();
        if self.passing {
            return self.pass(input, 0);
        }
        let (clear, window) = self.window(input, self.held.len());
        match memchr(b'\n', &window[clear..]) {
            Some(at) => {
                self.clear = 0;
                self.whole(clear + at + 1)
            }
            None => self.hold_or_pass(input, window.len()),
        }
    }

    /// Cuts every whole line off the start of `input`, in one scan from its end.
    ///
    /// The cut stops before an over-long line, so each line in it keeps the limit. The lines are not told apart:
    /// [`count_lines`] counts them for who wants to know.
    pub fn next_batch(&mut self, input: &[u8]) -> Cut {
        self.check_taken();
        if self.passing {
            return self.pass(input, 0);
        }
        let mut taken = 0;
        loop {
            // A line is within the limit if it starts and ends in one window of `max_line` bytes. So the last LF
            // of the window vouches for every line before it, and the next window starts behind it.
            let before = if taken == 0 { self.held.len() } else { 0 };
            let (clear, window) = self.window(&input[taken..], before);
            match memrchr(b'\n', &window[clear..]) {
                Some(at) => {
                    let end = clear + at + 1;
                    taken += end;
                    self.clear = window.len() - end;
                    if taken + self.clear == input.len() {
                        return self.whole(taken);
                    }
                }
                None if taken == 0 => return self.hold_or_pass(input, window.len()),
                None => {
                    self.clear = window.len();
                    return self.whole(taken);
                }
            }
        }
    }

    /// The bytes of the unfinished line, or of the line that the last cut completed until they are taken.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Takes the held bytes and their memory. Empty when nothing was held.
    pub fn take_held(&mut self) -> Vec<u8> {
        self.must_take = false;
        std::mem::take(&mut self.held)
    }

    /// Gives up holding: returns the start of the unfinished line, and its rest passes as that of an over-long one.
    /// For who is short of memory. Empty, and without effect, when nothing is held.
    ///
    /// ```
    /// use echoline::line::{Cut, DEFAULT_MAX_LINE, Framer};
    ///
    /// let mut framer = Framer::new(DEFAULT_MAX_LINE);
    /// assert_eq!(framer.next_batch(b"so f"), Cut::Partial);
    /// assert_eq!(framer.release(), b"so f");
    /// assert_eq!(framer.next_batch(b"ar\nnext\n"), Cut::OverLong(3)); // the next line is held again
    /// ```
    pub fn release(&mut self) -> Vec<u8> {
        self.check_taken();
        self.passing |= !self.held.is_empty();
        self.take_held()
    }

    /// The memory in bytes that holding takes; 0 when nothing is held.
    pub fn held_memory(&self) -> usize {
        self.held.capacity()
    }

    /// True between the first piece of an over-long line and its LF.
    pub fn in_over_long(&self) -> bool {
        self.passing
    }

    /// Ends the stream: returns the unfinished last line, without LF, empty if there is none. The framer is as new.
    ///
    /// Of an over-long line nothing is left to return: its pieces have passed.
    pub fn finish(&mut self) -> Vec<u8> {
        self.clear = 0;
        self.passing = false;
        self.take_held()
    }

    /// The part of `input` in which a line must end that has `before` bytes already, and how many bytes at its
    /// start are known to have no LF.
    fn window<'a>(&self, input: &'a [u8], before: usize) -> (usize, &'a [u8]) {
        let window = &input[..input.len().min(self.max_line - before)];
        // Bytes that were seen and are not offered again break the contract; then nothing is known.
        (if self.clear <= window.len() { self.clear } else { 0 }, window)
    }

    fn whole(&mut self, taken: usize) -> Cut {
        if self.held.is_empty() {
            return Cut::Lines(taken);
        }
        self.must_take = true;
        Cut::HeldLines(taken)
    }

    /// The first `clear` bytes of `input`, all that may still belong to a line within the limit, have no LF.
    fn hold_or_pass(&mut self, input: &[u8], clear: usize) -> Cut {
        if self.held.len() + clear == self.max_line {
            return self.pass(input, clear);
        }
        self.clear = 0;
        self.hold(input);
        Cut::Partial
    }

    /// Hands an over-long line on. The first `clear` bytes of `input` have no LF.
    fn pass(&mut self, input: &[u8], clear: usize) -> Cut {
        self.clear = 0;
        if input.is_empty() {
            return Cut::Partial;
        }
        let end = memchr(b'\n', &input[clear..]);
        self.passing = end.is_none();
        self.must_take = !self.held.is_empty();
        Cut::OverLong(end.map_or(input.len(), |at| clear + at + 1))
    }

    /// Grows by doubling, so that many small pieces cost O(bytes), but never above the limit.
    fn hold(&mut self, input: &[u8]) {
        let needed = self.held.len() + input.len();
        if needed > self.held.capacity() {
            let roomy = needed.max(2 * self.held.capacity()).max(FIRST_HELD).min(self.max_line);
            self.held.reserve_exact(roomy - self.held.len());
        }
        self.held.extend_from_slice(input);
    }

    fn check_taken(&self) {
        assert!(!self.must_take, "the held bytes of the last cut were not taken");
    }
}

/// How many lines end in `bytes`: the number of LF.
pub fn count_lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
