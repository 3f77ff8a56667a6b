//! The exchange against servers that do right and wrong, over real sockets.

use std::io::{self, Cursor, ErrorKind, Write};
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::connect::conversation::{Stalled, Tally};
use crate::connect::difference::Difference;
use crate::connect::inbox::Inbox;
use crate::connect::trace::Trace;
use crate::connect::window::Position;

fn options() -> Options {
    Options {
        verify: true,
        crlf: false,
        wait: Duration::from_secs(20),
        window: NonZeroUsize::new(64 * 1024).unwrap(),
        trace: Trace::new(false, crate::talk::Talk::default()),
    }
}

/// Runs an exchange with `server`, which gets the accepted connection; returns what came of it and the output.
fn run(
    input: impl Read + Send + 'static,
    options: Options,
    server: impl FnOnce(TcpStream) + Send + 'static,
) -> (Exchanged, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let accepted = listener.accept().unwrap().0;
    // As the program does; else small writes wait for acknowledgements.
    stream.set_nodelay(true).unwrap();
    accepted.set_nodelay(true).unwrap();
    let server = std::thread::spawn(move || server(accepted));
    let mut output = Vec::new();
    let interrupt = Interrupt::new(Arc::clone(&stream));
    let take = |bytes: &[u8]| {
        output.extend_from_slice(bytes);
        Ok(())
    };
    let exchanged = exchange(input, &stream, take, &interrupt, options);
    server.join().unwrap();
    let Ok(exchanged) = exchanged else { panic!("this output never fails") };
    (exchanged, output)
}

#[expect(clippy::needless_pass_by_value, reason = "a server closes its connection")]
fn echo(stream: TcpStream) {
    io::copy(&mut &stream, &mut &stream).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
}

fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Reads all, answers with what `change` makes of it, and finishes.
fn answer(change: impl FnOnce(Vec<u8>) -> Vec<u8> + Send + 'static) -> impl FnOnce(TcpStream) + Send {
    move |mut stream| {
        let received = read_to_end(&stream);
        // The client may leave at the first difference.
        let _ = stream.write_all(&change(received));
    }
}

fn difference(ending: &Ending) -> String {
    match ending {
        Ending::Different(difference, _) => difference.to_string(),
        other => panic!("{other:?} is no difference"),
    }
}

const TEXT: &[u8] = b"one\ntwo\nthree\n";

#[test]
fn every_byte_comes_back_as_it_was_sent() {
    let text = b"line\r\n\0\xff\n\n\r\nunfinished".repeat(5000);
    let (exchanged, output) = run(Cursor::new(text.clone()), options(), echo);
    assert!(matches!(exchanged.ending, Ending::Complete), "{:?}", exchanged.ending);
    assert_eq!(output, text);
    assert_eq!((exchanged.sent, exchanged.received), (exchanged.received, exchanged.sent));
    assert_eq!((exchanged.sent.lines, exchanged.sent.bytes), (20_001, text.len() as u64));
}

#[test]
fn no_input_is_no_line() {
    let (exchanged, output) = run(io::empty(), options(), echo);
    assert!(matches!(exchanged.ending, Ending::Complete));
    assert_eq!((exchanged.sent, output.len()), (Tally::default(), 0));
}

#[test]
fn an_altered_byte_is_named() {
    let server = answer(|mut bytes| {
        bytes[9] = b'H';
        bytes
    });
    let (exchanged, _) = run(TEXT, options(), server);
    assert_eq!(difference(&exchanged.ending), "line 3, byte 2: sent 'h' (0x68), received 'H' (0x48)");
}

#[test]
fn an_added_byte_is_named() {
    let server = answer(|mut bytes| {
        bytes.insert(4, b'!');
        bytes
    });
    let (exchanged, _) = run(TEXT, options(), server);
    assert_eq!(difference(&exchanged.ending), "line 2, byte 1: 1 byte came that was not sent: \"!\"");
}

#[test]
fn a_dropped_byte_is_named() {
    let server = answer(|mut bytes| {
        bytes.remove(4);
        bytes
    });
    let (exchanged, _) = run(TEXT, options(), server);
    assert_eq!(difference(&exchanged.ending), "line 2, byte 1: 1 byte did not come back: \"t\"");
}

#[test]
fn bytes_behind_the_last_are_named() {
    let server = answer(|mut bytes| {
        bytes.extend_from_slice(b"bye");
        bytes
    });
    let (exchanged, output) = run(TEXT, options(), server);
    let named = "line 4, byte 1, behind all that was sent: 3 bytes came that were not sent: \"bye\"";
    assert_eq!(difference(&exchanged.ending), named);
    assert_eq!(output, b"one\ntwo\nthree\nbye");
}

#[test]
fn a_changed_line_ending_is_named() {
    let server = answer(|bytes| String::from_utf8(bytes).unwrap().replace('\n', "\r\n").into_bytes());
    let (exchanged, _) = run(TEXT, options(), server);
    let named = "line 1, byte 4: the line ending was sent as LF (0x0a) and came back as CRLF (0x0d 0x0a)";
    assert_eq!(difference(&exchanged.ending), named);
}

#[test]
fn a_dropped_tail_is_missing_from_its_line() {
    let (exchanged, output) = run(TEXT, options(), answer(|bytes| bytes[..9].to_vec()));
    let Ending::CutOff(missing) = exchanged.ending else { panic!("{:?}", exchanged.ending) };
    assert_eq!(missing.to_string(), "5 bytes missing from line 3, byte 2");
    assert_eq!(output, b"one\ntwo\nt");
}

#[test]
fn a_reset_says_what_is_missing() {
    let (exchanged, _) = run(TEXT, options(), |mut stream| {
        let mut first = [0; 4];
        stream.read_exact(&mut first).unwrap();
        stream.write_all(&first).unwrap();
        // A close with input unread sends RST; wait until there is some.
        stream.peek(&mut [0]).unwrap();
    });
    match exchanged.ending {
        Ending::Broken(error, Some(missing)) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(matches!(missing, Difference::Missing { bytes: 10 | 14, .. }), "{missing:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_that_says_nothing_is_no_reply() {
    let wait = Duration::from_millis(100);
    let (keep, _kept) = mpsc::channel();
    let (exchanged, _) = run(TEXT, Options { wait, ..options() }, move |stream| {
        read_to_end(&stream);
        keep.send(stream).unwrap();
    });
    let Ending::NoReply { missing: 14, stalled: Stalled::Ended, from } = exchanged.ending else {
        panic!("{:?}", exchanged.ending);
    };
    assert_eq!(from, Position::START);
}

#[test]
fn a_line_larger_than_the_window_stalls_with_a_reason() {
    let options =
        Options { wait: Duration::from_millis(100), window: NonZeroUsize::new(1000).unwrap(), ..options() };
    let (exchanged, _) = run(Cursor::new(vec![b'x'; 5000]), options, |stream| {
        read_to_end(&stream);
    });
    let Ending::NoReply { missing, stalled, .. } = exchanged.ending else { panic!("{:?}", exchanged.ending) };
    assert_eq!((missing, stalled), (1000, Stalled::WindowFull));
}

#[test]
fn a_server_that_reads_nothing_until_its_answer_is_taken_does_not_lock_up() {
    // It holds back its reading while 8 KiB of answer wait, as a server with a capped output does.
    let text = Cursor::new(b"0123456\n".repeat(1 << 20));
    let (exchanged, output) = run(text, options(), |mut stream| {
        let mut piece = [0; 8192];
        loop {
            match stream.read(&mut piece).unwrap() {
                0 => return,
                length => stream.write_all(&piece[..length]).unwrap(),
            }
        }
    });
    assert!(matches!(exchanged.ending, Ending::Complete), "{:?}", exchanged.ending);
    assert_eq!(output.len(), 8 << 20);
}

#[test]
fn a_server_that_leaves_while_the_input_goes_on_closed_early() {
    let (input, feed) = io::pipe().unwrap();
    let (exchanged, output) = run(input, options(), move |mut stream| {
        (&feed).write_all(b"one\n").unwrap();
        let mut line = [0; 4];
        stream.read_exact(&mut line).unwrap();
        stream.write_all(&line).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        read_to_end(&stream);
        drop(feed);
    });
    assert!(matches!(exchanged.ending, Ending::ClosedEarly(None)), "{:?}", exchanged.ending);
    assert_eq!(output, b"one\n");
}

#[test]
fn a_server_that_never_finishes_is_left_after_the_wait() {
    // A server that is held up has to have answered by then.
    let wait = Duration::from_secs(1);
    let (keep, _kept) = mpsc::channel();
    let (exchanged, _) = run(TEXT, Options { wait, ..options() }, move |mut stream| {
        let text = read_to_end(&stream);
        stream.write_all(&text).unwrap();
        keep.send(stream).unwrap();
    });
    assert!(matches!(exchanged.ending, Ending::LeftOpen), "{:?}", exchanged.ending);
}

#[test]
fn without_verifying_any_answer_is_passed_on() {
    let options = Options { verify: false, ..options() };
    let (exchanged, output) = run(TEXT, options, answer(|_| b"HTTP/1.1 400 Bad Request\r\n".to_vec()));
    assert!(matches!(exchanged.ending, Ending::Complete), "{:?}", exchanged.ending);
    assert_eq!(output, b"HTTP/1.1 400 Bad Request\r\n");
}

#[test]
fn with_crlf_each_line_leaves_with_crlf_and_is_compared_with_that() {
    let (sent, arrived) = mpsc::channel();
    let (exchanged, output) = run(TEXT, Options { crlf: true, ..options() }, move |mut stream| {
        let received = read_to_end(&stream);
        stream.write_all(&received).unwrap();
        sent.send(received).unwrap();
    });
    assert!(matches!(exchanged.ending, Ending::Complete), "{:?}", exchanged.ending);
    assert_eq!(arrived.recv().unwrap(), b"one\r\ntwo\r\nthree\r\n");
    assert_eq!(output, b"one\r\ntwo\r\nthree\r\n");
}

#[test]
fn an_input_that_fails_ends_the_exchange() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::IsADirectory.into())
        }
    }
    let (exchanged, _) = run(Failing, options(), echo);
    let Ending::InputFailed(error) = exchanged.ending else { panic!("{:?}", exchanged.ending) };
    assert_eq!(error.kind(), ErrorKind::IsADirectory);
}

#[test]
fn an_interrupt_ends_the_exchange_and_keeps_its_counts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let server = listener.accept().unwrap().0;
    std::thread::spawn(move || echo(server));
    let (input, mut feed) = io::pipe().unwrap();
    feed.write_all(b"one\n").unwrap();
    let interrupt = Interrupt::new(Arc::clone(&stream));
    // The interrupt comes when the line is back, while the input is still open.
    let now = interrupt.clone();
    let output = |_: &[u8]| {
        now.interrupt();
        Ok(())
    };
    let Ok(exchanged) = exchange(input, &stream, output, &interrupt, options()) else { panic!() };
    assert!(matches!(exchanged.ending, Ending::Interrupted), "{:?}", exchanged.ending);
    assert_eq!((exchanged.sent.bytes, exchanged.received.bytes), (4, 4));
}

#[test]
fn an_unfinished_line_counts_once_however_it_is_cut() {
    let mut tally = Tally::default();
    for piece in [&b"a"[..], b"b", b"\n", b"", b"c\nd"] {
        tally.add(piece);
    }
    assert_eq!((tally.lines, tally.bytes), (3, 6));
}

/// A connection whose other end has no room and takes nothing, and which the system gives up after half a second; and
/// that other end.
#[cfg(target_os = "linux")]
fn given_up() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&listener).set_recv_buffer_size(4096).unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let socket = socket2::SockRef::from(&stream);
    socket.set_tcp_user_timeout(Some(Duration::from_millis(500))).unwrap();
    (Arc::new(stream), listener.accept().unwrap().0)
}

/// With a sender that waits for its input when the connection is given up, and with one that waits for room.
#[test]
#[cfg(target_os = "linux")]
fn a_connection_that_the_system_gave_up_is_lost_and_no_end_in_order() {
    for bytes in [200 << 10, 64 << 20] {
        let (stream, _other) = given_up();
        let (input, mut writer) = io::pipe().unwrap();
        let feeder = std::thread::spawn(move || {
            // The reader goes when the exchange is over.
            let _ = writer.write_all(&vec![b'x'; bytes]);
            writer
        });
        let interrupt = Interrupt::new(Arc::clone(&stream));
        let options = Options { window: NonZeroUsize::new(128 << 20).unwrap(), ..options() };
        let exchanged = exchange(input, &stream, |_| Ok(()), &interrupt, options);
        let Ok(Exchanged { ending, .. }) = exchanged else { panic!("this output never fails") };
        let Ending::Broken(error, Some(_)) = ending else { panic!("{bytes}: {ending:?}") };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(feeder);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn why_a_connection_broke_is_known_even_if_only_the_sender_was_told() {
    let (stream, _other) = given_up();
    let options = Options { window: NonZeroUsize::new(128 << 20).unwrap(), ..options() };
    let shared = Arc::new(Shared::new(options.window));
    let sender = Sender { shared: Arc::clone(&shared), stream: Arc::clone(&stream), options };
    sender.run(Cursor::new(vec![b'x'; 64 << 20]));
    let ending = Receiver::new(&shared, &stream, options).run(&mut |_: &[u8]| Ok(()));
    let Ok(Ending::Broken(error, Some(_))) = ending else { panic!("not broken") };
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
#[cfg(target_os = "linux")]
fn the_terminal_says_of_a_connection_that_the_system_gave_up_that_it_is_lost() {
    let (stream, _other) = given_up();
    let (told, texts) = mpsc::channel();
    let trace = Trace::new(false, crate::talk::Talk::default());
    let show = move |text| told.send(text).unwrap();
    let inbox = Inbox::open(Arc::clone(&stream), true, trace, show).unwrap();
    // More than there is room for on the other side, and less than on this one.
    (&*stream).write_all(&[b'x'; 200 << 10]).unwrap();
    let text = texts.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(text.starts_with("The connection is lost: what was sent is no longer acknowledged."), "{text}");
    let error = inbox.end(Duration::from_secs(20)).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}
