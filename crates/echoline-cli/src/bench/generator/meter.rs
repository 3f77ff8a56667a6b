//! What one thread measures: each second's times, and what its own work cost.

use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::link::Sent;
use crate::bench::load::{Message, Tick, Totals};
use crate::bench::samples::Samples;

const SECOND_NS: u64 = 1_000_000_000;

/// Counts the lines that were meant to be sent from `from_ns` to `until_ns`, whenever their answers come.
#[derive(Debug)]
pub(super) struct Meter {
    from_ns: u64,
    until_ns: u64,
    second: usize,
    bytes: u64,
    latency: Samples,
    service: Option<Samples>,
    errors_told: u64,
    totals: Totals,
    at_start: Option<Used>,
}

impl Meter {
    pub(super) fn new(open_loop: bool) -> Self {
        let totals = Totals {
            connect: Samples::new(),
            from_ns: 0,
            last_answer_ns: 0,
            cpu: Duration::ZERO,
            waited: Duration::ZERO,
            wall: Duration::ZERO,
            measured: Duration::ZERO,
            latest_send_ns: 0,
        };
        Self {
            from_ns: u64::MAX,
            until_ns: u64::MAX,
            second: 0,
            bytes: 0,
            latency: Samples::new(),
            service: open_loop.then(Samples::new),
            errors_told: 0,
            totals,
            at_start: None,
        }
    }

    pub(super) fn measure(&mut self, from_ns: u64, until_ns: u64) {
        (self.from_ns, self.until_ns) = (from_ns, until_ns);
        self.totals.from_ns = from_ns;
    }

    /// The measured time ends early.
    pub(super) fn cut(&mut self, now_ns: u64) {
        self.until_ns = self.until_ns.min(now_ns);
    }

    pub(super) fn connected(&mut self, after_ns: u64) {
        self.totals.connect.record(after_ns, 1);
    }

    /// Lines came back; returns how many of them are measured.
    pub(super) fn answered(&mut self, sent: Sent, now_ns: u64) -> u64 {
        if sent.intended_ns < self.from_ns || sent.intended_ns >= self.until_ns {
            return 0;
        }
        let lines = sent.lines as u64;
        self.latency.record(now_ns - sent.intended_ns, lines);
        if let Some(service) = &mut self.service {
            service.record(now_ns - sent.sent_ns, lines);
        }
        self.totals.last_answer_ns = now_ns;
        lines
    }

    pub(super) fn received(&mut self, now_ns: u64, bytes: usize) {
        if now_ns >= self.from_ns {
            self.bytes += bytes as u64;
        }
    }

    pub(super) fn left_late(&mut self, by_ns: u64) {
        self.totals.latest_send_ns = self.totals.latest_send_ns.max(by_ns);
    }

    /// Tells the master when a second is over, and takes the processor time at both ends.
    pub(super) fn turn(&mut self, now_ns: u64, master: &Sender<Message>, errors: u64) {
        if now_ns < self.from_ns {
            return;
        }
        self.at_start.get_or_insert_with(Used::now);
        if now_ns >= self.until_ns {
            self.over();
        }
        while now_ns >= self.from_ns + (self.second as u64 + 1) * SECOND_NS {
            self.tick(master, errors, false);
        }
    }

    pub(super) fn finish(&mut self, master: &Sender<Message>, errors: u64) {
        self.tick(master, errors, true);
        self.over();
    }

    /// The load is over, by the clock or with its last line: how long the farewell takes is no part of it.
    pub(super) fn over(&mut self) {
        if let (true, Some(at_start)) = (self.totals.wall.is_zero(), self.at_start) {
            // All three over one span, or a share of it could be above 100 %.
            let now = Used::now();
            self.totals.cpu = now.cpu.saturating_sub(at_start.cpu);
            self.totals.waited = now.waited.saturating_sub(at_start.waited);
            self.totals.wall = now.at - at_start.at;
            let planned = Duration::from_nanos(self.until_ns.saturating_sub(self.from_ns));
            self.totals.measured = self.totals.wall.min(planned);
        }
    }

    fn tick(&mut self, master: &Sender<Message>, errors: u64, last: bool) {
        let tick = Tick {
            second: self.second,
            last,
            bytes: std::mem::take(&mut self.bytes),
            errors: errors - self.errors_told,
            latency: std::mem::replace(&mut self.latency, Samples::new()),
            service: self.service.as_mut().map(|service| std::mem::replace(service, Samples::new())),
        };
        self.errors_told = errors;
        self.second += 1;
        // A master that left needs no figures; its stop flag ends this thread.
        let _ = master.send(Message::Tick(Box::new(tick)));
    }

    pub(super) fn into_totals(self) -> Totals {
        self.totals
    }
}

/// What this thread has used of the machine.
#[derive(Debug, Clone, Copy)]
struct Used {
    at: Instant,
    cpu: Duration,
    waited: Duration,
}

impl Used {
    #[cfg(target_os = "linux")]
    fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};
        // One behind the other, so that both spans are the same: to read the file takes long.
        let at = Instant::now();
        let cpu = clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default();
        // Time on a processor, time runnable without one, slices: Documentation/scheduler/sched-stats.rst.
        // A kernel without it says nothing about waiting.
        let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let waited_ns = schedstat.split(' ').nth(1).and_then(|field| field.parse().ok()).unwrap_or(0);
        Self { at, cpu, waited: Duration::from_nanos(waited_ns) }
    }

    #[cfg(not(target_os = "linux"))]
    fn now() -> Self {
        Self { at: Instant::now(), cpu: Duration::ZERO, waited: Duration::ZERO }
    }
}
