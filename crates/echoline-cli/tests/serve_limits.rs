//! The limits of `serve`: each acts, says so once, and is counted.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use echoline_testing::may_open;
use rustix::process::Signal;
use serde_json::Value;

use support::{DEADLINE, Ended, Serving, assert_echoes, echoline};

fn connect(serving: &Serving) -> TcpStream {
    // It waits without looking: a reset that follows at once is found by the first read.
    let stream = TcpStream::connect(serving.address(0)).expect("a server that listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket option");
    stream
}

/// Waits until the server has ended the connection.
fn wait_for_the_end(mut stream: TcpStream) {
    // A reset is an end too.
    let _ = stream.read(&mut [0; 16]);
}

fn stop(serving: Serving) -> Ended {
    serving.signal(Signal::TERM);
    serving.end()
}

#[test]
fn a_source_with_too_many_connections_is_told_of_once_and_counted() {
    let serving = Serving::echo(&["--max-connections-per-source", "1"]);
    let first = connect(&serving);
    for _ in 0..5 {
        wait_for_the_end(connect(&serving));
    }
    drop(first);
    let said = stop(serving).stderr;
    let told: Vec<_> =
        said.lines().filter(|line| line.contains("limit=\"max-connections-per-source\"")).collect();
    assert_eq!(told.len(), 1, "{said}");
    assert!(told[0].contains("WARN") && told[0].contains("source=127.0.0.1"), "{said}");
    assert!(said.contains("\n  5 refused: their source had its share"), "{said}");
}

/// A table that grows while the server serves has all its connections wait.
#[cfg(target_os = "linux")]
#[test]
fn the_table_of_descriptors_has_its_final_size_before_anybody_connects() {
    if !may_open("the_table_of_descriptors_has_its_final_size_before_anybody_connects", 3100) {
        return;
    }
    for connections in [300, 3000] {
        let serving = Serving::echo(&["--threads", "2", "--max-connections", &connections.to_string()]);
        let status = std::fs::read_to_string(format!("/proc/{}/status", serving.pid())).unwrap();
        let slots = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap().trim();
        // The kernel rounds up.
        assert!(
            (connections..2 * connections).contains(&slots.parse().unwrap()),
            "{slots} for {connections}"
        );
    }
}

#[test]
fn slow_clients_are_told_of_once_whichever_thread_serves_them() {
    let serving = Serving::echo(&["--min-progress", "1KiB/100ms", "--threads", "2"]);
    let clients: Vec<_> = (0..6).map(|_| connect(&serving)).collect();
    for mut client in clients {
        client.write_all(b"half a line").unwrap();
        wait_for_the_end(client);
    }
    let said = stop(serving).stderr;
    assert_eq!(said.matches("limit=\"min-progress\"").count(), 1, "{said}");
    assert!(said.contains("\n  6 closed: too slow in the middle of a line"), "{said}");
}

#[test]
fn conversations_that_a_drain_ends_are_told_of_once_and_counted() {
    let serving = Serving::echo(&["--log", "json", "--drain", "0s"]);
    let clients: Vec<_> = (0..6).map(|_| connect(&serving)).collect();
    clients.iter().for_each(assert_echoes);
    serving.signal(Signal::TERM);
    clients.into_iter().for_each(wait_for_the_end);
    let said = serving.end().stderr;
    assert_eq!(said.matches("\"ending\":\"drained\"").count(), 1, "{said}");
    assert!(said.contains("\"ended_drained\":6"), "{said}");
}

#[test]
fn memory_that_is_used_up_is_told_of_and_the_line_passed_on() {
    let serving = Serving::echo(&["--max-buffered", "4KiB", "--threads", "1"]);
    let mut client = connect(&serving);
    let line = [b'x'; 6 * 1024];
    client.write_all(&line).unwrap();
    let mut passed = [0; 6 * 1024];
    client.read_exact(&mut passed).unwrap();
    assert_eq!(passed, line);
    drop(client);
    let said = stop(serving).stderr;
    assert_eq!(said.matches("limit=\"max-buffered\"").count(), 1, "{said}");
    assert!(said.contains(" unfinished lines passed on: memory was used up (--max-buffered)"), "{said}");
    assert!(
        said.contains("Warning: a line may have 64KiB (--max-line), and all that is held 4KiB"),
        "{said}"
    );
}

#[test]
fn sigusr1_writes_the_counters_and_the_server_goes_on() {
    let mut serving = Serving::echo(&["--log", "json"]);
    let mut client = connect(&serving);
    client.write_all(b"hello\nhal").unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    serving.signal(Signal::USR1);
    serving.wait_until_it_says("\"counters\"");
    client.write_all(b"f\n").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    drop(client);
    let said = stop(serving).stderr;
    let records: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |message: &str| records.iter().find(|record| record["message"] == message).unwrap();
    let (then, end) = (of("counters"), of("served"));
    assert_eq!((&then["open"], &then["accepted"], &then["bytes_in"]), (&1.into(), &1.into(), &9.into()));
    assert!(then["buffered"].as_u64().unwrap() >= 3, "{then}");
    assert_eq!((&end["open"], &end["buffered"], &end["ended_done"]), (&0.into(), &0.into(), &1.into()));
}

#[test]
fn sigusr1_tells_a_person_the_counters_in_words() {
    let mut serving = Serving::echo(&[]);
    let client = connect(&serving);
    // The server knows of it.
    assert_echoes(&client);
    serving.signal(Signal::USR1);
    serving.wait_until_it_says("1 connection open.");
    drop(client);
    assert_eq!(stop(serving).code, Some(0));
}

#[test]
fn a_limit_that_cannot_be_is_refused_with_one_that_can() {
    for (arguments, said) in [
        (["--min-progress", "1KiB"], "progress looks like 1KiB/1m"),
        (["--min-progress", "1KiB/60"], "a time needs its unit: 60s"),
        (["--max-pending-output", "0"], "--max-pending-output 0B cannot be"),
        (["--max-buffered", "0"], "--max-buffered 0B cannot be"),
        (["--keepalive", "1"], "a time needs its unit"),
    ] {
        let ended = echoline(&[&["serve", "0"][..], &arguments].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}");
        assert!(ended.stderr.contains(said), "{arguments:?}: {}", ended.stderr);
    }
}

/// Starts `serve`, lets clients do this, and checks that the log tells of the limit once and the summary counts.
fn assert_told_once(arguments: &[&str], provoke: impl Fn(&Serving), record: &str, counted: &str) {
    let serving = Serving::echo(arguments);
    provoke(&serving);
    assert_said_once(serving, record, counted);
}

/// Ends a server, and checks that its log tells of the limit once and its summary counts.
fn assert_said_once(serving: Serving, record: &str, counted: &str) {
    let said = stop(serving).stderr;
    assert_eq!(said.matches(record).count(), 1, "{said}");
    let told = said.lines().find(|line| line.contains(record)).unwrap();
    assert!(told.contains("peer") && told.contains("127.0.0.1:"), "it says who: {told}");
    assert!(said.contains(counted), "{said}");
}

#[test]
fn who_comes_when_all_places_are_taken_is_told_of_once_and_counted() {
    let crowd = |serving: &Serving| {
        let first = connect(serving);
        assert_echoes(&first);
        for _ in 0..3 {
            wait_for_the_end(connect(serving));
        }
    };
    let counted = "\n  3 refused: the maximum of connections was open";
    assert_told_once(&["--max-connections", "1"], crowd, "limit=\"max-connections\"", counted);
}

#[test]
fn who_is_idle_or_says_a_line_that_is_too_long_is_told_of_once_and_counted() {
    let each = |says: &'static [u8]| {
        move |serving: &Serving| {
            for _ in 0..3 {
                let mut client = connect(serving);
                client.write_all(says).unwrap();
                wait_for_the_end(client);
            }
        }
    };
    let (record, counted) = ("limit=\"idle-timeout\"", "\n  3 closed: nothing moved for the idle timeout");
    assert_told_once(&["--idle-timeout", "200ms"], each(b""), record, counted);
    let (record, counted) = ("limit=\"max-line\"", "\n  3 closed: a line was longer than --max-line");
    let close = ["--max-line", "8", "--long-lines", "close"];
    assert_told_once(&close, each(b"longer than eight"), record, counted);
}

#[test]
fn a_line_that_passes_and_a_reader_that_is_waited_for_are_told_of_in_the_detailed_log_and_counted() {
    let long = |serving: &Serving| {
        let mut client = connect(serving);
        for _ in 0..3 {
            client.write_all(b"longer than eight\n").unwrap();
            client.read_exact(&mut [0; 18]).unwrap();
        }
    };
    let record = "\"limit\":\"max-line\"";
    assert_told_once(&["--max-line", "8", "--log", "json"], long, record, "\"passed_as_long\":3");
    for engine in ["auto", "portable"] {
        let mut serving = Serving::echo(&["--log", "json", "--engine", engine]);
        (0..3).for_each(|_| write_until_held_up(&mut serving));
        let times = until_it_counts(&mut serving, |counters| counters["open"] == 0)["held_up"].clone();
        assert!(times.as_u64() >= Some(3), "{times}");
        let counted = format!("\"held_up\":{times}");
        assert_said_once(serving, "\"limit\":\"max-pending-output\"", &counted);
    }
}

/// A client that reads nothing, and writes until the server does not read either.
fn write_until_held_up(serving: &mut Serving) {
    let before = until_it_counts(serving, |_| true)["held_up"].as_u64();
    let mut client = connect(serving);
    client.set_nonblocking(true).unwrap();
    until_it_counts(serving, |counters| {
        while client.write(&[b'\n'; 64 * 1024]).is_ok() {}
        counters["held_up"].as_u64() > before
    });
}

/// Has a server with a log in JSON write its counters until this holds of them, and returns them.
fn until_it_counts(serving: &mut Serving, mut holds: impl FnMut(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        serving.signal(Signal::USR1);
        let counters = serde_json::from_str(serving.wait_until_it_says("\"counters\"")).unwrap();
        if holds(&counters) {
            return counters;
        }
        assert!(begun.elapsed() < DEADLINE, "{counters}");
    }
}
