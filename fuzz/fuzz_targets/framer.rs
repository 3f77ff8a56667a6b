//! Any stream, in any segmentation, with one line or a batch asked for in any order: each cut is what the whole
//! stream says it must be.
//!
//! The first byte is the limit of a line (0: 1000), the second how many bytes of script follow. Each byte of the
//! script is one call: the top bit asks for a batch, the rest is how many more bytes have arrived before it. 127 has the
//! framer release what it holds.

#![no_main]

use std::num::NonZeroUsize;

use echoline::line::{Cut, Framer, count_lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [limit, steps, rest @ ..] = bytes else { return };
    let max_line = if *limit == 0 { 1000 } else { usize::from(*limit) };
    let (script, stream) = rest.split_at(rest.len().min((*steps).into()));
    let framer = Framer::new(NonZeroUsize::new(max_line).expect("not zero"));
    let mut bench = Bench { framer, max_line, stream, at: 0, offered: 0 };
    for step in script {
        if *step == 127 {
            bench.release();
            continue;
        }
        bench.offered = stream.len().min(bench.offered + usize::from(step & 0x7f));
        bench.cut(step & 0x80 != 0);
    }
    bench.offered = stream.len();
    while bench.cut(steps % 2 == 0) {}
    bench.finish();
});

struct Bench<'a> {
    framer: Framer,
    max_line: usize,
    stream: &'a [u8],
    /// So many bytes have come out; those held come next.
    at: usize,
    /// So many bytes have arrived.
    offered: usize,
}

impl<'a> Bench<'a> {
    /// One call and its judgement. False if all that has arrived is held.
    fn cut(&mut self, batch: bool) -> bool {
        let held = self.framer.held().len();
        assert!(held < self.max_line);
        let input = &self.stream[self.at + held..self.offered];
        let in_over_long = self.framer.in_over_long();
        let cut = if batch { self.framer.next_batch(input) } else { self.framer.next_line(input) };
        match cut {
            Cut::Partial => {
                let unfinished = &self.stream[self.at..self.offered];
                assert!(in_over_long || self.framer.held() == unfinished);
                assert!(!in_over_long || (input.is_empty() && self.framer.held().is_empty()));
                assert!(!unfinished.contains(&b'\n') && unfinished.len() < self.max_line);
                return false;
            }
            Cut::Lines(taken) => {
                assert_eq!(held, 0, "nothing was held");
                self.judge_lines(taken, batch);
            }
            Cut::HeldLines(taken) => {
                assert_ne!(held, 0, "something was held");
                let lines = self.judge_lines(held + taken, batch);
                assert!(lines.starts_with(&self.framer.take_held()));
            }
            Cut::OverLong(taken) => {
                let piece = &self.stream[self.at..self.at + held + taken];
                assert!(piece.starts_with(&self.framer.take_held()));
                let window = &self.stream[self.at..self.stream.len().min(self.at + self.max_line)];
                assert!(in_over_long || !window.contains(&b'\n'), "the line is within the limit");
                assert!(in_over_long || piece.len() >= self.max_line, "too early to know");
                let lines = count_lines(piece);
                assert_eq!(
                    (lines, piece.ends_with(b"\n")),
                    if self.framer.in_over_long() { (0, false) } else { (1, true) }
                );
                self.at += piece.len();
            }
        }
        true
    }

    /// So many bytes came out as whole lines.
    fn judge_lines(&mut self, len: usize, batch: bool) -> &'a [u8] {
        let bytes = &self.stream[self.at..self.at + len];
        assert!(bytes.ends_with(b"\n"));
        assert!(bytes.split_inclusive(|byte| *byte == b'\n').all(|line| line.len() <= self.max_line));
        self.at += len;
        if batch {
            // Nothing whole is left, unless it is above the limit.
            let next = self.stream[self.at..self.offered].iter().position(|byte| *byte == b'\n');
            assert!(next.is_none_or(|at| at >= self.max_line), "a whole line was left");
        } else {
            assert_eq!(count_lines(bytes), 1);
        }
        bytes
    }

    fn release(&mut self) {
        let (held, passing) = (self.framer.held().to_vec(), self.framer.in_over_long());
        assert_eq!(self.framer.release(), held);
        assert_eq!(held, self.stream[self.at..self.at + held.len()]);
        assert_eq!((self.framer.in_over_long(), self.framer.held_memory()), (passing || !held.is_empty(), 0));
        self.at += held.len();
    }

    fn finish(mut self) {
        let in_over_long = self.framer.in_over_long();
        let tail = self.framer.finish();
        assert_eq!(tail, if in_over_long { &[][..] } else { &self.stream[self.at..] });
        assert_eq!(self.framer.next_batch(b"\n"), Cut::Lines(1), "the framer is as new");
    }
}
