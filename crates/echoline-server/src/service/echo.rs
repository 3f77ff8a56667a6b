//! The echo services: what arrives goes back, byte for byte.

use std::num::NonZeroUsize;
use std::sync::Arc;

use echoline::line::{Cut, Framer, count_lines};

use crate::config::LongLines;
use crate::service::{Instance, Out, Service};
use crate::stats::Ending;

/// Sends every line back once it is whole, and at the end of input what is left of one.
#[derive(Debug)]
pub(crate) struct Echo {
    framer: Framer,
    long_lines: LongLines,
    /// Until the first input: whoever asks `whoami` about it wants to know that it came.
    unread: Option<Arc<Instance>>,
}

impl Echo {
    pub(crate) fn new(max_line: NonZeroUsize, long_lines: LongLines) -> Self {
        Self { framer: Framer::new(max_line), long_lines, unread: None }
    }

    /// The first input is noted there.
    pub(crate) fn noted_by(self, instance: Arc<Instance>) -> Self {
        Self { unread: Some(instance), ..self }
    }
}

impl Service for Echo {
    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
        if let Some(instance) = self.unread.take() {
            instance.note(input);
        }
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            let goes_on = self.framer.in_over_long();
            let end = match self.framer.next_batch(rest) {
                Cut::Partial => break,
                Cut::OverLong(_) if self.long_lines == LongLines::Close => {
                    self.framer.take_held();
                    out.finish_as(Ending::LongLine);
                    break;
                }
                Cut::Lines(taken) => at + taken,
                cut @ (Cut::HeldLines(taken) | Cut::OverLong(taken)) => {
                    if !goes_on && matches!(cut, Cut::OverLong(_)) {
                        out.count_long_line();
                    }
                    out.write_vec(self.framer.take_held());
                    at + taken
                }
            };
            out.count_lines(count_lines(&input[at..end]) as u64);
            out.echo(at..end);
            at = end;
        }
        input.len()
    }

    fn on_finish(&mut self, out: &mut Out<'_>) {
        out.write_vec(self.framer.finish());
    }

    fn held(&self) -> usize {
        self.framer.held_memory()
    }

    fn on_pressure(&mut self, out: &mut Out<'_>) {
        match self.long_lines {
            LongLines::Pass => out.write_vec(self.framer.release()),
            LongLines::Close => {
                self.framer.take_held();
                out.finish_as(Ending::Memory);
            }
        }
    }
}

/// Sends every byte back as it comes (RFC 862).
#[derive(Debug, Default)]
pub(crate) struct EchoBytes {
    /// As in [`Echo`].
    unread: Option<Arc<Instance>>,
}

impl EchoBytes {
    /// The first input is noted there.
    pub(crate) fn noted_by(self, instance: Arc<Instance>) -> Self {
        Self { unread: Some(instance) }
    }
}

impl Service for EchoBytes {
    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
        if let Some(instance) = self.unread.take() {
            instance.note(input);
        }
        out.echo(0..input.len());
        input.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Output;

    #[test]
    fn the_first_input_alone_is_noted_for_whoami() {
        const MAX_LINE: NonZeroUsize = NonZeroUsize::new(100).unwrap();
        type NotedBy = fn(Arc<Instance>) -> Box<dyn Service>;
        let echoes: [NotedBy; 2] = [
            |instance| Box::new(Echo::new(MAX_LINE, LongLines::Pass).noted_by(instance)),
            |instance| Box::new(EchoBytes::default().noted_by(instance)),
        ];
        for echo in echoes {
            let instance = Arc::new(Instance::new());
            let mut echo = echo(Arc::clone(&instance));
            for (nonce, reached) in [(1, Some(true)), (2, Some(false))] {
                let line = format!("echoline check {nonce:016x}\n");
                let mut output = Output::new(100);
                let taken = echo.on_input(line.as_bytes(), &mut Out::new(&mut output, line.as_bytes(), true));
                assert_eq!((taken, instance.reached(nonce)), (line.len(), reached));
            }
        }
    }
}
