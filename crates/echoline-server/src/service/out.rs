//! Where a service puts its answer, and the order in which it leaves.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::ops::Range;

use crate::compute::{Job, Ticket};
use crate::stats::Ending;

/// The most that is allocated ahead for output that grows in small pieces.
const MAX_SPARE: usize = 8 * 1024;

/// Output that has no send yet: bytes of our own, and where a send must end.
///
/// Invariant: `cuts` is ascending, and every cut is above 0 and at most `ready.len()`.
#[derive(Debug)]
pub(crate) struct Output {
    ready: Vec<u8>,
    cuts: VecDeque<usize>,
    /// A boundary stands between the batch that is out and `ready`.
    cut_before: bool,
    /// The service has said its last byte, and why.
    finished: Option<Ending>,
    /// A service that writes more than it reads is asked to pause here.
    cap: usize,
    job: JobState,
}

/// The one job that a session may have.
#[derive(Default)]
enum JobState {
    #[default]
    None,
    /// Begun by the service, not yet taken by the engine.
    Begun(Job),
    /// Until the pool has it there is no ticket.
    UnderWay(Option<Ticket>),
}

impl fmt::Debug for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Begun(_) => "Begun",
            Self::UnderWay(_) => "UnderWay",
        })
    }
}

impl Output {
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            ready: Vec::new(),
            cuts: VecDeque::new(),
            cut_before: false,
            finished: None,
            cap,
            job: JobState::None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.ready.capacity()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Is so much pending that nothing should be added for now?
    pub(crate) fn is_full(&self) -> bool {
        self.ready.len() >= self.cap
    }

    /// Why the conversation ends, once the last byte of ours is in here.
    pub(crate) fn finished(&self) -> Option<Ending> {
        self.finished
    }

    /// The job that the service has begun, for the engine to run.
    pub(crate) fn take_job(&mut self) -> Option<Job> {
        match mem::replace(&mut self.job, JobState::UnderWay(None)) {
            JobState::Begun(job) => Some(job),
            other => {
                self.job = other;
                None
            }
        }
    }

    /// The job that was taken waits for its turn, by this name.
    pub(crate) fn job_queued(&mut self, ticket: Option<Ticket>) {
        self.job = JobState::UnderWay(ticket);
    }

    /// The name of the job that is under way.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        if let JobState::UnderWay(ticket) = self.job { ticket } else { None }
    }

    pub(crate) fn is_computing(&self) -> bool {
        !matches!(self.job, JobState::None)
    }

    pub(crate) fn job_done(&mut self) {
        self.job = JobState::None;
    }

    /// The first reason stands.
    pub(crate) fn finish(&mut self, reason: Ending) {
        self.finished.get_or_insert(reason);
    }

    fn append(&mut self, bytes: &[u8]) {
        let room = self.ready.capacity() - self.ready.len();
        if room < bytes.len() {
            // Doubling would break the promise of what one connection can cost; an exact fit would copy
            // everything for every small piece.
            self.ready.reserve_exact(bytes.len().max(self.ready.len().min(MAX_SPARE)));
        }
        self.ready.extend_from_slice(bytes);
    }

    /// Takes the bytes of the next send, `direct` behind them where no boundary forbids it.
    ///
    /// The bytes move: nothing is ever appended to a `Vec` that the kernel reads.
    pub(crate) fn take_batch(&mut self, direct: Range<usize>, input: &[u8]) -> Option<Batch> {
        let cut = self.cuts.pop_front();
        self.cut_before = cut.is_some();
        match cut {
            None if self.ready.is_empty() && direct.is_empty() => None,
            None => Some(Batch { held: mem::take(&mut self.ready), input: direct }),
            Some(cut) => {
                self.append(&input[direct]);
                let rest = self.ready.split_off(cut);
                for later in &mut self.cuts {
                    *later -= cut;
                }
                Some(Batch { held: mem::replace(&mut self.ready, rest), input: 0..0 })
            }
        }
    }

    /// Puts the unsent rest of a send in front of everything that came after it.
    pub(crate) fn put_back(&mut self, mut held: Vec<u8>, sent: usize, input: &[u8]) {
        let from_held = sent.min(held.len());
        held.drain(..from_held);
        let rest_of_input = &input[sent - from_held..];
        let restored = held.len() + rest_of_input.len();
        if restored == 0 {
            return;
        }
        held.reserve_exact(rest_of_input.len() + self.ready.len());
        held.extend_from_slice(rest_of_input);
        held.append(&mut self.ready);
        self.ready = held;
        for cut in &mut self.cuts {
            *cut += restored;
        }
        if mem::take(&mut self.cut_before) {
            self.cuts.push_front(restored);
        }
    }
}

/// One send: bytes of the session's own, then a range of the receive buffer that was passed in.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) held: Vec<u8>,
    pub(crate) input: Range<usize>,
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.held.len() + self.input.len()
    }
}

/// What a service counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) lines: u64,
    /// Lines longer than the limit that were passed on as they came.
    pub(crate) long_lines: u16,
}

/// Where a service puts its answer to what arrived.
///
/// What is put here leaves in this order. All of it goes out in one write where the kernel takes it,
/// unless [`boundary`](Self::boundary) asks for more.
#[derive(Debug)]
pub struct Out<'a> {
    output: &'a mut Output,
    input: &'a [u8],
    /// The part of `input` that is sent from where it stands, behind everything in `output`.
    direct: Range<usize>,
    may_send_direct: bool,
    tally: Tally,
}

impl<'a> Out<'a> {
    pub(crate) fn new(output: &'a mut Output, input: &'a [u8], may_send_direct: bool) -> Self {
        Self { output, input, direct: 0..0, may_send_direct, tally: Tally::default() }
    }

    /// Sends a range of the input back, without a copy where that is possible.
    ///
    /// # Panics
    /// When the range is not within the input that this call was made with.
    pub fn echo(&mut self, of_input: Range<usize>) {
        assert!(of_input.start <= of_input.end && of_input.end <= self.input.len(), "echo of {of_input:?}");
        if of_input.is_empty() {
            return;
        }
        if !self.may_send_direct {
            self.output.append(&self.input[of_input]);
        } else if self.direct.is_empty() {
            self.direct = of_input;
        } else if self.direct.end == of_input.start {
            self.direct.end = of_input.end;
        } else {
            self.settle();
            self.direct = of_input;
        }
    }

    /// Sends bytes of the service's own.
    pub fn write(&mut self, bytes: &[u8]) {
        self.settle();
        self.output.append(bytes);
    }

    /// Sends bytes of the service's own without copying them where nothing waits before them.
    pub fn write_vec(&mut self, bytes: Vec<u8>) {
        self.settle();
        if self.output.ready.is_empty() {
            self.output.ready = bytes;
        } else {
            self.output.append(&bytes);
        }
    }

    /// Ends a send here: what was put before leaves in a send of its own, before what follows.
    pub fn boundary(&mut self) {
        self.settle();
        let cut = self.output.len();
        if cut == 0 {
            self.output.cut_before = true;
        } else if self.output.cuts.back() != Some(&cut) {
            self.output.cuts.push_back(cut);
        }
    }

    /// Ends the conversation once everything put here has left; later input is read and discarded.
    pub fn finish(&mut self) {
        self.finish_as(Ending::Done);
    }

    pub(crate) fn finish_as(&mut self, reason: Ending) {
        self.output.finish(reason);
    }

    /// Has [`finish`](Self::finish) been called?
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.output.finished.is_some()
    }

    /// Is so much output pending that a service should take no more input for now? Not taking all of the input
    /// is how a service says so.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.output.is_full()
    }

    /// Runs a job where it delays nobody; its result comes back through
    /// [`Service::on_computed`](crate::Service::on_computed).
    ///
    /// # Panics
    /// When a job of this connection is under way already.
    pub fn compute(&mut self, job: impl FnOnce() -> Vec<u8> + Send + 'static) {
        assert!(!self.is_computing(), "a connection has one job at a time");
        self.output.job = JobState::Begun(Box::new(job));
    }

    /// Is a job of this connection under way?
    #[must_use]
    pub fn is_computing(&self) -> bool {
        self.output.is_computing()
    }

    /// Counts lines for the server's statistics.
    pub fn count_lines(&mut self, lines: u64) {
        self.tally.lines += lines;
    }

    /// A line longer than the limit begins to pass.
    pub(crate) fn count_long_line(&mut self) {
        self.tally.long_lines = self.tally.long_lines.saturating_add(1);
    }

    /// Moves the direct range into the output, so that something can follow it.
    fn settle(&mut self) {
        let range = mem::take(&mut self.direct);
        self.output.append(&self.input[range]);
    }

    /// The direct range, and what was counted.
    pub(crate) fn into_parts(self) -> (Range<usize>, Tally) {
        (self.direct, self.tally)
    }
}

#[cfg(test)]
#[path = "out_tests.rs"]
mod tests;
