//! `echoline check` against programs that talk otherwise than was expected of them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::{Ended, Serving, bound, echoline};

fn check(arguments: &[&str]) -> Ended {
    echoline(&[&["check"], arguments].concat())
}

/// Says this to every client, and closes.
fn saying(text: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that left already is none of the test's concern.
            let _ = stream.and_then(|mut stream| stream.write_all(text));
        }
    });
    address
}

/// Answers each piece that it reads with what `answer` makes of it, and finishes behind its client.
fn answering(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> String {
    answering_until(answer, |_| ())
}

/// The same, and when its client has finished it ends as `end` does.
fn answering_until(
    answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
    end: impl FnOnce(TcpStream) + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut piece = [0; 16 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            // The client may leave at the first difference.
            let _ = stream.write_all(&answer(&piece[..length]));
        }
        end(stream);
    });
    address
}

#[test]
fn a_server_that_echoes_the_tail_and_does_not_end_is_not_said_to_lose_it() {
    let (told, wait) = mpsc::channel();
    let address = answering_until(<[u8]>::to_vec, move |_| wait.recv().unwrap());
    let ended = check(&["-w", "2s", "--expect", "echo", &address]);
    told.send(()).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    assert!(ended.out().contains("But it did not end its output in "), "{}", ended.out());
    assert!(ended.out().contains("10 bytes, all came back, and no end behind them"), "{}", ended.out());
    for false_words in ["lose", "only 10", "it sent"] {
        assert!(!ended.out().contains(false_words), "{}", ended.out());
    }
}

#[test]
fn a_server_that_takes_its_leave_behind_the_tail_is_found_to_add_to_it() {
    let address = answering_until(<[u8]>::to_vec, |mut stream| stream.write_all(b"bye\n").unwrap());
    let ended = check(&["-w", "2s", "--expect", "echo", &address]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    assert!(ended.out().contains("with 4 bytes that nobody sent, the first behind it"), "{}", ended.out());
    assert!(ended.out().contains("FAIL  echo"), "{}", ended.out());
}

#[test]
fn a_server_that_turns_cr_lf_into_lf_is_found_to_do_so() {
    let address =
        answering(|piece| piece.strip_suffix(b"\r\n").map_or(piece.to_vec(), |text| [text, b"\n"].concat()));
    let ended = check(&["-w", "2s", "--expect", "echo", &address]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    assert!(ended.out().contains("came back with LF in place of CR LF"), "{}", ended.out());
    assert!(ended.out().contains("[altered, certain]"), "{}", ended.out());
}

#[test]
fn a_server_that_says_more_than_it_got_is_found_to_add_and_one_that_greets_is_named() {
    let address = answering(|piece| [piece, piece].concat());
    let ended = check(&["-w", "2s", "--expect", "echo", &address]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    for words in ["[added, certain]", "with 32 bytes that nobody sent, the first behind it", "32 bytes more"]
    {
        assert!(ended.out().contains(words), "{words}: {}", ended.out());
    }
    assert!(!ended.out().contains("changed"), "{}", ended.out());

    let greeted = Cell::new(false);
    let address = answering(move |piece| {
        let greeting = if greeted.replace(true) { &b""[..] } else { b"220 hello.example ESMTP\r\n" };
        [greeting, piece].concat()
    });
    let ended = check(&["-w", "2s", "--expect", "echo", &address]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    assert!(ended.out().contains("is no echo service. It speaks SMTP."), "{}", ended.out());
    assert!(ended.out().contains("[not-echo, certain]"), "{}", ended.out());
}

#[test]
fn another_program_on_the_port_is_no_echo_service() {
    let address = saying(b"220 mail.example ESMTP\r\n").to_string();
    let ended = check(&["--expect", "echo", &address]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out().contains("is no echo service. It speaks SMTP."), "{}", ended.out());
    assert!(ended.out().contains("[not-echo, certain]"), "{}", ended.out());
}

#[test]
fn a_url_with_http_is_fine_only_where_http_is_spoken() {
    let address = answering(|request| {
        assert!(request.starts_with(b"HEAD / HTTP/1.1\r\n"));
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec()
    });
    let ended = check(&["-w", "2s", &format!("http://{address}")]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    assert!(ended.out().contains("It speaks HTTP.   [ok, certain]"), "{}", ended.out());

    let ssh = saying(b"SSH-2.0-Test\r\n").to_string();
    for scheme in ["http", "https"] {
        let ended = check(&[&format!("{scheme}://{ssh}")]);
        assert_eq!(ended.code, Some(1), "{}", ended.out());
        assert!(ended.out().contains("It speaks SSH."), "{}", ended.out());
        for words in ["[unexpected-reply, certain]", "echoline explain unexpected-reply", "FAIL  greeting"] {
            assert!(ended.out().contains(words), "{words}: {}", ended.out());
        }
    }

    let silent = answering(|_| Vec::new());
    let ended = check(&["-w", "200ms", &format!("HTTP://{silent}")]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    for words in ["no answer to a HEAD request of HTTP in ", "[no-reply, likely]", "a HEAD request was sent"]
    {
        assert!(ended.out().contains(words), "{words}: {}", ended.out());
    }
}

#[test]
fn an_answer_of_http_that_comes_byte_by_byte_is_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        for byte in b"HTTP/1.1 200 OK\r\n\r\n" {
            // The client has its answer with the end of the first line.
            let _ = stream.write_all(&[*byte]);
            thread::sleep(Duration::from_millis(1));
        }
    });
    let ended = check(&["-w", "2s", &format!("http://{address}")]);
    assert!(ended.out().contains("It speaks HTTP.   [ok, certain]"), "{}", ended.out());
}

#[test]
fn what_the_other_side_says_is_quoted_on_one_line_and_its_quotation_marks_are_escaped() {
    let said = "\"quoted\" words that go on and on, ".repeat(5) + "and end\r\n";
    let address = saying(said.clone().leak().as_bytes()).to_string();
    let ended = check(&[&address]);
    let quotation = format!("\"{}\"\n", said.trim_end().replace('"', "\\\""));
    assert!(ended.out().contains(&quotation), "{}", ended.out());
}

#[test]
fn nothing_is_sent_where_only_a_connection_is_expected_and_a_greeting_is_named() {
    let address = saying(b"SSH-2.0-Test\x1b[2J\r\n").to_string();
    let ended = check(&[&address]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    assert!(ended.out().contains("It speaks SSH."), "{}", ended.out());
    assert!(ended.out().contains(r"SSH-2.0-Test\x1b[2J"), "{}", ended.out());
    assert!(!ended.stdout.contains(&0x1b));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ended = check(&[&address]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(std::io::read_to_string(&mut stream).unwrap(), "");
}

#[test]
fn of_a_whoami_that_does_not_answer_nothing_is_told_but_that() {
    let serving = Serving::echo(&["-q"]);
    let closing = saying(b"");
    let port = closing.port().to_string();
    let echo = serving.address(0).to_string();
    let ended = check(&["--expect", "echo", "--whoami", &port, "--backends", "3", &echo]);
    let first = ended.out().lines().next().unwrap();
    assert!(first.contains("But asking whoami failed: ") && first.ends_with("[ok, certain]"), "{first}");
    assert!(ended.out().contains("nobody answered: 0 of 3 connections"), "{}", ended.out());
    for false_words in ["one instance", "own address", "instances answered", "cannot tell"] {
        assert!(!ended.out().contains(false_words), "{false_words}: {}", ended.out());
    }

    let (_held, closed) = bound();
    let ended = check(&["--expect", "echo", "--whoami", &closed.port().to_string(), &echo]);
    let refusals = ended.out().lines().filter(|line| line.contains("refused the connection"));
    for line in refusals.clone() {
        assert_eq!(line.matches(&closed.to_string()).count(), 1, "{line}");
    }
    assert_eq!(refusals.count(), 2, "{}", ended.out());
}

#[test]
fn a_program_that_does_not_reply_in_time_may_be_given_longer() {
    let silent = answering(|_| Vec::new());
    let ended = check(&["-w", "200ms", "--expect", "echo", &silent]);
    assert!(ended.out().contains("[no-reply, likely]"), "{}", ended.out());
    assert!(ended.out().contains("next  if it may only be slow, give it longer: -w 1m"), "{}", ended.out());
}
