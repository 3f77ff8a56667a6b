//! What was sent and has not come back yet, compared with what does.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Instant;

use memchr::{memchr_iter, memrchr};
use serde::Serialize;

use super::round_trip::RoundTrips;

/// A place in what was sent. Lines and bytes in them count from 1, as editors and `cmp` count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) byte: u64,
    /// Bytes before it, from the start of the conversation.
    pub(super) offset: u64,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, byte: 1, offset: 0 };

    /// The place after `bytes`, which stood here.
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        let offset = self.offset + bytes.len() as u64;
        match memrchr(b'\n', bytes) {
            Some(last) => {
                let line = self.line + memchr_iter(b'\n', bytes).count() as u64;
                Self { line, byte: (bytes.len() - last) as u64, offset }
            }
            None => Self { byte: self.byte + bytes.len() as u64, offset, ..self },
        }
    }
}

/// The bytes that were sent and have not come back, capped; and when they were sent.
#[derive(Debug)]
pub(super) struct Window {
    sent: VecDeque<u8>,
    capacity: usize,
    /// One for each send, oldest first.
    sends: VecDeque<Send>,
    /// Of the first byte in `sent`.
    position: Position,
}

#[derive(Debug)]
struct Send {
    at: Instant,
    /// Bytes of it that are not back yet; never 0.
    left: usize,
}

impl Window {
    /// More sends than this do not wait at once: tiny sends would cost more in bookkeeping than in bytes.
    const MAX_SENDS: usize = 64 * 1024;

    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self {
            sent: VecDeque::new(),
            capacity: capacity.get(),
            sends: VecDeque::new(),
            position: Position::START,
        }
    }

    /// How many bytes the next [`Window::push`] may hold.
    pub(super) fn room(&self) -> usize {
        if self.sends.len() == Self::MAX_SENDS { 0 } else { self.capacity - self.sent.len() }
    }

    /// Bytes that have not come back.
    pub(super) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Where the first byte stands that has not come back.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// Takes bytes that are sent next; call it before the send, so that no answer can be faster.
    ///
    /// # Panics
    /// If there is no [`Window::room`] for them.
    pub(super) fn push(&mut self, bytes: &[u8], now: Instant) {
        assert!(bytes.len() <= self.room(), "the window is full");
        if !bytes.is_empty() {
            self.sent.extend(bytes);
            self.sends.push_back(Send { at: now, left: bytes.len() });
        }
    }

    /// Compares what came back; returns how many bytes of it are as they were sent and takes those out.
    ///
    /// Less than `received.len()` means that byte differs, or that nothing more was sent.
    pub(super) fn accept(&mut self, received: &[u8], now: Instant, round_trips: &mut RoundTrips) -> usize {
        let (front, back) = self.sent.as_slices();
        let mut same = same_prefix(front, received);
        if same == front.len() {
            same += same_prefix(back, &received[same..]);
        }
        let same_bytes = &received[..same];
        self.position = self.position.after(same_bytes);
        self.sent.drain(..same);
        self.take_sends(same_bytes, now, round_trips);
        same
    }

    /// The first bytes that have not come back, at most `max`.
    pub(super) fn peek(&self, max: usize) -> Vec<u8> {
        self.sent.iter().take(max).copied().collect()
    }

    fn take_sends(&mut self, mut returned: &[u8], now: Instant, round_trips: &mut RoundTrips) {
        while !returned.is_empty() {
            let send = self.sends.front_mut().expect("every byte in the window belongs to a send");
            let (its, later) = returned.split_at(send.left.min(returned.len()));
            let lines = memchr_iter(b'\n', its).count() as u64;
            round_trips.record(now.saturating_duration_since(send.at), lines);
            send.left -= its.len();
            if send.left == 0 {
                self.sends.pop_front();
            }
            returned = later;
        }
    }
}

/// How many bytes at the start of both are the same.
fn same_prefix(sent: &[u8], received: &[u8]) -> usize {
    let len = sent.len().min(received.len());
    let (sent, received) = (&sent[..len], &received[..len]);
    // Equality is one memcmp; only a difference is worth the slower search.
    if sent == received {
        return len;
    }
    sent.iter().zip(received).take_while(|(sent, received)| sent == received).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn window(capacity: usize) -> Window {
        Window::new(NonZeroUsize::new(capacity).unwrap())
    }

    /// Line, byte and offset of each byte, counted one by one.
    fn counted(text: &[u8]) -> Position {
        let mut position = Position::START;
        for &byte in text {
            position.offset += 1;
            position.byte += 1;
            if byte == b'\n' {
                (position.line, position.byte) = (position.line + 1, 1);
            }
        }
        position
    }

    #[test]
    fn a_different_byte_is_found_by_line_and_byte() {
        let (mut window, mut trips) = (window(64), RoundTrips::new());
        let now = Instant::now();
        window.push(b"one\ntwo\nthree\n", now);
        assert_eq!(window.accept(b"one\ntwo\nthrEe\n", now, &mut trips), 11);
        assert_eq!(window.position(), Position { line: 3, byte: 4, offset: 11 });
        assert_eq!(window.peek(10), b"ee\n");
    }

    #[test]
    fn bytes_beyond_what_was_sent_are_not_accepted() {
        let (mut window, mut trips) = (window(64), RoundTrips::new());
        let now = Instant::now();
        assert_eq!(window.accept(b"220 hello", now, &mut trips), 0);
        window.push(b"a\n", now);
        assert_eq!(window.accept(b"a\nb", now, &mut trips), 2);
        assert_eq!(window.len(), 0);
    }

    #[test]
    fn a_line_takes_the_time_since_its_own_send() {
        let (mut window, mut trips) = (window(64), RoundTrips::new());
        let start = Instant::now();
        let ms = Duration::from_millis;
        window.push(b"one\ntw", start);
        window.push(b"o\n", start + ms(10));
        window.accept(b"one\ntwo", start + ms(20), &mut trips);
        window.accept(b"\n", start + ms(40), &mut trips);
        let summary = trips.summary().unwrap();
        assert_eq!((summary.lines, summary.min, summary.max), (2, ms(20), ms(30)));
    }

    #[test]
    fn a_full_window_has_no_room() {
        let mut window = window(4);
        window.push(b"abcd", Instant::now());
        assert_eq!(window.room(), 0);
        window.accept(b"ab", Instant::now(), &mut RoundTrips::new());
        assert_eq!(window.room(), 2);
    }

    #[test]
    fn many_tiny_sends_fill_the_window_too() {
        let mut window = window(1 << 20);
        for _ in 0..Window::MAX_SENDS {
            window.push(b"x", Instant::now());
        }
        assert_eq!(window.room(), 0);
    }

    proptest! {
        /// Sends and receives in any order and size: all is accepted, counted and timed as a plain count says.
        #[test]
        fn an_echo_in_any_segmentation_is_accepted_whole(
            text in prop::collection::vec(prop::sample::select(b"ab\n\0\xff".to_vec()), 0..400),
            sizes in prop::collection::vec((1..40_usize, 1..40_usize), 1..40),
        ) {
            let (mut window, mut trips) = (window(64), RoundTrips::new());
            let now = Instant::now();
            let (mut sent, mut back) = (0, 0);
            for (send, receive) in sizes.into_iter().cycle().take(2000) {
                let send = send.min(window.room()).min(text.len() - sent);
                window.push(&text[sent..sent + send], now);
                sent += send;
                let receive = receive.min(sent - back);
                prop_assert_eq!(window.accept(&text[back..back + receive], now, &mut trips), receive);
                back += receive;
                prop_assert_eq!(window.position(), counted(&text[..back]));
                prop_assert_eq!(window.len(), sent - back);
            }
            prop_assert_eq!(back, text.len());
            let lines = text.iter().filter(|&&byte| byte == b'\n').count() as u64;
            prop_assert_eq!(trips.summary().map_or(0, |summary| summary.lines), lines);
        }
    }
}
