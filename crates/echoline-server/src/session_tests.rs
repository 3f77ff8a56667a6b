//! Sequences of events against a plain reference: whatever an engine may meet, the right bytes leave in the
//! right sends, memory stays bounded, and no session is left with nothing to wait for.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use proptest::prelude::*;

use super::bench::{Bench, IDLE, Kind, LINGER, Op, RECEIVE, limits, reference};
use super::*;
use crate::service::{EchoBytes, LineService, Lines};

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1..=RECEIVE, prop::bool::weighted(0.1)).prop_map(|(bytes, late)| Op::Arrive { bytes, late }),
        5 => (0..=100_usize).prop_map(Op::Sent),
        3 => Just(Op::Sent(100)),
        1 => Just(Op::SentNothing),
        4 => Just(Op::Writable),
        3 => Just(Op::Computed),
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
        Just(Kind::Thinker),
    ]
}

fn some_input() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        prop_oneof![3 => Just(b'\n'), 4 => Just(b'a'), 2 => any::<u8>(), 1 => Just(b'\r'), 1 => Just(0)];
    prop::collection::vec(byte, 0..200)
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
            let refused = matches!(kind, Kind::EchoClose | Kind::Twice | Kind::Thinker);
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
    fn in_any_order_of_events_a_session_ends_and_says_why(
        kind in kind(), max_line in 1..20_usize, cap in 1..80_usize, input in some_input(),
        least in prop::option::of(1..50_u64),
        ops in prop::collection::vec(prop_oneof![
            20 => op(), 1 => Just(Op::Relieve), 1 => Just(Op::EndOfInput), 1 => Just(Op::Broken), 1 => Just(Op::Finish)
        ], 0..120),
    ) {
        let bench = Bench::new(kind, max_line, cap, &input);
        let interval = Duration::from_secs(3);
        match least.and_then(NonZeroU64::new) {
            Some(bytes) => bench.with_min_progress(MinProgress { bytes, interval }).play(ops),
            None => bench.play(ops),
        }
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
        bench.step(Op::Finish);
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
                bench.step(Op::Broken);
                prop_assert!(bench.out.is_none());
                prop_assert_eq!(bench.session.wants(), Wants::Close(Ending::Reset));
                break;
            }
        }
    }
}

#[test]
fn a_greeting_is_sent_before_anything_arrives() {
    struct Greets;
    impl LineService for Greets {
        fn on_open(&mut self, _peer: &Peer, out: &mut Out<'_>) {
            out.write(b"hello\n");
        }
        fn on_line(&mut self, _line: &[u8], _out: &mut Out<'_>) {}
    }
    let now = Instant::now();
    let service = Lines::new(NonZeroUsize::new(10).unwrap(), Greets);
    let mut session = Session::new(Box::new(service), limits(10, None), now);
    let address = std::net::SocketAddr::from(([192, 0, 2, 1], 1));
    let batch = session.on_open(&Peer { address, local: address, tcp: None }, now).expect("a greeting");
    assert_eq!((&batch.held[..], batch.input), (&b"hello\n"[..], 0..0));
}

#[test]
fn a_job_that_panics_ends_the_session_as_a_fault() {
    let mut bench = Bench::new(Kind::Thinker, 10, 40, b"line\n");
    bench.step(Op::Arrive { bytes: 5, late: false });
    assert!(bench.session.on_computed(None, bench.now).is_none());
    assert_eq!(bench.session.wants(), Wants::Close(Ending::Fault));
}

#[test]
fn lines_are_counted_once() {
    let mut bench = Bench::new(Kind::Echo, 10, 40, b"one\ntwo\nthr");
    bench.step(Op::Arrive { bytes: 11, late: false });
    assert_eq!([bench.session.take_tally().lines, bench.session.take_tally().lines], [2, 0]);
}

/// Takes one byte at a time, answers with two sends, and counts how often it is asked.
struct Counts {
    asked: Arc<AtomicUsize>,
    computes: bool,
}
impl Service for Counts {
    fn on_input(&mut self, _input: &[u8], out: &mut Out<'_>) -> usize {
        self.asked.fetch_add(1, Relaxed);
        out.write(b"xx");
        out.boundary();
        out.write(b"yy");
        if self.computes {
            out.compute(Vec::new);
        }
        1
    }
}

#[test]
fn a_service_is_not_asked_while_its_output_is_full_or_its_job_is_under_way_or_all_is_over() {
    let asked = Arc::new(AtomicUsize::new(0));
    let start = |computes, cap| {
        asked.store(0, Relaxed);
        let now = Instant::now();
        let service = Counts { asked: Arc::clone(&asked), computes };
        let mut session = Session::new(Box::new(service), limits(cap, None), now);
        let batch = session.on_input(b"abc", now).expect("the first send");
        (session, batch, now)
    };
    let (mut session, batch, now) = start(false, 2);
    let batch = session.on_sent(batch, &[], Ok(2), now).expect("the second send");
    assert_eq!((asked.load(Relaxed), &batch.held[..]), (1, &b"yy"[..]), "two bytes are the cap");
    assert!(session.on_sent(batch, &[], Ok(2), now).is_some());
    assert_eq!(asked.load(Relaxed), 2);

    let (mut session, batch, now) = start(true, 20);
    assert!(session.take_job().is_some());
    session.on_sent(batch, &[], Ok(2), now);
    assert_eq!(asked.load(Relaxed), 1, "its job is under way");
    session.on_computed(Some(Vec::new()), now);
    assert_eq!(asked.load(Relaxed), 2);

    let (mut session, batch, now) = start(false, 20);
    session.on_failed(Ending::Reset);
    assert!(session.on_sent(batch, &[], Ok(2), now).is_none());
    assert_eq!(asked.load(Relaxed), 1, "the connection is broken");
}

/// Takes one byte at a time, and notes what it is told.
struct Notes(Arc<Mutex<Vec<&'static str>>>, bool);
impl Service for Notes {
    fn on_input(&mut self, _input: &[u8], out: &mut Out<'_>) -> usize {
        self.0.lock().unwrap().push("input");
        out.write(b"x");
        if self.1 {
            out.compute(Vec::new);
        }
        1
    }
    fn on_computed(&mut self, _result: Vec<u8>, _out: &mut Out<'_>) {
        self.0.lock().unwrap().push("computed");
    }
    fn on_finish(&mut self, _out: &mut Out<'_>) {
        self.0.lock().unwrap().push("finish");
    }
}

#[test]
fn a_service_hears_of_the_end_once_when_it_has_all_input_and_no_job() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let now = Instant::now();
    let start = |computes| Session::new(Box::new(Notes(Arc::clone(&told), computes)), limits(20, None), now);
    let mut session = start(false);
    let batch = session.on_input(b"ab", now).expect("an answer");
    assert!(session.on_end_of_input(now).is_none());
    let batch = session.on_sent(batch, &[], Ok(1), now).expect("another");
    assert!(session.on_sent(batch, &[], Ok(1), now).is_none());
    assert_eq!(session.wants(), Wants::Close(Ending::Done));
    assert_eq!(std::mem::take(&mut *told.lock().unwrap()), ["input", "input", "finish"]);

    let mut session = start(true);
    let batch = session.on_input(b"a", now).expect("an answer");
    assert!(session.take_job().is_some() && session.on_end_of_input(now).is_none());
    assert!(session.on_sent(batch, &[], Ok(1), now).is_none());
    session.on_computed(Some(Vec::new()), now);
    assert_eq!(session.wants(), Wants::Close(Ending::Done));
    assert_eq!(*told.lock().unwrap(), ["input", "computed", "finish"]);
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
fn who_does_not_take_our_last_bytes_is_cut_off_after_the_linger_time() {
    let mut bench = Bench::new(Kind::Taster(20), 10, 40, &[b'a'; 30]);
    bench.arrive(24);
    bench.end_send(Ok(1));
    bench.step(Op::Pass(LINGER.checked_sub(Duration::from_millis(1)).unwrap()));
    assert!(!bench.is_closed());
    bench.step(Op::Pass(Duration::from_millis(1)));
    assert_eq!(bench.session.wants(), Wants::Close(Ending::CutOff));
}

#[test]
fn who_has_finished_may_read_as_long_as_a_client_that_goes_on() {
    let mut bench = Bench::new(Kind::Bytes, 10, 40, &[b'a'; 20]);
    bench.arrive(20);
    bench.end_of_input();
    bench.end_send(Ok(10));
    bench.step(Op::Pass(LINGER));
    assert!(!bench.is_closed());
    bench.step(Op::Pass(IDLE));
    assert_eq!(bench.session.wants(), Wants::Close(Ending::Idle));
}

#[test]
fn a_client_that_finished_and_does_not_read_cannot_hold_up_a_drain() {
    let mut bench = Bench::new(Kind::Bytes, 10, 40, &[b'a'; 20]);
    bench.arrive(20);
    bench.end_send(Ok(10));
    bench.end_of_input();
    bench.step(Op::Finish);
    bench.step(Op::Pass(LINGER));
    assert_eq!(bench.session.wants(), Wants::Close(Ending::CutOff));
}

#[test]
fn a_slow_reader_cannot_stretch_a_drain() {
    let mut bench = Bench::new(Kind::Bytes, 10, 40, &[b'a'; 20]);
    bench.arrive(20);
    let start = bench.now;
    bench.step(Op::Finish);
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
    let mut session = Session::new(Box::new(EchoBytes::default()), Arc::new(limits), now);
    assert_eq!(session.deadline(), None);
    session.finish(Ending::Drained, now);
    assert_eq!(session.deadline(), None);
}

#[test]
fn a_session_is_small() {
    let (session, client) = (size_of::<Session>(), size_of::<crate::worker::Client>());
    println!("measured: a session has {session} bytes, with its peer and permit {client}");
    assert!(session <= 296 && client <= 416, "{session} {client}");
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
