//! A session on a bench: events in any order, as an engine may deliver them, with a kernel that is a list of bytes, and
//! what holds after each. Properties and the fuzzer drive it.

use std::num::NonZeroUsize;

use super::*;
use crate::config::LongLines;
use crate::service::{Echo, EchoBytes, LineService, Lines};

pub(crate) const IDLE: Duration = Duration::from_secs(60);
pub(crate) const LINGER: Duration = Duration::from_secs(5);
pub(crate) const RECEIVE: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Echo,
    EchoClose,
    Bytes,
    /// Each line twice, each copy in a send of its own.
    Twice,
    /// Takes a few bytes of its input at a time.
    Nibble,
    /// Says so many bytes and then finishes, whatever else arrives.
    Taster(usize),
    /// Each line comes back from a job.
    Thinker,
}

struct Twice;
impl LineService for Twice {
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        for _ in 0..2 {
            out.write(line);
            out.boundary();
        }
    }
}

struct Nibble;
impl Service for Nibble {
    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
        let taken = input.len().min(3);
        out.echo(0..taken);
        taken
    }
}

struct Taster(usize);
impl Service for Taster {
    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
        let taken = input.len().min(self.0);
        self.0 -= taken;
        out.write(&input[..taken]);
        if self.0 == 0 {
            out.finish();
        }
        taken
    }
}

struct Thinker;
impl LineService for Thinker {
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        let line = line.to_vec();
        out.compute(move || line);
    }

    fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
        out.write(&result);
    }
}

/// What is to come back for all of `input`, and where a send must end.
pub(crate) fn reference(kind: Kind, max_line: usize, input: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let lines = || input.split_inclusive(|&byte| byte == b'\n');
    // A line is refused once `max_line` of its bytes lack an LF.
    let short = |line: &&[u8]| line.len() < max_line || (line.len() == max_line && line.ends_with(b"\n"));
    match kind {
        Kind::Echo | Kind::Bytes | Kind::Nibble => (input.to_vec(), Vec::new()),
        Kind::EchoClose | Kind::Thinker => {
            (lines().take_while(short).flatten().copied().collect(), Vec::new())
        }
        Kind::Taster(most) => (input[..most.min(input.len())].to_vec(), Vec::new()),
        Kind::Twice => {
            let (mut bytes, mut boundaries) = (Vec::new(), Vec::new());
            for line in lines().take_while(short).flat_map(|line| [line, line]) {
                bytes.extend_from_slice(line);
                boundaries.push(bytes.len());
            }
            (bytes, boundaries)
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    /// So many bytes arrive, if the session reads, or even if it does not: an engine may be too late to stop.
    Arrive {
        bytes: usize,
        late: bool,
    },
    /// The send ends; the kernel took so many hundredths of it.
    Sent(usize),
    SentNothing,
    Writable,
    /// The send fails: the connection is broken.
    Broken,
    /// The job is done.
    Computed,
    /// The client says no more, if the session reads.
    EndOfInput,
    /// The server drains.
    Finish,
    /// The server has no memory left.
    Relieve,
    Pass(Duration),
}

pub(crate) fn limits(cap: usize, min_progress: Option<MinProgress>) -> Arc<SessionLimits> {
    let limits =
        SessionLimits { max_pending_output: cap, min_progress, idle_timeout: Some(IDLE), linger: LINGER };
    Arc::new(limits)
}

/// An engine that does as it is told, with a kernel that is a list of bytes.
pub(crate) struct Bench {
    pub(crate) session: Session,
    kind: Kind,
    max_line: usize,
    cap: usize,
    pub(crate) now: Instant,
    /// What the client says, and how much of it has arrived.
    pub(crate) input: Vec<u8>,
    arrived: usize,
    late: usize,
    /// The send that is out, with the buffer that it refers to.
    pub(crate) out: Option<(Batch, Vec<u8>)>,
    pub(crate) sent: Vec<u8>,
    boundaries: Vec<usize>,
    shut: bool,
    /// The result of the job that is under way.
    job: Option<Vec<u8>>,
    jobs: usize,
    /// What there was that may end a session.
    was_broken: bool,
    was_relieved: bool,
    was_finished: bool,
    ended: Option<Ending>,
    last_progress: Instant,
    least: Option<MinProgress>,
}

impl Bench {
    pub(crate) fn new(kind: Kind, max_line: usize, cap: usize, input: &[u8]) -> Self {
        let lines = NonZeroUsize::new(max_line).expect("a limit is not zero");
        let service: Box<dyn Service> = match kind {
            Kind::Echo => Box::new(Echo::new(lines, LongLines::Pass)),
            Kind::EchoClose => Box::new(Echo::new(lines, LongLines::Close)),
            Kind::Bytes => Box::new(EchoBytes::default()),
            Kind::Twice => Box::new(Lines::new(lines, Twice)),
            Kind::Nibble => Box::new(Nibble),
            Kind::Taster(most) => Box::new(Taster(most)),
            Kind::Thinker => Box::new(Lines::new(lines, Thinker)),
        };
        let now = Instant::now();
        Self {
            session: Session::new(service, limits(cap, None), now),
            kind,
            max_line,
            cap,
            now,
            input: input.to_vec(),
            arrived: 0,
            late: 0,
            out: None,
            sent: Vec::new(),
            boundaries: reference(kind, max_line, input).1,
            shut: false,
            job: None,
            jobs: 0,
            was_broken: false,
            was_relieved: false,
            was_finished: false,
            ended: None,
            last_progress: now,
            least: None,
        }
    }

    /// The client owes progress.
    pub(crate) fn with_min_progress(self, least: MinProgress) -> Self {
        Self {
            session: Session { limits: limits(self.cap, Some(least)), ..self.session },
            least: Some(least),
            ..self
        }
    }

    pub(crate) fn reads(&self) -> bool {
        self.session.wants() == Wants::Events { read: true }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.session.wants(), Wants::Close(_))
    }

    pub(crate) fn pending(&self) -> usize {
        self.session.output.len() + self.session.in_flight
    }

    pub(crate) fn step(&mut self, op: Op) {
        let before = (self.movements(), self.session.deadline());
        self.act(op);
        self.check();
        let passes = matches!(op, Op::Pass(_));
        if let ((moved, Some(before)), Some(after)) = (before, self.session.deadline())
            && moved == self.movements()
            // Who was fast enough for an interval has the next one.
            && !(passes && self.least.is_some())
        {
            assert!(after <= before, "more time, and nothing has moved");
        }
    }

    /// What a deadline may move with.
    fn movements(&self) -> impl PartialEq + use<> {
        let session = &self.session;
        let served = (session.service.held() == 0, session.output.finished(), self.shut, self.jobs);
        (session.received, session.sent, session.acknowledged, session.input_ended, served)
    }

    fn act(&mut self, op: Op) {
        match op {
            Op::Arrive { bytes, late } if !self.session.input_ended && (late || self.reads()) => {
                let bytes = bytes.min(self.input.len() - self.arrived);
                self.late += if self.reads() { 0 } else { bytes };
                self.arrive(bytes);
            }
            Op::Sent(hundredths) => {
                let taken = self.out.as_ref().map_or(0, |(batch, _)| batch.len() * hundredths / 100);
                self.end_send(Ok(taken));
            }
            Op::SentNothing => self.end_send(Err(io::ErrorKind::WouldBlock.into())),
            Op::Broken => {
                self.was_broken |= self.out.is_some();
                self.end_send(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Op::Writable if self.session.is_blocked() => {
                let batch = self.session.on_writable(self.now);
                self.issue(batch, Vec::new());
            }
            Op::Computed => {
                if let Some(result) = self.job.take() {
                    self.last_progress = self.now;
                    self.jobs += 1;
                    let batch = self.session.on_computed(Some(result), self.now);
                    self.issue(batch, Vec::new());
                }
            }
            Op::Relieve if !self.is_closed() => {
                self.was_relieved = true;
                let batch = self.session.relieve(self.now);
                self.issue(batch, Vec::new());
                assert!(self.is_closed() || self.session.service.held() == 0, "the service holds on");
            }
            Op::EndOfInput if self.reads() => {
                self.input.truncate(self.arrived);
                self.boundaries = reference(self.kind, self.max_line, &self.input).1;
                self.end_of_input();
            }
            Op::Finish => {
                self.was_finished = true;
                let batch = self.session.finish(Ending::Drained, self.now);
                self.issue(batch, Vec::new());
            }
            Op::Pass(time) => {
                self.now += time;
                // This kernel has nothing that is not acknowledged; what has been sent since it was last asked is news.
                if self.session.waits_for_reader() && self.session.sent > self.session.acknowledged {
                    self.last_progress = self.now;
                }
                self.session.on_time(0, self.now);
            }
            Op::Arrive { .. } | Op::Writable | Op::Relieve | Op::EndOfInput => {}
        }
    }

    pub(crate) fn arrive(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let buffer = self.input[self.arrived..][..bytes].to_vec();
        self.arrived += bytes;
        self.last_progress = self.now;
        let batch = self.session.on_input(&buffer, self.now);
        self.issue(batch, buffer);
    }

    pub(crate) fn end_of_input(&mut self) {
        self.last_progress = self.now;
        let batch = self.session.on_end_of_input(self.now);
        self.issue(batch, Vec::new());
        self.check();
    }

    pub(crate) fn issue(&mut self, batch: Option<Batch>, buffer: Vec<u8>) {
        let Some(batch) = batch else { return };
        assert!(self.out.is_none(), "two sends at once");
        assert_eq!(self.session.ending, None, "it is over, and goes on sending");
        assert!(batch.len() > 0, "a send of nothing");
        let (start, end) = (self.sent.len(), self.sent.len() + batch.len());
        let inside = self.boundaries.iter().find(|&&boundary| start < boundary && boundary < end);
        assert_eq!(inside, None, "a boundary within the send of {start}..{end}");
        self.out = Some((batch, buffer));
    }

    pub(crate) fn end_send(&mut self, result: io::Result<usize>) {
        let Some((batch, buffer)) = self.out.take() else { return };
        if let Ok(taken) = result {
            let all = [&batch.held[..], &buffer[batch.input.clone()]].concat();
            self.sent.extend_from_slice(&all[..taken]);
            if taken > 0 {
                self.last_progress = self.now;
            }
        }
        let waited = self.session.waits_for_reader();
        let next = self.session.on_sent(batch, &buffer, result, self.now);
        if !waited && self.session.waits_for_reader() {
            self.session.on_waiting_for_reader(0);
        }
        self.issue(next, Vec::new());
    }

    /// What holds after every event.
    pub(crate) fn check(&mut self) {
        let factor = if self.kind == Kind::Twice { 2 } else { 1 };
        let bound = self.cap + factor * (self.max_line + RECEIVE + self.late);
        assert!(self.pending() <= bound, "{} bytes pending", self.pending());
        assert!(self.session.untaken.len() <= RECEIVE + self.late);
        assert!(!(self.session.is_blocked() && self.out.is_some()), "it waits for the kernel, and sends");
        let holds = self.session.service.held() + self.session.output.len() + self.session.untaken.len();
        assert!(self.session.ending.is_some() || self.session.buffered() >= holds);
        if let Some(job) = self.session.take_job() {
            assert!(self.job.is_none(), "two jobs at once");
            self.job = Some(job());
        }
        match self.session.wants() {
            Wants::ShutOutput => {
                assert!(!self.shut, "shut twice");
                assert!(self.out.is_none() && self.pending() == 0, "shut before everything was sent");
                self.shut = true;
                self.session.on_output_shut(self.now);
            }
            Wants::Events { read: false } => {
                let waits = self.out.is_some() || self.session.is_blocked() || self.job.is_some();
                assert!(waits, "waits for nothing");
            }
            Wants::Events { read: true } => {}
            Wants::Close(ending) if self.ended != Some(ending) => {
                assert!(self.has_reason(ending), "{ending}: without a reason");
                self.ended = Some(ending);
            }
            Wants::Close(_) => {}
        }
        assert!(!(self.shut && self.out.is_some()), "a send after the end of the output");
        if self.session.ending.is_some() {
            assert_eq!(self.session.deadline(), None, "comes up although it is over");
        } else if !self.is_closed() {
            let deadline = self.session.deadline().expect("every wait has an end");
            assert!(deadline > self.now || self.least.is_some());
            assert!(deadline <= self.now + IDLE);
            if self.session.finishing_since.is_none() && self.session.cut_off_at.is_none() {
                let idle = self.last_progress + IDLE;
                assert!(deadline == idle || (self.least.is_some() && deadline < idle));
            }
        }
    }

    fn has_reason(&self, ending: Ending) -> bool {
        let refuses = matches!(self.kind, Kind::EchoClose | Kind::Twice | Kind::Thinker);
        // A client that has finished may still read too slowly; one that we finish with has a time limit instead.
        let finishes = self.session.finishing_since.or(self.session.cut_off_at).is_some();
        match ending {
            Ending::Done => self.session.input_ended || matches!(self.kind, Kind::Taster(_)),
            Ending::Reset => self.was_broken,
            Ending::Idle => !finishes && self.now >= self.last_progress + IDLE,
            Ending::Slow => !finishes && self.least.is_some(),
            Ending::LongLine => refuses,
            Ending::Memory => self.was_relieved,
            Ending::Drained => self.was_finished,
            Ending::CutOff => finishes && !self.shut,
            Ending::Lost | Ending::Fault => false,
        }
    }

    /// The client reads everything, says the rest and finishes.
    pub(crate) fn play_to_the_end(&mut self) {
        for _ in 0..10_000 {
            if self.is_closed() {
                return;
            }
            if self.reads() && self.arrived == self.input.len() {
                self.end_of_input();
            }
            self.step(Op::Arrive { bytes: RECEIVE, late: false });
            self.step(Op::Sent(100));
            self.step(Op::Writable);
            self.step(Op::Computed);
        }
        panic!("the session never ends");
    }

    /// Any events, then the client reads everything: what came back is what was said, or the start of it and a reason.
    pub(crate) fn play(mut self, ops: impl IntoIterator<Item = Op>) {
        for op in ops {
            self.step(op);
        }
        self.play_to_the_end();
        let (said, _) = reference(self.kind, self.max_line, &self.input);
        assert!(said.starts_with(&self.sent), "other bytes than were said");
        if let Wants::Close(Ending::Done | Ending::LongLine) = self.session.wants() {
            assert_eq!(self.sent, said);
        }
    }
}
