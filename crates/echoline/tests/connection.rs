//! Conversations over real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use echoline::{Connection, Operation, Socket, code};
use proptest::prelude::*;

/// Our end, and the other end as the standard library has it.
fn pair() -> (Connection, TcpStream) {
    let listener = Socket::new().listen(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let ours = Socket::new().connect(&listener.local().into()).unwrap();
    let (theirs, _) = listener.accept().unwrap().into_stream();
    (ours, theirs)
}

fn limit(bytes: usize) -> NonZeroUsize {
    NonZeroUsize::new(bytes).unwrap()
}

/// What the other side says, all of it.
fn send_and_finish(mut theirs: &TcpStream, bytes: &[u8]) {
    theirs.write_all(bytes).unwrap();
    theirs.shutdown(Shutdown::Write).unwrap();
}

#[test]
fn recv_returns_at_most_max_bytes_and_none_at_the_end() {
    let (mut ours, theirs) = pair();
    send_and_finish(&theirs, b"hello");
    let mut received = Vec::new();
    loop {
        let bytes = ours.recv(2).unwrap();
        assert!(bytes.len() <= 2);
        if bytes.is_empty() {
            break;
        }
        received.extend(bytes);
    }
    assert_eq!(received, b"hello");
    assert_eq!(ours.recv(0).unwrap(), b"");
}

#[test]
fn lines_and_bytes_are_read_from_one_stream_in_order() {
    let (mut ours, theirs) = pair();
    send_and_finish(&theirs, b"one\ntwo\r\n\n\xc3\xa9bytes\nlast");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "one");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "two\r");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "");
    assert_eq!(ours.recv(2).unwrap(), "\u{e9}".as_bytes());
    assert_eq!(ours.recv_line().unwrap().unwrap(), "bytes");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "last");
    assert_eq!(ours.recv_line().unwrap(), None);
    assert_eq!(ours.recv_line().unwrap(), None);
}

#[test]
fn what_is_no_text_is_an_error_at_its_byte_and_the_next_line_follows() {
    let (mut ours, theirs) = pair();
    send_and_finish(&theirs, b"caf\xe9\nok\n");
    let error = ours.recv_line().unwrap_err();
    assert_eq!((error.code(), error.operation()), (code::NOT_UTF8, Some(Operation::Receive)));
    assert!(error.to_string().ends_with("sent a line that is no UTF-8: byte 3 is 0xe9"), "{error}");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "ok");
}

#[test]
fn a_line_above_the_limit_is_an_error_and_its_bytes_stay() {
    let (mut ours, theirs) = pair();
    send_and_finish(&theirs, b"123\n1234\n");
    assert_eq!(ours.recv_line_within(limit(4)).unwrap().unwrap(), "123");
    for _ in 0..2 {
        let error = ours.recv_line_within(limit(4)).unwrap_err();
        assert_eq!(error.code(), code::LINE_TOO_LONG);
    }
    assert_eq!(ours.recv_line_within(limit(5)).unwrap().unwrap(), "1234");
    assert_eq!(ours.recv_line_within(limit(5)).unwrap(), None);
}

#[test]
fn a_line_of_a_megabyte_is_read_under_a_limit_of_its_length() {
    let (ours, theirs) = pair();
    let mut line = vec![b'x'; 1_000_000];
    line.push(b'\n');
    let sent = line.clone();
    let sender = thread::spawn(move || send_and_finish(&theirs, &sent));
    let (mut input, _output) = ours.split();
    assert_eq!(input.recv_line_bytes(limit(line.len() - 1)).unwrap_err().code(), code::LINE_TOO_LONG);
    assert!(input.recv_line_bytes(limit(line.len())).unwrap().unwrap() == line);
    assert_eq!(input.recv_line_bytes(limit(1)).unwrap(), None);
    sender.join().unwrap();
}

#[test]
fn a_read_timeout_loses_nothing() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"hel").unwrap();
    ours.set_read_timeout(Some(Duration::ZERO)).unwrap(); // the shortest there is, not for ever
    let error = ours.recv_line().unwrap_err();
    assert_eq!((error.code(), error.operation()), (code::TIMED_OUT, Some(Operation::Receive)));
    assert!(error.to_string().starts_with("nothing moved"), "{error}");
    theirs.write_all(b"lo\na\nb\n").unwrap();
    ours.set_read_timeout(None).unwrap();
    for expected in ["hello", "a", "b"] {
        assert_eq!(ours.recv_line().unwrap().unwrap(), expected);
    }
}

#[test]
fn a_deadline_holds_for_the_whole_line_however_it_drips() {
    let (mut ours, mut theirs) = pair();
    ours.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A line of 10 seconds, if nobody ends it before; then it says how long it is.
    let (end_it, ended) = mpsc::channel();
    let dripping = thread::spawn(move || {
        let mut length = 0;
        while length < 200 && ended.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout)
        {
            theirs.write_all(b"x").unwrap();
            length += 1;
        }
        theirs.write_all(b"\n").unwrap();
        length
    });
    let begin = Instant::now();
    let error = ours.recv_line_until(limit(4096), begin + Duration::from_millis(300)).unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert_eq!((error.code(), error.operation()), (code::TIMED_OUT, Some(Operation::Receive)));
    assert!(error.to_string().ends_with("sent no whole line in time"), "{error}");
    // What came is still there, and so is the timeout of before.
    end_it.send(()).unwrap();
    let length = dripping.join().unwrap();
    assert_eq!(ours.recv_line().unwrap().unwrap(), "x".repeat(length));
    let (stream, _) = ours.into_stream();
    assert_eq!(stream.read_timeout().unwrap(), Some(Duration::from_secs(20)));
}

#[test]
fn a_line_that_is_there_is_read_even_behind_the_deadline() {
    let (mut ours, mut theirs) = pair();
    ours.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    theirs.write_all(b"one\ntwo\nthr").unwrap();
    let late = Instant::now();
    assert_eq!(ours.recv_line_until(limit(9), late + Duration::from_secs(20)).unwrap().unwrap(), "one");
    assert_eq!(ours.recv_line_until(limit(9), late).unwrap().unwrap(), "two");
    assert_eq!(ours.recv_line_until(limit(9), late).unwrap_err().code(), code::TIMED_OUT);
    send_and_finish(&theirs, b"ee\n");
    let soon = late + Duration::from_secs(20);
    assert_eq!(ours.recv_line_until(limit(9), soon).unwrap().unwrap(), "three");
    assert_eq!(ours.recv_line_until(limit(9), soon).unwrap(), None);
}

#[test]
fn what_a_timeout_left_behind_can_be_read_as_bytes() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"hel").unwrap();
    ours.set_read_timeout(Some(Duration::ZERO)).unwrap();
    assert_eq!(ours.recv_line().unwrap_err().code(), code::TIMED_OUT);
    ours.set_read_timeout(None).unwrap();
    assert_eq!(ours.recv(3).unwrap(), b"hel");
    send_and_finish(&theirs, b"lo\nx\n");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "lo");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "x");
}

#[test]
fn a_peer_that_reads_nothing_times_the_send_out() {
    let (mut ours, _theirs) = pair();
    ours.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    let much = vec![0; 64 << 20];
    let error = ours.send(&much).unwrap_err();
    assert_eq!((error.code(), error.operation()), (code::TIMED_OUT, Some(Operation::Send)));
    assert!(error.to_string().ends_with("of 67108864 bytes to send"), "{error}");
}

#[test]
fn finish_ends_the_output_and_leaves_the_input_open() {
    let (mut ours, mut theirs) = pair();
    ours.send_line("question").unwrap();
    ours.finish().unwrap();
    let mut question = String::new();
    theirs.read_to_string(&mut question).unwrap();
    assert_eq!(question, "question\n");
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    assert_eq!(ours.recv_line().unwrap().unwrap(), "answer");
    assert_eq!(ours.recv_line().unwrap(), None);
}

#[test]
fn a_reset_is_an_error_for_the_reader_and_no_signal_for_the_writer() {
    let (mut ours, theirs) = pair();
    socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    let error = ours.recv(1).unwrap_err();
    assert_eq!((error.code(), error.operation()), (code::RESET, Some(Operation::Receive)));
    assert!(error.to_string().contains("broke the connection off"), "{error}");
    let error = ours.send(b"x").unwrap_err();
    assert_eq!((error.code(), error.operation()), (code::RESET, Some(Operation::Send)));
    assert!(error.to_string().ends_with("after 0 of 1 bytes to send"), "{error}");
    assert_eq!(ours.finish().unwrap_err().code(), code::RESET);
}

#[test]
fn a_close_with_unread_input_resets_as_documented() {
    let (ours, theirs) = pair();
    (&theirs).write_all(b"unread").unwrap();
    let (stream, _) = ours.into_stream();
    // It has arrived.
    stream.peek(&mut [0]).unwrap();
    Connection::try_from(stream).unwrap().close();
    let error = (&theirs).read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn the_halves_work_in_two_threads_and_close_together() {
    let (ours, mut theirs) = pair();
    let (mut input, mut output) = ours.split();
    let writer = thread::spawn(move || {
        for number in 0..1000 {
            output.send_line(&number.to_string()).unwrap();
        }
        output.finish().unwrap();
    });
    let echo = thread::spawn(move || std::io::copy(&mut theirs.try_clone().unwrap(), &mut theirs).unwrap());
    for number in 0..1000 {
        assert_eq!(input.recv_line(limit(10)).unwrap().unwrap(), number.to_string());
    }
    writer.join().unwrap();
    echo.join().unwrap();
    assert_eq!(input.recv(1).unwrap(), b"");
}

#[test]
fn the_standard_traits_read_and_write_the_same_streams() {
    let (ours, mut theirs) = pair();
    let (mut input, mut output) = ours.split();
    write!(output, "{}-{}", 1, 2).unwrap();
    output.finish().unwrap();
    let mut seen = String::new();
    theirs.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "1-2");
    send_and_finish(&theirs, b"a\nb\nrest");
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    assert_eq!(line, "a\n");
    assert_eq!(input.recv_line(limit(9)).unwrap().unwrap(), "b");
    let mut rest = String::new();
    input.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "rest");
}

#[test]
fn unread_bytes_come_with_the_stream() {
    let (mut ours, theirs) = pair();
    send_and_finish(&theirs, b"one\ntwo\nthree");
    assert_eq!(ours.recv_line().unwrap().unwrap(), "one");
    let (mut stream, mut bytes) = ours.into_stream();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"two\nthree");
}

#[test]
fn a_stream_of_somebody_else_becomes_a_connection() {
    let (ours, theirs) = pair();
    let other = Connection::try_from(theirs).unwrap();
    assert_eq!((other.local(), other.peer()), (ours.peer(), ours.local()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_mix_of_reads_gives_the_bytes_that_were_sent(
        sent in prop::collection::vec(prop_oneof![6 => any::<u8>(), 1 => Just(b'\n')], 0..3000),
        reads in prop::collection::vec((0..4_u8, 1..60_usize), 1..20),
    ) {
        let (ours, theirs) = pair();
        send_and_finish(&theirs, &sent);
        let (mut input, _output) = ours.split();
        let mut received = Vec::new();
        for (how, n) in reads.iter().cycle() {
            let before = received.len();
            match how {
                0 => received.extend(input.recv(*n).unwrap()),
                1 => match input.recv_line_bytes(limit(*n)) {
                    Ok(line) => received.extend(line.unwrap_or_default()),
                    Err(error) => {
                        prop_assert_eq!(error.code(), code::LINE_TOO_LONG);
                        received.extend(input.recv(*n).unwrap());
                    }
                },
                2 => {
                    let available = input.fill_buf().unwrap();
                    let taken = available.len().min(*n);
                    received.extend_from_slice(&available[..taken]);
                    input.consume(taken);
                }
                _ => {
                    let mut room = vec![0; *n];
                    let read = input.read(&mut room).unwrap();
                    received.extend_from_slice(&room[..read]);
                }
            }
            if received.len() == before {
                break;
            }
        }
        prop_assert!(received == sent);
    }
}
