//! The server's state for one connection. It does no I/O and reads no clock: an engine tells it what
//! happened and when, and does what it answers.
//!
//! ```text
//! engine: bytes arrived ──> on_input ──> Some(batch) ──> engine sends it ──> on_sent ──> Some(batch) ...
//!                                   └──> None: nothing to send now      after each call: wants()
//! ```

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::compute::{Job, Ticket};
use crate::config::MinProgress;
use crate::pace::Pace;
use crate::service::{Batch, Out, Output, Peer, Service, Tally};
use crate::stats::Ending;

/// What the session needs from its engine next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Wait for events; take input from the kernel only when `read`.
    Events { read: bool },
    /// Shut the output down, then report it with `on_output_shut`.
    ShutOutput,
    /// Close the connection and drop the session.
    Close(Ending),
}

/// The limits of each session, from the server's configuration.
#[derive(Debug, Clone)]
pub(crate) struct SessionLimits {
    pub(crate) max_pending_output: usize,
    pub(crate) min_progress: Option<MinProgress>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) linger: Duration,
}

/// Invariants: at most one batch is out (`in_flight` bytes of it) until `on_sent` returns it; what was
/// output before leaves before; `untaken` is filled only by a service that refuses input.
pub(crate) struct Session {
    service: Box<dyn Service>,
    output: Output,
    /// Input that the service has not taken yet. Reading stops while there is any.
    untaken: Vec<u8>,
    /// What the service held of an unfinished line when it was last called, in bytes of memory.
    held: usize,
    /// Bytes in the batch that the engine is sending; 0 when there is none.
    in_flight: usize,
    /// The kernel took less than it was offered: the next send waits for `on_writable`.
    blocked: bool,
    input_ended: bool,
    /// `on_finish` was called, or never will be.
    service_ended: bool,
    output_shut: bool,
    ending: Option<Ending>,
    /// Bytes that arrived, and that the kernel took, since the connection began.
    received: u64,
    sent: u64,
    /// Of these the client had acknowledged so many when the session last learned of it: asked while it waits for its
    /// reader.
    acknowledged: u64,
    /// While the client has begun a line that is not whole.
    line_pace: Pace,
    /// While output waits because the kernel took less than it was offered: the client does not read as fast.
    reader_pace: Pace,
    last_progress: Instant,
    /// Since when our side has been ending the conversation without progress.
    finishing_since: Option<Instant>,
    /// The server itself ends the conversation: not later than then, whatever the client does.
    cut_off_at: Option<Instant>,
    limits: Arc<SessionLimits>,
    lines: u64,
    /// Small, as it is for one event, and fits beside the flags.
    long_lines: u16,
    held_up: bool,
}

impl Session {
    pub(crate) fn new(service: Box<dyn Service>, limits: Arc<SessionLimits>, now: Instant) -> Self {
        Self {
            service,
            output: Output::new(limits.max_pending_output),
            untaken: Vec::new(),
            held: 0,
            in_flight: 0,
            blocked: false,
            input_ended: false,
            service_ended: false,
            output_shut: false,
            ending: None,
            received: 0,
            sent: 0,
            acknowledged: 0,
            line_pace: Pace::default(),
            reader_pace: Pace::default(),
            last_progress: now,
            finishing_since: None,
            cut_off_at: None,
            limits,
            lines: 0,
            long_lines: 0,
            held_up: false,
        }
    }

    /// The connection is open; a service that greets has something to send.
    pub(crate) fn on_open(&mut self, peer: &Peer, now: Instant) -> Option<Batch> {
        self.serve(&[], false, now, |service, out| service.on_open(peer, out));
        self.settle(0..0, &[], now)
    }

    /// Bytes arrived. The batch, if any, refers to this `input`, which must stay in place until `on_sent`.
    pub(crate) fn on_input(&mut self, input: &[u8], now: Instant) -> Option<Batch> {
        self.last_progress = now;
        self.received += input.len() as u64;
        if self.discards_input() {
            return None;
        }
        if !self.untaken.is_empty() {
            // Arrived before the engine could stop reading: it waits behind what came before it.
            self.keep_untaken(input);
            return None;
        }
        let may_send_direct = self.may_send();
        let (taken, direct) =
            self.serve(input, may_send_direct, now, |service, out| service.on_input(input, out));
        self.keep_untaken(&input[taken..]);
        self.settle(direct, input, now)
    }

    /// The client finished its output: nothing more will arrive.
    pub(crate) fn on_end_of_input(&mut self, now: Instant) -> Option<Batch> {
        self.last_progress = now;
        self.input_ended = true;
        self.line_pace.owes_nothing();
        self.end_service(now);
        self.settle(0..0, &[], now)
    }

    /// A batch came back: `source` is the input that it refers to, `sent` what the kernel took of it.
    pub(crate) fn on_sent(
        &mut self,
        batch: Batch,
        source: &[u8],
        sent: io::Result<usize>,
        now: Instant,
    ) -> Option<Batch> {
        let line_waited = self.holds_line_up();
        self.in_flight = 0;
        let total = batch.len();
        let taken = match sent {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => {
                self.on_failed(Ending::by(&error));
                return None;
            }
        };
        assert!(taken <= total, "the kernel took {taken} of {total} bytes");
        self.sent += taken as u64;
        if taken > 0 {
            self.last_progress = now;
            self.finishing_since = self.finishing_since.map(|_| now);
        }
        if taken < total {
            self.output.put_back(batch.held, taken, &source[batch.input]);
            self.blocked = true;
            self.reader_pace.owe(self.sent, now);
            return None;
        }
        if line_waited {
            self.line_pace.hold_off(self.received, now);
        }
        let next = self.resume(now);
        if next.is_none() {
            self.reader_pace.owes_nothing();
        }
        next
    }

    /// Does output wait for a client that does not read as fast?
    pub(crate) fn waits_for_reader(&self) -> bool {
        self.reader_pace.is_owing()
    }

    /// That began just now, and so many bytes that the kernel took earlier are not acknowledged yet.
    pub(crate) fn on_waiting_for_reader(&mut self, unacknowledged: u64) {
        self.acknowledged = self.sent.saturating_sub(unacknowledged);
        self.reader_pace.began_with(self.acknowledged);
    }

    /// The kernel takes output again.
    pub(crate) fn on_writable(&mut self, now: Instant) -> Option<Batch> {
        self.blocked = false;
        self.resume(now)
    }

    /// Does the next send wait for `on_writable`?
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The connection is broken: there is nobody to send to.
    pub(crate) fn on_failed(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// The job that the service has begun, if it has: its result belongs to `on_computed`.
    pub(crate) fn take_job(&mut self) -> Option<Job> {
        self.output.take_job()
    }

    /// The job that was taken is queued, by this name.
    pub(crate) fn on_job_queued(&mut self, ticket: Option<Ticket>) {
        self.output.job_queued(ticket);
    }

    /// The job that is under way.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.output.ticket()
    }

    /// The job is done. `None` says that it panicked.
    pub(crate) fn on_computed(&mut self, result: Option<Vec<u8>>, now: Instant) -> Option<Batch> {
        self.last_progress = now;
        self.hold_off_line(now);
        self.output.job_done();
        let Some(result) = result else {
            self.on_failed(Ending::Fault);
            return None;
        };
        if !self.discards_input() {
            self.serve(&[], false, now, |service, out| service.on_computed(result, out));
        }
        self.resume(now)
    }

    /// The engine has shut the output down, as `wants` asked.
    pub(crate) fn on_output_shut(&mut self, now: Instant) {
        self.output_shut = true;
        self.finishing_since = Some(now);
    }

    /// Ends the conversation in order: what is pending leaves, then the output finishes. The client has the
    /// linger time to take it, however slowly it reads: who drains a server waits for this.
    pub(crate) fn finish(&mut self, reason: Ending, now: Instant) -> Option<Batch> {
        self.output.finish(reason);
        if self.cut_off_at.is_none() {
            self.cut_off_at = now.checked_add(self.limits.linger);
        }
        self.settle(0..0, &[], now)
    }

    /// Ends the session if a deadline has passed. The kernel still has `unacknowledged` bytes of ours; the number
    /// matters only while the session waits for its reader.
    pub(crate) fn on_time(&mut self, unacknowledged: u64, now: Instant) {
        self.note_acknowledged(unacknowledged, now);
        let is_finishing = self.finishing_since.or(self.cut_off_at).is_some();
        let ending = if self.stalls_at().is_some_and(|deadline| deadline <= now) {
            match (self.output_shut, is_finishing) {
                (true, _) => self.reason(),
                (false, true) => Ending::CutOff,
                (false, false) => Ending::Idle,
            }
        } else if self.is_too_slow(unacknowledged, now) {
            if is_finishing { Ending::CutOff } else { Ending::Slow }
        } else {
            return;
        };
        self.on_failed(ending);
    }

    /// What the client has read of the kernel's buffer is progress, too: for as long as a third of it takes, megabytes,
    /// the kernel takes nothing more (tcp(7), `sk_stream_is_writeable`).
    fn note_acknowledged(&mut self, unacknowledged: u64, now: Instant) {
        let acknowledged = self.sent.saturating_sub(unacknowledged);
        if self.waits_for_reader() && acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.last_progress = now;
            self.finishing_since = self.finishing_since.map(|_| now);
        }
    }

    fn is_too_slow(&mut self, unacknowledged: u64, now: Instant) -> bool {
        let least = self.limits.min_progress;
        self.hold_off_line(now);
        let line = self.line_pace.is_too_slow(self.received, least, now);
        let acknowledged = self.sent.saturating_sub(unacknowledged);
        self.reader_pace.is_too_slow(acknowledged, least, now) || line
    }

    /// We let nothing more arrive, or the engine may not, as long as it has a send to end: a line cannot go on, and what
    /// the client owes of it, it owes from when that ends.
    fn holds_line_up(&self) -> bool {
        !self.wants_input() || self.waits_for_reader()
    }

    fn hold_off_line(&mut self, now: Instant) {
        if self.holds_line_up() {
            self.line_pace.hold_off(self.received, now);
        }
    }

    /// When `on_time` has something to do, if nothing else happens before.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.ending.is_some() {
            // Over: a deadline that stays would come up for ever while the engine waits to close.
            return None;
        }
        let stalls_at = self.stalls_at();
        if !self.line_pace.is_owing() && !self.reader_pace.is_owing() {
            return stalls_at;
        }
        let least = self.limits.min_progress;
        let paces = [self.line_pace.deadline(least), self.reader_pace.deadline(least)];
        paces.into_iter().flatten().chain(stalls_at).min()
    }

    /// When nothing has moved for too long. A time that the clock cannot express never comes.
    fn stalls_at(&self) -> Option<Instant> {
        let stalled_at = match self.finishing_since {
            Some(since) => since.checked_add(self.limits.linger),
            None => self.limits.idle_timeout.and_then(|timeout| self.last_progress.checked_add(timeout)),
        };
        [stalled_at, self.cut_off_at].into_iter().flatten().min()
    }

    /// The memory in bytes that this client's slowness costs: an unfinished line, output that waits, input that has to
    /// wait behind it. What is being sent to a client that keeps up is not counted: it is gone in a moment.
    pub(crate) fn buffered(&self) -> usize {
        if self.ending.is_some() {
            // It goes as soon as the engine closes.
            return 0;
        }
        let sending = if self.waits_for_reader() { self.in_flight } else { 0 };
        self.held + self.output.capacity() + self.untaken.capacity() + sending
    }

    /// The server has no memory left for this session's buffers. What the service holds is passed on, or refused; if
    /// that is not it, or the service lets go of nothing, the session ends.
    pub(crate) fn relieve(&mut self, now: Instant) -> Option<Batch> {
        if self.held == 0 || self.discards_input() {
            self.on_failed(Ending::Memory);
            return None;
        }
        let before = self.held;
        self.serve(&[], false, now, |service, out| service.on_pressure(out));
        if self.held >= before && !self.discards_input() {
            self.on_failed(Ending::Memory);
        }
        self.settle(0..0, &[], now)
    }

    pub(crate) fn wants(&self) -> Wants {
        if let Some(ending) = self.ending {
            return Wants::Close(ending);
        }
        let all_sent = self.output.finished().is_some() && self.output.is_empty() && self.in_flight == 0;
        match (all_sent, self.input_ended) {
            (true, true) => Wants::Close(self.reason()),
            (true, false) if !self.output_shut => Wants::ShutOutput,
            _ => Wants::Events { read: self.wants_input() },
        }
    }

    /// Is the conversation going on, as far as our side is concerned?
    pub(crate) fn goes_on(&self) -> bool {
        !self.discards_input()
    }

    /// What the service counted since the last call.
    pub(crate) fn take_tally(&mut self) -> Tally {
        Tally { lines: std::mem::take(&mut self.lines), long_lines: std::mem::take(&mut self.long_lines) }
    }

    /// True once each time that nothing more is read from the client because it leaves so much unread itself.
    pub(crate) fn was_held_up(&mut self) -> bool {
        let before = self.held_up;
        self.held_up = self.waits_for_reader() && self.goes_on() && !self.input_ended && self.is_at_cap();
        self.held_up && !before
    }

    fn wants_input(&self) -> bool {
        !self.input_ended && self.untaken.is_empty() && (self.discards_input() || !self.is_at_cap())
    }

    fn is_at_cap(&self) -> bool {
        self.output.len() + self.in_flight >= self.limits.max_pending_output
    }

    /// Our side has said its last byte: what still arrives is read only so that the close destroys nothing.
    fn discards_input(&self) -> bool {
        self.output.finished().is_some() || self.ending.is_some()
    }

    fn reason(&self) -> Ending {
        self.output.finished().unwrap_or(Ending::Done)
    }

    fn may_send(&self) -> bool {
        self.in_flight == 0 && !self.blocked
    }

    fn keep_untaken(&mut self, input: &[u8]) {
        self.untaken.reserve_exact(input.len());
        self.untaken.extend_from_slice(input);
    }

    /// Calls the service. Returns also the range of the input that it echoed, which is not copied.
    fn serve<R>(
        &mut self,
        input: &[u8],
        may_send_direct: bool,
        now: Instant,
        call: impl FnOnce(&mut dyn Service, &mut Out<'_>) -> R,
    ) -> (R, Range<usize>) {
        let before = self.output.len();
        let mut out = Out::new(&mut self.output, input, may_send_direct);
        let result = call(&mut *self.service, &mut out);
        let (direct, tally) = out.into_parts();
        self.lines += tally.lines;
        self.long_lines = self.long_lines.saturating_add(tally.long_lines);
        let answered = tally.lines > 0 || !direct.is_empty() || self.output.len() > before;
        self.note_line(answered, now);
        (result, direct)
    }

    /// What is held after an answer is the start of another line.
    fn note_line(&mut self, answered: bool, now: Instant) {
        self.held = self.service.held();
        if self.held == 0 || self.input_ended {
            self.line_pace.owes_nothing();
        } else if answered {
            self.line_pace.owe_anew(self.received, now);
        } else {
            self.line_pace.owe(self.received, now);
        }
    }

    /// After a send: what waited for it goes on.
    fn resume(&mut self, now: Instant) -> Option<Batch> {
        let may_serve = !self.discards_input() && !self.output.is_computing() && !self.output.is_full();
        if may_serve && !self.untaken.is_empty() {
            let input = std::mem::take(&mut self.untaken);
            let (taken, _) = self.serve(&input, false, now, |service, out| service.on_input(&input, out));
            self.keep_untaken(&input[taken..]);
        }
        self.end_service(now);
        self.settle(0..0, &[], now)
    }

    /// Tells the service of the end of input, once it has taken all of it, and ends the output once no job of the
    /// service is left: also one that it begins at the end of input has its say.
    fn end_service(&mut self, now: Instant) {
        if !self.input_ended || !self.untaken.is_empty() || self.output.is_computing() {
            return;
        }
        if !self.service_ended {
            self.service_ended = true;
            self.serve(&[], false, now, |service, out| service.on_finish(out));
        }
        if !self.output.is_computing() {
            self.output.finish(Ending::Done);
        }
    }

    /// Issues the next send if one may go, which none may once the session is over, and notes since when our side has
    /// been finishing.
    fn settle(&mut self, direct: Range<usize>, input: &[u8], now: Instant) -> Option<Batch> {
        if self.output.finished().is_some() && !self.input_ended && self.finishing_since.is_none() {
            self.finishing_since = Some(now);
        }
        if self.output.finished().is_some() && !self.service_ended {
            self.service_ended = true;
            self.untaken = Vec::new();
            // What still arrives is discarded: no line is waited for.
            self.line_pace.owes_nothing();
        }
        if !self.may_send() || self.ending.is_some() {
            debug_assert!(direct.is_empty());
            return None;
        }
        let batch = self.output.take_batch(direct, input)?;
        self.in_flight = batch.len();
        Some(batch)
    }
}

#[cfg(any(test, feature = "fuzzing"))]
#[path = "session_bench.rs"]
pub(crate) mod bench;
#[cfg(test)]
#[path = "session_limit_tests.rs"]
mod limit_tests;
#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
