//! Services that think in lines: the adapter owns the framer.

use std::num::NonZeroUsize;

use echoline::line::{Cut, Framer};

use crate::service::{Out, Peer, Service};
use crate::stats::Ending;

/// A conversation in lines. [`Lines`] makes a [`Service`] of it.
pub trait LineService: Send {
    /// The connection is open: the place for a greeting.
    fn on_open(&mut self, _peer: &Peer, _out: &mut Out<'_>) {}

    /// A line arrived, with its LF; a CR before it is data. The last line of a client that finished without
    /// an LF arrives without one.
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>);

    /// A line is longer than the limit, or than the server has memory for now, and the conversation ends after what is
    /// written here.
    fn on_long_line(&mut self, _out: &mut Out<'_>) {}

    /// The job that was begun with [`Out::compute`] is done. No line arrives before.
    fn on_computed(&mut self, _result: Vec<u8>, _out: &mut Out<'_>) {}
}

/// Cuts what arrives into lines for a [`LineService`]. A line longer than the limit ends the conversation.
#[derive(Debug)]
pub struct Lines<S> {
    framer: Framer,
    service: S,
}

impl<S: LineService> Lines<S> {
    /// Lines of at most `max_line` bytes, LF included.
    pub fn new(max_line: NonZeroUsize, service: S) -> Self {
        Self { framer: Framer::new(max_line), service }
    }

    /// Ends the conversation in the middle of a line.
    fn refuse(&mut self, reason: Ending, out: &mut Out<'_>) {
        self.framer.take_held();
        // The first reason stands, whatever the service ends with.
        out.finish_as(reason);
        self.service.on_long_line(out);
    }
}

impl<S: LineService> Service for Lines<S> {
    fn on_open(&mut self, peer: &Peer, out: &mut Out<'_>) {
        self.service.on_open(peer, out);
    }

    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
        let mut at = 0;
        while at < input.len() && !out.is_finished() {
            if (at > 0 && out.is_full()) || out.is_computing() {
                return at;
            }
            let rest = &input[at..];
            match self.framer.next_line(rest) {
                Cut::Partial => break,
                Cut::OverLong(_) => self.refuse(Ending::LongLine, out),
                Cut::Lines(taken) => {
                    out.count_lines(1);
                    self.service.on_line(&rest[..taken], out);
                    at += taken;
                }
                Cut::HeldLines(taken) => {
                    out.count_lines(1);
                    let mut line = self.framer.take_held();
                    line.extend_from_slice(&rest[..taken]);
                    self.service.on_line(&line, out);
                    at += taken;
                }
            }
        }
        input.len()
    }

    fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
        self.service.on_computed(result, out);
    }

    fn on_finish(&mut self, out: &mut Out<'_>) {
        let tail = self.framer.finish();
        if !tail.is_empty() && !out.is_finished() {
            self.service.on_line(&tail, out);
        }
    }

    fn held(&self) -> usize {
        self.framer.held_memory()
    }

    fn on_pressure(&mut self, out: &mut Out<'_>) {
        if self.held() > 0 {
            self.refuse(Ending::Memory, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Output;

    /// Says each line back; thinks about `think`, and ends with `quit`.
    struct Says;

    impl LineService for Says {
        fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
            out.write(line);
            match line {
                b"think\n" => out.compute(Vec::new),
                b"quit\n" => out.finish(),
                _ => {}
            }
        }
    }

    #[test]
    fn lines_are_taken_until_the_output_is_full_or_a_job_is_under_way_and_one_at_least() {
        for (cap, waiting, input, taken, said) in [
            (100, "", "a\nb\nc", 5, "a\nb\n"),
            (3, "", "a\nb\nc\nd\n", 4, "a\nb\n"),
            (4, "", "a\nb\nc\nd\n", 4, "a\nb\n"),
            (5, "", "a\nb\nc\nd\n", 6, "a\nb\nc\n"),
            (3, "full", "a\nb\n", 2, "fulla\n"),
            (100, "", "a\nthink\nb\n", 8, "a\nthink\n"),
            (100, "", "quit\na\nb\n", 9, "quit\n"),
        ] {
            let mut output = Output::new(cap);
            Out::new(&mut output, &[], false).write(waiting.as_bytes());
            let mut lines = Lines::new(NonZeroUsize::new(10).unwrap(), Says);
            let mut out = Out::new(&mut output, input.as_bytes(), false);
            assert_eq!(lines.on_input(input.as_bytes(), &mut out), taken, "{input:?} at {cap}");
            let batch = output.take_batch(0..0, &[]).expect("something was said");
            assert_eq!(batch.held, said.as_bytes());
        }
    }

    #[test]
    fn the_end_of_input_ends_an_unfinished_line_unless_there_is_none_or_all_is_said() {
        struct Brackets;
        impl LineService for Brackets {
            fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
                out.write(&[b"[", line, b"]"].concat());
            }
        }
        for (input, finished, said) in
            [("a\nb", false, "[a\n][b]"), ("a\n", false, "[a\n]"), ("a\nb", true, "[a\n]")]
        {
            let mut output = Output::new(100);
            let mut lines = Lines::new(NonZeroUsize::new(10).unwrap(), Brackets);
            lines.on_input(input.as_bytes(), &mut Out::new(&mut output, input.as_bytes(), false));
            let mut out = Out::new(&mut output, &[], false);
            if finished {
                out.finish();
            }
            lines.on_finish(&mut out);
            assert_eq!(output.take_batch(0..0, &[]).expect("an answer").held, said.as_bytes());
        }
    }

    #[test]
    fn memory_is_taken_only_from_who_holds_a_part_of_a_line() {
        for (input, ends) in [("a\n", false), ("a\nb", true)] {
            let mut output = Output::new(100);
            let mut lines = Lines::new(NonZeroUsize::new(10).unwrap(), Says);
            lines.on_input(input.as_bytes(), &mut Out::new(&mut output, input.as_bytes(), false));
            let mut out = Out::new(&mut output, &[], false);
            lines.on_pressure(&mut out);
            assert_eq!(out.is_finished(), ends, "{input:?}");
        }
    }
}
