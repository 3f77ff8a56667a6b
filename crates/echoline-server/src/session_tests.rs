//! Sequences of events against a plain reference: whatever an engine may meet, the right bytes leave in the
//! right sends, memory stays bounded, and no session is left with nothing to wait for.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::config::LongLines;
use crate::service::{Echo, EchoBytes, LineService, Lines};

const IDLE: Duration = Duration::from_secs(60);
const LINGER: Duration = Duration::from_secs(5);
const RECEIVE: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Echo,
    EchoClose,
    Bytes,
    /// Each line twice, each copy in a send of its own.
    Twice,
    /// Takes a few bytes of its input at a time.
    Nibble,
    /// Says so many bytes and then finishes, whatever else arrives.
    Taster(usize),
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

/// What is to come back for all of `input`, and where a send must end.
fn reference(kind: Kind, max_line: usize, input: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let lines = || input.split_inclusive(|&byte| byte == b'\n');
    // A line is refused once `max_line` of its bytes lack an LF.
    let short = |line: &&[u8]| line.len() < max_line || (line.len() == max_line && line.ends_with(b"\n"));
    match kind {
        Kind::Echo | Kind::Bytes | Kind::Nibble => (input.to_vec(), Vec::new()),
        Kind::EchoClose => (lines().take_while(short).flatten().copied().collect(), Vec::new()),
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
enum Op {
    /// So many bytes arrive, if the session reads, or even if it does not: an engine may be too late to stop.
    Arrive {
        bytes: usize,
        late: bool,
    },
    /// The send ends; the kernel took so many hundredths of it.
    Sent(usize),
    SentNothing,
    Writable,
    /// The server has no memory left.
    Relieve,
    Pass(Duration),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..=RECEIVE, prop::bool::weighted(0.1)).prop_map(|(bytes, late)| Op::Arrive { bytes, late }),
        5 => (0..=100_usize).prop_map(Op::Sent),
        3 => Just(Op::Sent(100)),
        1 => Just(Op::SentNothing),
        4 => Just(Op::Writable),
        2 => (0..2000_u64).prop_map(|ms| Op::Pass(Duration::from_millis(ms))),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Echo),
        Just(Kind::EchoClose),
        Just(Kind::Bytes),
        Just(Kind::Twice),
        Just(Kind::Nibble),
        (1..100_usize).prop_map(Kind::Taster),
    ]
}

fn some_input() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        prop_oneof![3 => Just(b'\n'), 4 => Just(b'a'), 2 => any::<u8>(), 1 => Just(b'\r'), 1 => Just(0)];
    prop::collection::vec(byte, 0..200)
}

fn limits(cap: usize, min_progress: Option<MinProgress>) -> Arc<SessionLimits> {
    let limits =
        SessionLimits { max_pending_output: cap, min_progress, idle_timeout: Some(IDLE), linger: LINGER };
    Arc::new(limits)
}

/// An engine that does as it is told, with a kernel that is a list of bytes.
struct Bench {
    session: Session,
    kind: Kind,
    max_line: usize,
    cap: usize,
    now: Instant,
    /// What the client says, and how much of it has arrived.
    input: Vec<u8>,
    arrived: usize,
    late: usize,
    /// The send that is out, with the buffer that it refers to.
    out: Option<(Batch, Vec<u8>)>,
    sent: Vec<u8>,
    boundaries: Vec<usize>,
    shut: bool,
    last_progress: Instant,
}

impl Bench {
    fn new(kind: Kind, max_line: usize, cap: usize, input: &[u8]) -> Self {
        let lines = NonZeroUsize::new(max_line).unwrap();
        let service: Box<dyn Service> = match kind {
            Kind::Echo => Box::new(Echo::new(lines, LongLines::Pass)),
            Kind::EchoClose => Box::new(Echo::new(lines, LongLines::Close)),
            Kind::Bytes => Box::new(EchoBytes),
            Kind::Twice => Box::new(Lines::new(lines, Twice)),
            Kind::Nibble => Box::new(Nibble),
            Kind::Taster(most) => Box::new(Taster(most)),
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
            last_progress: now,
        }
    }

    fn reads(&self) -> bool {
        self.session.wants() == Wants::Events { read: true }
    }

    fn is_closed(&self) -> bool {
        matches!(self.session.wants(), Wants::Close(_))
    }

    fn pending(&self) -> usize {
        self.session.output.len() + self.session.in_flight
    }

    fn step(&mut self, op: Op) {
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
            Op::Writable if self.session.is_blocked() => {
                let batch = self.session.on_writable(self.now);
                self.issue(batch, Vec::new());
            }
            Op::Relieve if !self.is_closed() => {
                let batch = self.session.relieve(self.now);
                self.issue(batch, Vec::new());
                assert_eq!(self.session.service.held(), 0, "the service holds on");
            }
            Op::Pass(time) => {
                self.now += time;
                self.session.on_time(0, self.now);
            }
            Op::Arrive { .. } | Op::Writable | Op::Relieve => {}
        }
        self.check();
    }

    fn arrive(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let buffer = self.input[self.arrived..][..bytes].to_vec();
        self.arrived += bytes;
        self.last_progress = self.now;
        let batch = self.session.on_input(&buffer, self.now);
        self.issue(batch, buffer);
    }

    fn end_of_input(&mut self) {
        self.last_progress = self.now;
        let batch = self.session.on_end_of_input(self.now);
        self.issue(batch, Vec::new());
        self.check();
    }

    fn issue(&mut self, batch: Option<Batch>, buffer: Vec<u8>) {
        let Some(batch) = batch else { return };
        assert!(self.out.is_none(), "two sends at once");
        assert!(batch.len() > 0, "a send of nothing");
        let (start, end) = (self.sent.len(), self.sent.len() + batch.len());
        let inside = self.boundaries.iter().find(|&&boundary| start < boundary && boundary < end);
        assert_eq!(inside, None, "a boundary within the send of {start}..{end}");
        self.out = Some((batch, buffer));
    }

    fn end_send(&mut self, result: io::Result<usize>) {
        let Some((batch, buffer)) = self.out.take() else { return };
        if let Ok(taken) = result {
            let all = [&batch.held[..], &buffer[batch.input.clone()]].concat();
            self.sent.extend_from_slice(&all[..taken]);
            if taken > 0 {
                self.last_progress = self.now;
            }
        }
        let next = self.session.on_sent(batch, &buffer, result, self.now);
        self.issue(next, Vec::new());
    }

    /// What holds after every event.
    fn check(&mut self) {
        let factor = if self.kind == Kind::Twice { 2 } else { 1 };
        let bound = self.cap + factor * (self.max_line + RECEIVE + self.late);
        assert!(self.pending() <= bound, "{} bytes pending", self.pending());
        assert!(self.session.untaken.len() <= RECEIVE + self.late);
        match self.session.wants() {
            Wants::ShutOutput => {
                assert!(!self.shut, "shut twice");
                assert!(self.out.is_none() && self.pending() == 0, "shut before everything was sent");
                self.shut = true;
                self.session.on_output_shut(self.now);
            }
            Wants::Events { read: false } => {
                assert!(self.out.is_some() || self.session.is_blocked(), "waits for nothing");
            }
            Wants::Events { read: true } | Wants::Close(_) => {}
        }
        assert!(!(self.shut && self.out.is_some()), "a send after the end of the output");
        if self.session.ending.is_some() {
            assert_eq!(self.session.deadline(), None, "comes up although it is over");
        } else if !self.is_closed() {
            let deadline = self.session.deadline().expect("every wait has an end");
            assert!(deadline > self.now && deadline <= self.now + IDLE);
            if self.session.finishing_since.is_none() && self.session.cut_off_at.is_none() {
                assert_eq!(deadline, self.last_progress + IDLE);
            }
        }
    }

    /// The client reads everything, says the rest and finishes.
    fn play_to_the_end(&mut self) {
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
        }
        panic!("the session never ends");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_leaves_is_what_the_service_said(
        kind in kind(), max_line in 1..20_usize, cap in 1..80_usize, input in some_input(),
        ops in prop::collection::vec(op(), 0..120),
    ) {
        let mut bench = Bench::new(kind, max_line, cap, &input);
        for op in ops {
            bench.step(op);
        }
        // Time passes in some sequences; what ends by a deadline is the subject of another test.
        if !bench.is_closed() {
            bench.play_to_the_end();
            let (expected, _) = reference(kind, max_line, &input);
            prop_assert_eq!(&bench.sent, &expected);
            let refused = kind == Kind::EchoClose || kind == Kind::Twice;
            let ending = if refused && expected.len() < input.len() { Ending::LongLine } else { Ending::Done };
            if kind != Kind::Twice {
                prop_assert_eq!(bench.session.wants(), Wants::Close(ending));
            }
        }
    }

    #[test]
    fn relief_costs_an_echo_no_byte_unless_it_ends_it(
        kind in prop_oneof![Just(Kind::Echo), Just(Kind::Bytes)], max_line in 1..20_usize, cap in 1..80_usize,
        input in some_input(), ops in prop::collection::vec(prop_oneof![5 => op(), 1 => Just(Op::Relieve)], 0..120),
    ) {
        let mut bench = Bench::new(kind, max_line, cap, &input);
        for op in ops {
            bench.step(op);
        }
        if !bench.is_closed() {
            bench.play_to_the_end();
            prop_assert_eq!(&bench.sent, &input);
        }
        prop_assert!(input.starts_with(&bench.sent));
    }

    #[test]
    fn finishing_sends_what_was_said_and_no_more(
        kind in kind(), max_line in 1..20_usize, cap in 1..80_usize, input in some_input(),
        ops in prop::collection::vec(op(), 0..100), more in prop::collection::vec(op(), 0..50),
    ) {
        let mut bench = Bench::new(kind, max_line, cap, &input);
        for op in ops {
            bench.step(op);
        }
        prop_assume!(!bench.is_closed());
        let said = bench.sent.len() + bench.pending();
        let start = bench.now;
        let batch = bench.session.finish(Ending::Drained, bench.now);
        bench.issue(batch, Vec::new());
        bench.check();
        for op in more {
            bench.step(op);
            prop_assert!(bench.is_closed() || bench.now <= start + 2 * LINGER, "outlives its deadline");
        }
        let cut_off = bench.is_closed() && bench.sent.len() < said;
        bench.play_to_the_end();
        let (expected, _) = reference(kind, max_line, &input);
        prop_assert!(expected.starts_with(&bench.sent));
        prop_assert!(cut_off || bench.sent.len() == said, "{} of {said} bytes were sent", bench.sent.len());
    }

    #[test]
    fn a_broken_connection_ends_the_session(
        kind in kind(), input in some_input(), ops in prop::collection::vec(op(), 0..100), after in 0..50_usize,
    ) {
        let mut bench = Bench::new(kind, 10, 40, &input);
        for (n, op) in ops.into_iter().enumerate() {
            bench.step(op);
            if n >= after && bench.out.is_some() && !bench.is_closed() {
                bench.end_send(Err(io::ErrorKind::ConnectionReset.into()));
                prop_assert!(bench.out.is_none());
                prop_assert_eq!(bench.session.wants(), Wants::Close(Ending::Reset));
                break;
            }
        }
    }
}

#[test]
fn a_silent_session_ends_as_idle() {
    let mut bench = Bench::new(Kind::Echo, 10, 40, b"abc");
    bench.arrive(3);
    bench.step(Op::Pass(IDLE.checked_sub(Duration::from_millis(1)).unwrap()));
    assert!(!bench.is_closed());
    bench.step(Op::Pass(Duration::from_millis(1)));
    assert_eq!(bench.session.wants(), Wants::Close(Ending::Idle));
}

#[test]
fn a_client_that_finished_and_does_not_read_cannot_hold_up_a_drain() {
    let mut bench = Bench::new(Kind::Bytes, 10, 40, &[b'a'; 20]);
    bench.arrive(20);
    bench.end_send(Ok(10));
    bench.end_of_input();
    assert!(bench.session.finish(Ending::Drained, bench.now).is_none());
    bench.step(Op::Pass(LINGER));
    assert_eq!(bench.session.wants(), Wants::Close(Ending::CutOff));
}

#[test]
fn a_slow_reader_cannot_stretch_a_drain() {
    let mut bench = Bench::new(Kind::Bytes, 10, 40, &[b'a'; 20]);
    bench.arrive(20);
    let start = bench.now;
    bench.session.finish(Ending::Drained, bench.now);
    while !bench.is_closed() {
        bench.end_send(Ok(1));
        bench.step(Op::Pass(LINGER / 2));
        bench.step(Op::Writable);
    }
    assert!(bench.now <= start + LINGER);
}

#[test]
fn a_timeout_beyond_the_clock_never_comes() {
    let limits = SessionLimits {
        idle_timeout: Some(Duration::MAX),
        linger: Duration::MAX,
        ..(*limits(1, None)).clone()
    };
    let now = Instant::now();
    let mut session = Session::new(Box::new(EchoBytes), Arc::new(limits), now);
    assert_eq!(session.deadline(), None);
    session.finish(Ending::Drained, now);
    assert_eq!(session.deadline(), None);
}

#[test]
fn a_session_is_small() {
    let (session, client) = (size_of::<Session>(), size_of::<crate::worker::Client>());
    println!("measured: a session has {session} bytes, with its peer and permit {client}");
    assert!(session <= 288 && client <= 408);
}

#[test]
fn a_boundary_outlives_a_short_send() {
    let mut bench = Bench::new(Kind::Twice, 10, 100, b"ab\n");
    bench.arrive(3);
    bench.end_send(Ok(1));
    let batch = bench.session.on_writable(bench.now).unwrap();
    assert_eq!(batch.held, b"b\n", "the rest of the first answer leaves alone");
}

#[test]
fn small_pieces_behind_a_blocked_send_cost_little_more_than_they_hold() {
    let input = vec![b'a'; 60_000];
    let mut bench = Bench::new(Kind::Bytes, 10, 64 * 1024, &input);
    bench.arrive(1);
    for _ in 1..input.len() {
        bench.arrive(1);
    }
    let spare = bench.session.output.capacity() - bench.session.output.len();
    assert!(spare <= 8 * 1024, "{spare} bytes spare");
}
