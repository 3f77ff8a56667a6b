//! How the generator's connections begin and end: opened, refused, finished by the other side, silent, done.

use std::io;
use std::net::Shutdown;
use std::time::Duration;

use echoline_diagnosis::{Code, code};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Token};

use super::link::Phase;
use super::{Generator, nanos};
use crate::bench::load::{Message, Outcome, Pace};

/// Connections being opened at once, so that no listen queue overflows.
const OPENING: usize = 128;
/// How long the other side may take to finish after we did.
const FAREWELL_NS: u64 = 500_000_000;
/// A churn that fails waits so long before its next connection.
const RETRY_NS: u64 = 100_000_000;

impl Generator {
    /// Opens every connection; returns when each is open or has failed.
    pub(super) fn open_all(&mut self, events: &mut Events) -> io::Result<()> {
        let mut next = 0;
        while (next < self.links.len() || self.opening > 0) && !self.control.is_stopped() {
            while next < self.links.len() && self.opening < OPENING {
                self.open(next, self.control.now_ns());
                next += 1;
            }
            if self.opening > 0 {
                self.wait(events, Some(Duration::from_millis(100)))?;
                self.sweep();
            }
        }
        Ok(())
    }

    /// Starts to open a connection; the poll says when it is open.
    pub(super) fn open(&mut self, n: usize, now_ns: u64) {
        let first = self
            .first
            .take()
            .map(|stream| stream.set_nonblocking(true).map(|()| TcpStream::from_std(stream)));
        let opened = first.unwrap_or_else(|| TcpStream::connect(self.load.address)).and_then(|mut stream| {
            stream.set_nodelay(true)?;
            let both = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(n), both)?;
            Ok(stream)
        });
        let link = &mut self.links[n];
        link.opened_ns = now_ns;
        link.since_ns = now_ns;
        link.phase = Phase::Connecting;
        self.opening += 1;
        match opened {
            Ok(stream) => link.stream = Some(stream),
            Err(error) => self.not_opened(n, now_ns, echoline::code::of_connect(&error)),
        }
    }

    pub(super) fn on_connected(&mut self, n: usize, event: &Event) {
        let now_ns = self.control.now_ns();
        let link = &mut self.links[n];
        if event.is_error() || event.is_write_closed() {
            let error = link.stream.as_ref().and_then(|stream| stream.take_error().ok().flatten());
            return self.not_opened(
                n,
                now_ns,
                error.map_or(code::RESET, |error| echoline::code::of_connect(&error)),
            );
        }
        if event.is_writable() {
            // A closed port of this machine may be met by its own request, and would echo every byte (simultaneous open,
            // RFC 9293 section 3.5). Nobody listens there.
            let own = link.stream.as_ref().and_then(|stream| stream.local_addr().ok());
            if own == Some(self.load.address) {
                return self.not_opened(n, now_ns, code::REFUSED);
            }
            self.opening -= 1;
            link.phase = Phase::Open;
            link.since_ns = now_ns;
            self.meter.connected(now_ns.saturating_sub(link.opened_ns));
            self.send(n, now_ns);
            if event.is_readable() && self.links[n].phase == Phase::Open {
                self.receive(n, event.is_read_closed());
            }
        }
    }

    fn not_opened(&mut self, n: usize, now_ns: u64, code: Code) {
        self.opening -= 1;
        self.failures.connect += 1;
        self.fail(n, now_ns, code);
    }

    /// The other side, or the way to it, ended an open connection.
    pub(super) fn ended(&mut self, n: usize, now_ns: u64, error: &io::Error) {
        if self.links[n].phase == Phase::Finishing {
            return self.close(n);
        }
        // What is silence to a connection request is the loss of a connection that stood.
        let code = match error.kind() {
            io::ErrorKind::TimedOut => code::TIMED_OUT,
            _ => echoline::code::of_connect(error),
        };
        self.give_up(n, now_ns, code);
    }

    pub(super) fn peer_finished(&mut self, n: usize) {
        if self.links[n].phase == Phase::Finishing {
            return self.close(n);
        }
        self.give_up(n, self.control.now_ns(), code::CLOSED_EARLY);
    }

    pub(super) fn give_up(&mut self, n: usize, now_ns: u64, code: Code) {
        self.failures.ended += 1;
        self.fail(n, now_ns, code);
    }

    /// Counts a failure. A churn goes on with its next line; any other connection is dead, with what it still owed.
    fn fail(&mut self, n: usize, now_ns: u64, code: Code) {
        *self.failures.by_code.entry(code.as_str()).or_default() += 1;
        self.close(n);
        let link = &mut self.links[n];
        let unsent = if self.load.shape.churn { link.pending.min(1) } else { link.pending };
        link.pending -= unsent;
        // It was due all the same: the next one has its own moment in the schedule.
        link.begun += unsent;
        self.owed -= unsent;
        self.unsent += unsent;
        if self.load.shape.churn {
            link.since_ns = now_ns + RETRY_NS;
            if self.load.shape.pace == Pace::Closed && now_ns < self.until_ns {
                self.owe(n, 1);
            }
        } else {
            link.dead = true;
            self.alive -= 1;
        }
    }

    /// Closes a connection; what is on its way is lost, unless the user ended the run.
    pub(super) fn close(&mut self, n: usize) {
        let link = &mut self.links[n];
        let in_flight = link.in_flight() as u64;
        let mut faults = link.close(&self.tape);
        self.owed -= in_flight;
        if self.interrupted {
            faults.lost -= in_flight.min(faults.lost);
        }
        self.faults.add(faults);
    }

    /// Looks for silence: connections that do not open, answers that do not come, a churn whose next try has its time.
    pub(super) fn sweep(&mut self) {
        let now_ns = self.control.now_ns();
        let connect_ns = nanos(self.load.shape.connect_timeout);
        for n in 0..self.links.len() {
            let link = &self.links[n];
            let silent_ns = now_ns.saturating_sub(link.since_ns);
            match link.phase {
                Phase::Connecting if silent_ns > connect_ns => self.not_opened(n, now_ns, code::NO_ANSWER),
                Phase::Open if link.in_flight() > 0 && silent_ns > self.wait_ns => {
                    self.give_up(n, now_ns, code::NO_REPLY);
                }
                Phase::Idle if link.pending > 0 => self.send(n, now_ns),
                _ => {}
            }
        }
    }

    /// The user wants the end now: what is on its way has a moment to come back.
    pub(super) fn cut(&mut self, now_ns: u64) {
        if !self.interrupted {
            self.interrupted = true;
            self.until_ns = self.until_ns.min(now_ns);
            self.wait_ns = self.wait_ns.min(FAREWELL_NS);
            self.meter.cut(now_ns);
        }
    }

    /// After the end: a closed loop sends nothing more; an open one still owes what was due, for a while.
    pub(super) fn settle(&mut self, now_ns: u64) {
        let closed = self.load.shape.pace == Pace::Closed;
        if !(closed || self.interrupted || now_ns >= self.until_ns.saturating_add(self.wait_ns)) {
            return;
        }
        let pending: u64 = self.links.iter_mut().map(|link| std::mem::take(&mut link.pending)).sum();
        self.owed -= pending;
        if let (Some(schedule), false) = (&self.schedule, self.interrupted) {
            // A thread that was too slow for the rate has not even looked at all that was due.
            self.unsent += pending + schedule.left_before(self.until_ns).min(self.budget);
        }
        self.budget = 0;
    }

    /// After that no answer is waited for. Whoever keeps up needs no longer for what is on its way at the end than the
    /// whole load took; without such a limit one byte now and then would keep the run going.
    pub(super) fn last_answer_ns(&self) -> u64 {
        let load_ns = if self.interrupted { 0 } else { self.until_ns.saturating_sub(self.began_ns) };
        self.until_ns.saturating_add(self.wait_ns).saturating_add(load_ns)
    }

    /// Gives up every connection that still owes answers.
    pub(super) fn give_up_all(&mut self, now_ns: u64) {
        for n in 0..self.links.len() {
            if self.links[n].phase == Phase::Open && self.links[n].in_flight() > 0 {
                self.give_up(n, now_ns, code::NO_REPLY);
            }
        }
    }

    /// Finishes every output and reads to the end of every input: surplus bytes may still come.
    pub(super) fn farewell(&mut self, events: &mut Events) -> io::Result<()> {
        let mut open = Vec::new();
        for n in 0..self.links.len() {
            let link = &mut self.links[n];
            if link.phase == Phase::Open
                && link.in_flight() == 0
                && link.stream.as_ref().is_some_and(|stream| stream.shutdown(Shutdown::Write).is_ok())
            {
                link.phase = Phase::Finishing;
                open.push(n);
            }
        }
        let until_ns = self.control.now_ns() + FAREWELL_NS;
        while !open.is_empty() && self.control.now_ns() < until_ns {
            self.wait(events, Some(Duration::from_millis(50)))?;
            open.retain(|&n| self.links[n].phase == Phase::Finishing);
        }
        for n in 0..self.links.len() {
            self.close(n);
        }
        Ok(())
    }

    pub(super) fn errors(&self) -> u64 {
        self.faults.total() + self.failures.connect + self.failures.ended
    }

    pub(super) fn report(mut self) -> io::Result<()> {
        let errors = self.errors();
        self.meter.finish(&self.to_master, errors);
        let outcome = Outcome {
            per_connection: self.links.iter().map(|link| link.answered).collect(),
            faults: self.faults,
            failures: self.failures,
            unsent: self.unsent,
            measured: self.meter.into_totals(),
        };
        // A master that left wants no report.
        let _ = self.to_master.send(Message::Done(Box::new(outcome)));
        Ok(())
    }
}
