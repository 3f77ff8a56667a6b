//! One thread of the generator: its own poll over its own connections.
//!
//! A round trip costs one receive and one send; the poll and the clock are shared by all that is ready together.

mod alarm;
mod lifecycle;
mod link;
mod meter;
mod schedule;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use echoline_diagnosis::code;
use mio::event::Event;
use mio::{Events, Poll, Token, Waker};

use self::alarm::Alarm;
use self::link::{Link, Phase};
use self::meter::Meter;
use self::schedule::{Schedule, own_connections};
use super::load::{Control, Failures, Load, Message, Pace, Shape, Share};
use super::tape::Tape;
use super::verify::Faults;

const WAKE: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);

const RECEIVE: usize = 256 * 1024;
/// How often silence is looked for.
const SWEEP_NS: u64 = 100_000_000;
/// After so many lines that are not as they were sent, a connection is closed: nothing more is learned from it.
const MOST_FAULTS: u64 = 100_000;

pub(super) struct Generator {
    load: Load,
    tape: Arc<Tape>,
    thread: usize,
    control: Arc<Control>,
    poll: Poll,
    alarm: Alarm,
    to_master: Sender<Message>,
    links: Vec<Link>,
    first: Option<std::net::TcpStream>,
    meter: Meter,
    buffer: Vec<u8>,
    opening: usize,
    /// Connections that have not failed for good.
    alive: usize,
    /// Lines that are on their way or due, over all links.
    owed: u64,
    /// Lines that may still be begun in this thread.
    budget: u64,
    /// When the load began.
    began_ns: u64,
    /// No line becomes due from here on.
    until_ns: u64,
    /// A connection that owes answers and is silent for so long is given up.
    wait_ns: u64,
    interrupted: bool,
    faults: Faults,
    failures: Failures,
    unsent: u64,
    schedule: Option<Schedule>,
}

impl Generator {
    /// Everything that can fail for want of resources fails here.
    pub(super) fn new(
        share: Share,
        control: Arc<Control>,
        to_master: Sender<Message>,
    ) -> io::Result<(Self, Waker)> {
        let Share { load, thread, first } = share;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        let own = own_connections(load.shape.connections, load.shape.threads, thread);
        let tape = Arc::clone(&load.tape);
        let links = (0..own).map(|n| Link::new(tape.entry(n * load.shape.threads + thread))).collect();
        let (threads, part) = (load.shape.threads as u64, thread as u64);
        let budget = load.shape.lines.map_or(u64::MAX, |lines| (lines + threads - 1 - part) / threads);
        let meter = Meter::new(load.shape.pace != Pace::Closed);
        let generator = Self {
            tape,
            thread,
            control,
            poll,
            alarm,
            to_master,
            links,
            first,
            meter,
            buffer: vec![0; RECEIVE],
            opening: 0,
            alive: own,
            wait_ns: nanos(load.shape.wait),
            interrupted: false,
            owed: 0,
            budget,
            began_ns: 0,
            until_ns: u64::MAX,
            faults: Faults::default(),
            failures: Failures::default(),
            unsent: 0,
            schedule: None,
            load,
        };
        Ok((generator, waker))
    }

    /// [`Generator::run`]; whatever ends it but its own end stops the other threads too.
    pub(super) fn run_guarded(self) -> io::Result<()> {
        let guard = StopOthers(Some(Arc::clone(&self.control)));
        self.run()?;
        guard.disarm();
        Ok(())
    }

    /// Runs the load to its end; the master learns of everything by messages.
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        if !self.load.shape.churn {
            self.open_all(&mut events)?;
        }
        let opened = self.links.iter().filter(|link| link.phase == Phase::Open).count();
        // A master that left needs no message; its stop flag ends this thread.
        let _ = self.to_master.send(Message::Ready { opened });
        let Some(start_ns) = self.await_start(&mut events)? else {
            return self.report();
        };
        self.begin(start_ns);
        self.exchange(&mut events)?;
        self.meter.over();
        self.farewell(&mut events)?;
        self.report()
    }

    fn await_start(&mut self, events: &mut Events) -> io::Result<Option<u64>> {
        loop {
            if self.control.is_stopped() {
                return Ok(None);
            }
            if let Some(start_ns) = self.control.started_at_ns() {
                return Ok(Some(start_ns));
            }
            self.wait(events, Some(Duration::from_secs(1)))?;
        }
    }

    fn begin(&mut self, start_ns: u64) {
        let from_ns = start_ns.saturating_add(nanos(self.load.shape.warm_up));
        self.began_ns = start_ns;
        self.until_ns = from_ns.saturating_add(nanos(self.load.shape.duration));
        self.meter.measure(from_ns, self.until_ns);
        match self.load.shape.pace {
            Pace::Open { rate_per_s } => {
                let Shape { connections, threads, .. } = self.load.shape;
                self.schedule = Some(Schedule::new(start_ns, rate_per_s, connections, threads, self.thread));
            }
            Pace::Closed => {
                for n in 0..self.links.len() {
                    self.owe(n, self.load.shape.depth as u64);
                    self.send(n, self.control.now_ns());
                }
            }
        }
    }

    fn exchange(&mut self, events: &mut Events) -> io::Result<()> {
        let mut next_sweep_ns = 0;
        let mut due = Vec::new();
        loop {
            let now_ns = self.control.now_ns();
            if now_ns >= next_sweep_ns {
                self.sweep();
                next_sweep_ns = now_ns + SWEEP_NS;
            }
            self.meter.turn(now_ns, &self.to_master, self.errors());
            if self.control.is_stopped() {
                self.cut(now_ns);
            }
            let mut timeout = self.pace(now_ns, &mut due)?;
            if now_ns < self.until_ns {
                // The end is an event too: what is measured lasts no longer.
                timeout = timeout.min(Duration::from_nanos(self.until_ns - now_ns));
            }
            let patience_ns = self.until_ns.saturating_add(self.wait_ns);
            let over = now_ns >= patience_ns || now_ns >= self.until_ns && self.nothing_due();
            if over {
                self.settle(now_ns);
            }
            if now_ns >= self.last_answer_ns() {
                self.give_up_all(now_ns);
            }
            if self.owed == 0 && (over || self.budget == 0) || self.alive == 0 {
                return Ok(());
            }
            self.wait(events, Some(timeout))?;
        }
    }

    /// The open loop: sends what is due; says how long to wait for what is next.
    fn pace(&mut self, now_ns: u64, due: &mut Vec<usize>) -> io::Result<Duration> {
        let idle = Duration::from_nanos(SWEEP_NS);
        let Some(schedule) = &mut self.schedule else { return Ok(idle) };
        if self.budget == 0 {
            return Ok(idle);
        }
        // After the end, what was due before it and not seen in time still has to leave.
        let last_ns = now_ns.min(self.until_ns.saturating_sub(1));
        while due.len() < 1024 {
            let Some((n, intended_ns)) = schedule.pop_due(last_ns) else { break };
            self.meter.left_late(now_ns - intended_ns);
            due.push(n);
        }
        let next_ns = schedule.next_ns();
        let more = next_ns < self.until_ns;
        for n in due.drain(..) {
            self.owe(n, 1);
            self.send(n, now_ns);
        }
        if !more {
            return Ok(idle);
        }
        let left_ns = next_ns.saturating_sub(self.control.now_ns());
        if left_ns == 0 {
            return Ok(Duration::ZERO);
        }
        self.alarm.set(Duration::from_nanos(left_ns))?;
        Ok(Duration::from_nanos(left_ns).max(Duration::from_millis(1)).min(idle))
    }

    /// Every line of the schedule that was due before the end has been due.
    fn nothing_due(&self) -> bool {
        self.schedule.as_ref().is_none_or(|schedule| schedule.next_ns() >= self.until_ns)
    }

    /// One line or more become due on a connection, as far as the run's number of lines allows.
    fn owe(&mut self, n: usize, lines: u64) {
        let link = &mut self.links[n];
        let lines = lines.min(self.budget);
        self.budget -= lines;
        if link.dead {
            self.unsent += lines;
        } else {
            link.pending += lines;
            self.owed += lines;
        }
    }

    /// Sends what is due and has room. A churn opens the connection for it first.
    fn send(&mut self, n: usize, now_ns: u64) {
        let churn = self.load.shape.churn;
        let link = &mut self.links[n];
        if link.phase == Phase::Idle && churn && link.pending > 0 && link.since_ns <= now_ns {
            return self.open(n, now_ns);
        }
        if link.phase != Phase::Open {
            return;
        }
        let room = self.load.shape.depth.saturating_sub(link.in_flight());
        let lines = usize::try_from(link.pending).unwrap_or(usize::MAX).min(room);
        // A line of a churn pays for its connection.
        let sent_ns = if churn { link.opened_ns } else { now_ns };
        if let Some(schedule) = &self.schedule {
            for _ in 0..lines {
                link.begin(1, schedule.intended_ns(n, link.begun), sent_ns);
            }
        } else if lines > 0 {
            link.begin(lines, sent_ns, sent_ns);
        }
        if let Err(error) = link.write(&self.tape) {
            self.ended(n, now_ns, &error);
        }
    }

    fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in &*events {
            if event.token() != WAKE && event.token() != ALARM {
                self.on_event(event.token().0, event);
            }
        }
        Ok(())
    }

    fn on_event(&mut self, n: usize, event: &Event) {
        match self.links[n].phase {
            Phase::Idle => {}
            Phase::Connecting => self.on_connected(n, event),
            Phase::Open | Phase::Finishing => {
                let to_end = event.is_read_closed() || event.is_error();
                if event.is_readable() || to_end {
                    self.receive(n, to_end);
                }
                if event.is_writable() && self.links[n].has_unsent() {
                    self.send(n, self.control.now_ns());
                }
            }
        }
    }

    /// Reads what is there (to the end of the stream, if the event said that it has come), compares it and sends anew.
    fn receive(&mut self, n: usize, to_end: bool) {
        let closed_loop = self.schedule.is_none();
        let mut answered = 0;
        let mut now_ns = 0;
        loop {
            let link = &mut self.links[n];
            let bytes = match link.read(&mut self.buffer) {
                Ok(None) => break,
                // Nothing more was to come on this connection of a churn.
                Ok(Some(0)) if self.load.shape.churn && answered > 0 && link.in_flight() == 0 => break,
                Ok(Some(0)) => return self.peer_finished(n),
                Ok(Some(bytes)) => bytes,
                Err(error) => return self.ended(n, self.control.now_ns(), &error),
            };
            now_ns = self.control.now_ns();
            let meter = &mut self.meter;
            meter.received(now_ns, bytes);
            let mut measured = 0;
            let received = &self.buffer[..bytes];
            let place = link.place();
            let lines = link.take(&self.tape, received, |sent| measured += meter.answered(sent, now_ns));
            link.answered += measured;
            answered += lines;
            self.owed -= lines as u64;
            // Bytes that nobody asked for are no answer: who sends them for ever is as silent as who sends none.
            if link.place() != place {
                link.since_ns = now_ns;
            }
            let faults = link.faults();
            if faults.surplus > MOST_FAULTS || link.is_endless() {
                return self.give_up(n, now_ns, code::ENDLESS);
            }
            if faults.total() > MOST_FAULTS {
                return self.give_up(n, now_ns, code::ALTERED);
            }
            if bytes < self.buffer.len() && !to_end {
                break;
            }
        }
        if answered == 0 || self.links[n].phase != Phase::Open {
            return;
        }
        if closed_loop && now_ns < self.until_ns {
            self.owe(n, answered as u64);
        }
        if self.load.shape.churn && self.links[n].in_flight() == 0 {
            self.close(n);
        }
        self.send(n, now_ns);
    }
}

struct StopOthers(Option<Arc<Control>>);

impl StopOthers {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for StopOthers {
    fn drop(&mut self) {
        if let Some(control) = &self.0 {
            control.stop();
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
