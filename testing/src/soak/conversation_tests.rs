use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::*;
use crate::soak::content::Lengths;

/// What `hold` makes of a server that serves one connection so. `bend` gets everything that was sent and says what
/// goes back, once the client has finished.
fn against(plan: &Plan, bend: impl FnOnce(Vec<u8>) -> Vec<u8> + Send) -> Outcome {
    with(plan, move |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("the client finishes");
        // The client leaves at the first difference.
        let _ = stream.write_all(&bend(all));
    })
}

fn with(plan: &Plan, serve: impl FnOnce(TcpStream) + Send) -> Outcome {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::scope(|scope| {
        scope.spawn(move || serve(listener.accept().expect("a client").0));
        hold(plan, address, &AtomicBool::new(false))
    })
}

fn echo(mut stream: TcpStream) {
    let mut piece = [0; 5000];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        if stream.write_all(&piece[..length]).is_err() {
            return;
        }
    }
}

/// All of it is on its way before anything comes back.
fn at_once(total: u64) -> Plan {
    Plan { depth: u64::MAX, ..Plan::plain(total, End::FinishAtOnce) }
}

fn difference(outcome: Outcome) -> String {
    match outcome.finding {
        Some(Finding::Difference(text)) => text,
        other => panic!("no difference: {other:?}"),
    }
}

fn ending(outcome: Outcome) -> String {
    match outcome.finding {
        Some(Finding::Ending(text)) => text,
        other => panic!("no unexpected ending: {other:?}"),
    }
}

#[test]
fn an_honest_echo_is_compared_to_the_last_byte_whatever_the_plan() {
    let ends = [End::FinishAtOnce, End::FinishAfterAll, End::CloseAfterAll];
    let pauses = vec![Pause { at: 100, time: Duration::from_millis(3) }];
    for (end, (write, read)) in ends.into_iter().zip([(1, 70_000), (100_000, 1), (3, 7)]) {
        let plan = Plan { write, read, ..Plan::plain(9_000, end) };
        let plan = Plan { write_pauses: pauses.clone(), read_pauses: pauses.clone(), ..plan };
        let outcome = with(&plan, echo);
        assert_eq!(outcome.finding, None);
        assert_eq!((outcome.sent, outcome.compared), (9_000, 9_000));
        assert!(outcome.lines_back > 0 && outcome.lines_back == outcome.lines_sent);
    }
}

#[test]
fn one_altered_bit_of_a_million_bytes_is_named_by_its_place() {
    let outcome = against(&at_once(1_000_000), |mut all| {
        all[700_001] ^= 0x10;
        all
    });
    assert!(difference(outcome).starts_with("byte 700001 differs"));
}

#[test]
fn two_bytes_that_change_places_are_noticed() {
    let outcome = against(&at_once(10_000), |mut all| {
        let other = (101..200).find(|other| all[*other] != all[100]).expect("bytes differ");
        all.swap(100, other);
        all
    });
    assert!(difference(outcome).starts_with("byte 100 differs"));
}

#[test]
fn the_bytes_of_another_conversation_are_noticed() {
    let other = Plan { key: 815, ..at_once(10_000) };
    let mut foreign = Vec::new();
    other.content().append_lines(&mut foreign, 10_000);
    assert!(difference(against(&at_once(10_000), |_| foreign)).starts_with("byte 0 differs"));
}

#[test]
fn a_byte_lost_at_the_close_is_an_ending_before_its_time() {
    let outcome = against(&at_once(10_000), |mut all| {
        all.pop();
        all
    });
    assert!(ending(outcome).contains("FIN came after our FIN, 1 of 10000 bytes short"));
}

#[test]
fn a_byte_lost_in_the_middle_is_a_difference() {
    let outcome = against(&at_once(10_000), |mut all| {
        all.remove(5_000);
        all
    });
    assert!(difference(outcome).starts_with("byte 500"));
}

#[test]
fn a_byte_too_many_is_a_difference() {
    let outcome = against(&at_once(10_000), |mut all| {
        all.push(b'!');
        all
    });
    assert!(difference(outcome).contains("more than the 10000 that were sent"));
}

#[test]
fn a_reset_where_the_fin_belongs_is_unexpected() {
    let outcome = with(&at_once(10_000), |mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("the client finishes");
        stream.write_all(&all).expect("the client reads");
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    });
    assert!(ending(outcome).contains("reset"));
}

#[test]
fn a_fin_before_ours_is_unexpected() {
    let plan = Plan::plain(10_000, End::FinishAfterAll);
    let outcome = with(&plan, |stream| {
        stream.peek(&mut [0]).expect("a first byte");
        stream.shutdown(std::net::Shutdown::Write).expect("a FIN");
        let _ = io::copy(&mut &stream, &mut io::sink());
    });
    assert!(ending(outcome).contains("FIN came before our FIN"));
}

#[test]
fn nobody_listening_is_unexpected_and_no_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let outcome = hold(&at_once(1), address, &AtomicBool::new(false));
    assert!(!outcome.connected);
    assert!(ending(outcome).contains("the connect to 127.0.0.1"));
}

#[test]
fn a_reset_of_ours_comes_at_its_moment_and_is_no_finding() {
    for moment in [Moment::Sent(0), Moment::Sent(777), Moment::Received(500)] {
        let outcome = with(&Plan::plain(10_000, End::ResetAt(moment)), |mut stream| {
            let mut piece = [0; 100];
            let error = loop {
                // The reset comes up once, at a read or at a write.
                let echoed = match stream.read(&mut piece) {
                    Ok(0) => panic!("FIN instead of a reset"),
                    Ok(length) => stream.write_all(&piece[..length]),
                    Err(error) => Err(error),
                };
                if let Err(error) = echoed {
                    break error;
                }
            };
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
        });
        assert_eq!(outcome.finding, None, "{moment}");
        match moment {
            Moment::Sent(bytes) => assert_eq!(outcome.sent, bytes),
            Moment::Received(bytes) => assert!(outcome.compared >= bytes),
        }
    }
}

#[test]
fn no_more_lines_are_on_their_way_than_the_depth() {
    let lengths = Lengths { shortest: 10, longest: 10 };
    let plan = Plan { depth: 3, lengths, write: 1000, ..Plan::plain(1000, End::FinishAfterAll) };
    let outcome = with(&plan, |mut stream| {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            assert!(length <= 30, "{length} bytes at once");
            stream.write_all(&piece[..length]).expect("the client reads");
        }
    });
    assert_eq!(outcome.finding, None);
}
