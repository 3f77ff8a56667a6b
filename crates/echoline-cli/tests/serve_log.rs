//! What `serve` writes to standard error: its records, what a peer cannot put into them, and what happens when nobody
//! takes them.

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use support::{DEADLINE, ECHOLINE, Serving, assert_echoes, connect, end_of, lines};

#[test]
fn with_a_json_log_every_line_on_standard_error_is_a_json_record() {
    let serving = Serving::echo(&["--log", "json", "-v", "--max-connections", "100"]);
    let address = serving.address(0).to_string();
    assert_echoes(&connect(serving.address(0)));
    serving.signal(Signal::TERM);
    let ended = serving.end();
    let records: Vec<Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect("a JSON record")).collect();
    let record = |message: &str| records.iter().find(|record| record["message"] == message);
    assert_eq!(record("listening").unwrap()["address"], *address);
    assert_eq!(record("started").unwrap()["max_connections"], 100);
    assert_eq!(record("connected").unwrap()["service"], "echo");
    assert_eq!(record("served").unwrap()["bytes_out"], 7);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_verbose_log_names_each_connection() {
    let mut serving = Serving::echo(&["-v"]);
    let client = connect(serving.address(0));
    let peer = client.local_addr().unwrap();
    serving.wait_until_it_says(&format!("connected peer={peer}"));
}

/// A verbose server after so much service that its standard error, which nobody reads, is full.
fn serving_with_standard_error_full(format: &str) -> Child {
    let mut child = Command::new(ECHOLINE)
        .args(["serve", "127.0.0.1:0", "-v", "--threads", "1", "--log", format])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an endpoint line");
    let address = line.trim_end().split_once('=').expect("SERVICE=ADDRESS").1.parse().expect("an address");
    // Two records a connection: more than the pipe (64 KiB) and the queue (1 MiB) take together.
    for _ in 0..6_000 {
        assert_echoes(&connect(address));
    }
    child
}

fn tell_to_end(child: &Child) {
    kill_process(Pid::from_child(child), Signal::TERM).expect("a child that runs");
}

/// What such a server says when somebody reads it again, to its end. It is told to end once it has caught up: then it
/// waits for its reader no longer than a second, which a busy machine may need.
fn said_once_read_again(format: &str) -> String {
    let mut child = serving_with_standard_error_full(format);
    let stderr = lines(child.stderr.take().expect("a pipe"));
    let mut said = Vec::new();
    while !said.last().is_some_and(|line: &String| line.contains("log records dropped")) {
        said.push(stderr.recv_timeout(DEADLINE).expect("it tells how many were dropped"));
    }
    tell_to_end(&child);
    said.extend(stderr);
    assert_eq!(end_of(child).code, Some(0));
    said.concat()
}

#[test]
fn a_standard_error_that_nobody_reads_stops_neither_the_service_nor_its_end() {
    let mut child = serving_with_standard_error_full("text");
    tell_to_end(&child);
    let _unread = child.stderr.take();
    assert_eq!(end_of(child).code, Some(0));
}

#[test]
fn log_records_that_a_slow_standard_error_loses_are_counted_in_the_summary() {
    let said = said_once_read_again("text");
    let lost = said.lines().last().unwrap().strip_suffix(" log records dropped: standard error was too slow");
    let lost: usize = lost.expect("a count").trim().parse().unwrap();
    let written = said.lines().filter(|line| line.contains("DEBUG")).count();
    assert_eq!(lost + written, 12_000);
    // The summary repeats what the log said as soon as it got through again.
    let told = said
        .lines()
        .filter_map(|line| line.strip_suffix(" log records dropped: standard error was too slow."));
    let told: usize = told.map(|number| number.replace(',', "").parse::<usize>().unwrap()).sum();
    assert_eq!(told, lost);
}

#[test]
fn a_json_log_says_how_many_records_it_lost_and_its_last_one_repeats_it() {
    let said = said_once_read_again("json");
    let records: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = records.iter().filter(|record| record["message"] == "log records dropped");
    let told: u64 = told.map(|record| record["dropped"].as_u64().unwrap()).sum();
    let last = records.last().unwrap();
    assert_eq!(last["message"], "served");
    assert_eq!(last["log_dropped"], told);
    assert!(told > 0);
}

/// Serves one client and ends, whatever becomes of what it says.
#[track_caller]
fn assert_serves_and_ends(command: &mut Command) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an endpoint line");
    let address = line.trim_end().split_once('=').expect("SERVICE=ADDRESS").1.parse().expect("an address");
    for _ in 0..20 {
        assert_echoes(&connect(address));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).expect("a child that runs");
    assert_eq!(end_of(child).code, Some(0));
}

#[test]
fn a_standard_error_that_is_full_closed_or_left_by_its_reader_stops_neither_the_service_nor_its_end() {
    let mut serve = Command::new(ECHOLINE);
    serve.args(["serve", "127.0.0.1:0", "-v"]);
    assert_serves_and_ends(serve.stderr(File::options().write(true).open("/dev/full").unwrap()));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut serve = Command::new(ECHOLINE);
    serve.args(["serve", "127.0.0.1:0", "-v", "--log", "json"]);
    assert_serves_and_ends(serve.stderr(writer));

    let mut closed = Command::new("sh");
    closed.args(["-c", "exec \"$@\" 2>&-", "sh", ECHOLINE, "serve", "127.0.0.1:0", "-v"]);
    assert_serves_and_ends(&mut closed);
}

#[test]
fn nothing_that_a_client_sends_reaches_the_log() {
    // ESC, OSC, C1 as a byte and as UTF-8, bidirectional formatting, and what looks like a record.
    const HOSTILE: &[u8] =
        b"\x1b]0;MARK\x07\x9b2J\xc2\x9b\xe2\x80\xaeMARK\n2026-01-01T00:00:00Z WARN MARK\n\x1b[2J";
    let services =
        ["echo=127.0.0.1:0", "echo-bytes=127.0.0.1:0", "whoami=127.0.0.1:0", "connect-four=127.0.0.1:0"];
    for format in ["text", "json"] {
        // What is too long ends the conversation with a record of its own.
        let limits = ["-v", "--log", format, "--max-line", "20B", "--long-lines", "close"];
        let serving = Serving::start(&[services.as_slice(), &limits].concat(), services.len());
        for service in 0..services.len() {
            let mut client = connect(serving.address(service));
            client.write_all(HOSTILE).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            // Some answer, one closes: whichever, the server has read it by then.
            let _ = client.read_to_end(&mut Vec::new());
        }
        serving.signal(Signal::TERM);
        let said = serving.end().stderr;
        assert!(said.contains("connect-four") && said.contains("long-line"), "{said}");
        let acts = |char: char| (char.is_control() && char != '\n') || char == '\u{202e}';
        assert!(!said.contains(acts) && !said.contains("MARK"), "{said:?}");
    }
}
