//! `connect` between files and pipes: data on standard output, talk on standard error, exit codes.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

use echoline_testing::has_ipv6;
use rustix::process::{Pid, Signal, kill_process};

use support::hostile::{Server, settled};
use support::{ECHOLINE, Serving, echoline, end_of, finish};

/// Bytes that a terminal, a text tool or a C string would not survive; the last line has no end.
const AWKWARD: &[u8] = b"plain\n\n\r\n\0\xff\xfe\x1b[2J\xc2\x9b\rlone\n\xe2\x80\xae unfinished";

fn connect(arguments: &[&str], input: &[u8]) -> support::Ended {
    finish(Command::new(ECHOLINE).arg("connect").args(arguments), input)
}

#[test]
fn without_a_host_there_is_a_server_in_this_process_and_every_byte_comes_back() {
    let ended = connect(&[], AWKWARD);
    assert_eq!((ended.stdout.as_slice(), ended.code), (AWKWARD, Some(0)));
    let said: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(said[0], "No host given: started an echo server in this process.");
    assert!(
        said[1].starts_with("Connected 127.0.0.1:") && said[1].contains(" (client) -> 127.0.0.1:"),
        "{said:?}"
    );
    let summary = format!("5 lines, {} bytes, identical. Round trip ", AWKWARD.len());
    assert!(said[2].starts_with(&summary), "{said:?}");
    assert_eq!(said.len(), 3);
}

#[test]
fn an_ipv6_only_embedded_server_is_on_the_ipv6_loopback() {
    if !has_ipv6("an_ipv6_only_embedded_server_is_on_the_ipv6_loopback") {
        return;
    }
    let ended = connect(&["-6"], b"six\n");
    assert!(ended.stderr.contains("(client) -> [::1]:"), "{}", ended.stderr);
    assert_eq!((ended.out(), ended.code), ("six\n", Some(0)));
}

#[test]
fn quiet_leaves_the_data_alone() {
    let ended = connect(&["-q"], AWKWARD);
    assert_eq!((ended.stdout.as_slice(), ended.stderr.as_str(), ended.code), (AWKWARD, "", Some(0)));
}

#[test]
fn no_input_is_a_conversation_of_nothing() {
    let ended = connect(&[], b"");
    assert!(ended.stderr.ends_with("Nothing sent, and nothing came back.\n"), "{}", ended.stderr);
    assert_eq!((ended.out(), ended.code), ("", Some(0)));
}

#[test]
fn with_crlf_each_line_comes_back_with_crlf() {
    let ended = connect(&["-q", "-C"], b"one\ntwo\r\nthree");
    assert_eq!((ended.out(), ended.code), ("one\r\ntwo\r\nthree", Some(0)));
}

#[test]
fn verbose_tells_of_names_attempts_and_round_trips() {
    let serving = Serving::echo(&[]);
    let port = serving.address(0).port().to_string();
    let ended = connect(&["-v", "-4", "localhost", &port], b"one\ntwo\n");
    assert!(ended.stderr.contains("localhost is 127.0.0.1 (found in "), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("Trying 127.0.0.1:{port}\n")), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.starts_with("Round trip of 2 lines: min "), "{last}");
    assert!([", mean ", ", p99 ", ", max "].iter().all(|word| last.contains(word)), "{last}");
}

#[test]
fn the_trace_reads_as_a_learner_writes_it() {
    let ended = connect(&["--trace"], b"hello\n");
    let said =
        ended.stderr.lines().filter(|line| !line.starts_with(char::is_uppercase) && !line.starts_with('1'));
    let calls: Vec<_> = said.map(|line| line.split(" -> connected").next().unwrap()).collect();
    // Sending and receiving go on at once: the finish may come before or behind the first receive.
    let mut received: Vec<_> = calls.clone();
    received.retain(|line| !line.starts_with("shutdown"));
    assert!(received[0].starts_with("connect(127.0.0.1:"), "{calls:?}");
    let rest =
        ["send 6 bytes", "recv(4096) -> 6 bytes", "recv(4096) -> 0: the other side has finished", "close"];
    assert_eq!(received[1..], rest);
    assert!(calls.contains(&"shutdown(write): our side has finished"), "{calls:?}");
    assert_eq!(ended.out(), "hello\n");
}

#[test]
fn json_is_one_document_and_all_there_is_on_standard_output() {
    let ended = connect(&["--json"], b"one\ntwo\n");
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&document["result"], &document["embedded"]), (&"identical".into(), &true.into()));
    assert_eq!(document["schema"], "echoline-connect/1");
    for side in ["sent", "received"] {
        assert_eq!(document[side], serde_json::json!({"lines": 2, "bytes": 8}));
    }
    let times = &document["round_trip"];
    assert_eq!(times["lines"], 2);
    for name in ["min_us", "mean_us", "p99_us", "max_us"] {
        assert!(times[name].as_f64().unwrap() > 0.0, "{times}");
    }
    assert_eq!((&document["difference"], &document["error"]), (&().into(), &().into()));
    assert_eq!((document["attempts"][0]["outcome"].as_str(), ended.code), (Some("connected"), Some(0)));
}

#[test]
fn json_names_the_difference_by_line_and_byte() {
    let server = Server::answering(|bytes| bytes.replace('w', "W"));
    let ended = connect(&["--json", &server.address()], b"one\ntwo\n");
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    let at = serde_json::json!({"line": 2, "byte": 2, "offset": 5});
    let difference = serde_json::json!({"kind": "altered", "at": at, "sent": 119, "received": 87});
    assert_eq!((&document["difference"], &document["result"]), (&difference, &"altered".into()));
    assert_eq!((&document["error"]["code"], ended.code), (&"altered".into(), Some(1)));
}

#[test]
fn a_reader_that_leaves_ends_the_conversation_cleanly() {
    let mut child = Command::new(ECHOLINE)
        .args(["connect", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = std::thread::spawn(move || while stdin.write_all(&[b'\n'; 4096]).is_ok() {});
    let mut one = [0];
    child.stdout.take().unwrap().read_exact(&mut one).unwrap();
    let ended = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_full_disk_is_a_failure_with_a_message() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child = Command::new(ECHOLINE)
        .args(["connect", "-q"])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"lost\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.starts_with("cannot write to standard output: No space left on device"), "{said}");
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn an_input_that_cannot_be_read_is_a_failure_with_a_message() {
    let directory = File::open("/").unwrap();
    let ended = Command::new(ECHOLINE).args(["connect", "-q"]).stdin(directory).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.starts_with("cannot read standard input: Is a directory (os error 21)   [input]\n"),
        "{said}"
    );
    assert_eq!(ended.status.code(), Some(2));
}

#[test]
fn an_interrupt_ends_with_130_and_the_summary() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = Command::new(ECHOLINE)
            .arg("connect")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"one\n").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // The line is back and the input still open: it waits for more.
        kill_process(Pid::from_child(&child), signal).unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains("\nInterrupted: sent 1 line, 4 bytes; received 1 line, 4 bytes."), "{said}");
        assert_eq!((line.as_str(), ended.status.code()), ("one\n", Some(130)));
    }
}

#[test]
fn a_service_that_is_no_echo_is_shown_without_verifying() {
    let server = Server::answering(|request| format!("HTTP/1.0 400 What is {}?\r\n", request.len()));
    let ended = connect(&["--no-verify", "-C", &server.address()], b"GET / HTTP/1.0\n\n");
    assert_eq!((ended.out(), ended.code), ("HTTP/1.0 400 What is 18?\r\n", Some(0)));
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(last, "Sent 2 lines, 18 bytes; received 1 line, 26 bytes.");
}

/// What a server does wrong, and how `connect -q` names it.
#[track_caller]
fn assert_named(server: &Server, message: &str) {
    let ended = connect(&["-q", "--wait", "2s", &server.address()], b"one\ntwo\nthree\n");
    assert_eq!((settled(&ended.stderr, server).as_str(), ended.code), (message, Some(1)));
}

const ALTERED: &str = "   [altered]
  so    the service is no echo, or something on the way changes bytes
  next  --no-verify shows what a service says that is no echo
  next  echoline check --expect echo SERVER says why
  next  echoline explain altered
";

const ADDED: &str = "   [added]
  so    the service is no echo, or something on the way puts bytes in
  next  --no-verify shows what a service says that is no echo
  next  echoline check --expect echo SERVER says why
  next  echoline explain added
";

#[test]
fn an_altered_byte_is_named() {
    let message = "SERVER did not return what was sent: line 3, byte 2: sent 'h' (0x68), received 'H' (0x48)";
    assert_named(&Server::answering(|text| text.replace('h', "H")), &format!("{message}{ALTERED}"));
}

#[test]
fn an_additional_byte_is_named() {
    let message = "SERVER did not return what was sent: line 2, byte 1: 1 byte came that was not sent: \"!\"";
    assert_named(&Server::answering(|text| text.replace("two", "!two")), &format!("{message}{ADDED}"));
}

#[test]
fn a_missing_byte_is_named() {
    let message = "SERVER did not return what was sent: line 3, byte 2: 1 byte did not come back: \"h\"";
    assert_named(&Server::answering(|text| text.replace('h', "")), &format!("{message}{ALTERED}"));
}

#[test]
fn bytes_behind_the_end_are_named() {
    let message = "SERVER did not return what was sent: line 4, byte 1, behind all that was sent: \
                   4 bytes came that were not sent: \"bye\\n\"";
    assert_named(&Server::answering(|text| text + "bye\n"), &format!("{message}{ADDED}"));
}

#[test]
fn what_a_server_says_reaches_the_message_escaped() {
    let message = "SERVER did not return what was sent: line 1, byte 1: 17 bytes came that were not sent: \
                   \"\\x1b]0;owned\\x07\\u{9b}2J\\u{202e}\"";
    let server = Server::answering(|text| format!("\x1b]0;owned\x07\u{9b}2J\u{202e}{text}"));
    assert_named(&server, &format!("{message}{ADDED}"));
}

#[test]
fn a_changed_line_ending_is_named_with_the_flag_that_helps() {
    assert_named(
        &Server::answering(|text| text.replace('\n', "\r\n")),
        "SERVER did not return what was sent: line 1, byte 4: the line ending was sent as LF (0x0a) and came back \
         as CRLF (0x0d 0x0a)   [altered]
  so    something on the way rewrites line endings; what is behind was not compared
  next  -C sends lines with CRLF, as this server returns them
  next  echoline check --expect echo SERVER says why
  next  echoline explain altered
",
    );
}

#[test]
fn a_dropped_tail_is_missing_from_its_line() {
    assert_named(
        &Server::answering(|text| text[..9].to_owned()),
        "SERVER finished before everything was back: 5 bytes missing from line 3, byte 2   [closed-early]
  so    some programs take the end of our input for the end of all (ncat -c is one)
  next  keep the input open until all is back: (cat FILE; sleep 2) | echoline connect ...
  next  echoline check --expect echo SERVER says why
  next  echoline explain closed-early
",
    );
}

#[test]
fn a_server_that_closes_before_anything_was_sent_is_not_said_to_have_returned_it() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = Command::new(ECHOLINE);
    command.args(["connect", &address]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It stays open, and nothing comes.
    let _input = child.stdin.take();
    drop(listener.accept().unwrap());
    let ended = end_of(child);
    let so = "  so    it took the connection and ended it before anything was sent; nothing can be sent any more\n";
    assert!(
        ended.stderr.contains("finished while our input was still open   [closed-early]\n"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains(so) && !ended.stderr.contains("came back"), "{}", ended.stderr);
    assert_eq!(ended.code, Some(1));
}

#[test]
fn a_server_that_never_replies_is_left_after_the_wait() {
    assert_named(
        &Server::silent(),
        "SERVER did not answer in TIME: 14 bytes missing from line 1, byte 1   [no-reply]
  so    it took the bytes and did not return them: it is busy or stuck, or it is no echo
  next  --wait 1m waits longer; --no-verify is for a service that is no echo
  next  echoline check --expect echo SERVER says why
  next  echoline explain no-reply
",
    );
}

#[test]
fn a_reset_midway_says_what_is_missing() {
    assert_named(
        &Server::resetting(),
        "SERVER reset the connection, with 14 bytes missing from line 1, byte 1   [reset]
  so    the other program ended or gave up without finishing; what was on the way is lost
  next  look at the log of the other program, at this very moment
  next  echoline check --expect echo SERVER says why
  next  echoline explain reset
",
    );
}

#[test]
fn a_server_that_never_ends_is_left_and_named() {
    let server = Server::endless(0);
    let ended = connect(&["-q", &server.address()], b"one\n");
    let message =
        format!("{} sends without an end: line 2, byte 1, behind all that was sent: ", server.address());
    assert!(ended.stderr.starts_with(&message), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"aaaaaaaaaaaaaaaaaaaaaaaa...\"   [endless]\n"), "{}", ended.stderr);
    assert!(ended.stdout.len() < 1 << 20, "{} bytes", ended.stdout.len());
    assert_eq!(ended.code, Some(1));
}

#[test]
fn another_protocol_is_named() {
    for (says, protocol) in [
        ("SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
        ("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "HTTP"),
        ("220 mail.example ESMTP\r\n", "SMTP"),
        (
            "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n",
            "chargen (RFC 864)",
        ),
    ] {
        for server in [Server::speaking_first(says), Server::answering(move |_| says.to_owned())] {
            let ended = connect(&["-q", &server.address()], b"hello\n");
            let message = format!("{} is no echo service: it speaks {protocol} (", server.address());
            assert!(ended.stderr.starts_with(&message), "{}", ended.stderr);
            assert!(ended.stderr.contains("   [not-echo]\n"), "{}", ended.stderr);
            assert_eq!(ended.code, Some(1));
        }
    }
}

#[test]
fn an_echo_of_another_protocols_words_is_an_echo() {
    let request = b"SSH-2.0-mine\r\nHTTP/1.1 200 OK\r\n";
    let ended = connect(&["-q"], request);
    assert_eq!((ended.stdout.as_slice(), ended.code), (&request[..], Some(0)));
    // What is altered far behind them does not make them the server's.
    let server = Server::answering(|text| text.replace("OK", "KO"));
    let ended = connect(&["-q", &server.address()], request);
    assert!(ended.stderr.contains("[altered]"), "{}", ended.stderr);
}

#[test]
fn help_has_examples() {
    let ended = echoline(&["connect", "--help"]);
    assert!(ended.out().contains("Examples:\n  echoline connect  "), "{}", ended.out());
    assert_eq!(ended.code, Some(0));
}
