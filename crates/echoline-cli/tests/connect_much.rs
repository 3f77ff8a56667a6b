//! Much data: it comes back the same, in memory that does not grow with it.

#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{ChildStderr, Command, Stdio};
use std::thread;

use support::random::random_lines;
use support::{ECHOLINE, Serving};

const PIECE: usize = 1 << 20;

/// Writes `pieces` pieces of random lines; returns the hash of them all.
fn feed(mut to: impl Write, pieces: u64) -> u64 {
    let mut hash = DefaultHasher::new();
    // Each piece is another part of the same random bytes: making new ones would take longer than sending them.
    let lines = random_lines(5, 2 * PIECE);
    for piece in 0..pieces {
        let start = usize::try_from(piece * 7919).unwrap() % PIECE;
        let piece = &lines[start..start + PIECE];
        hash.write(piece);
        to.write_all(piece).unwrap();
    }
    hash.finish()
}

/// Reads `pieces` pieces; returns the hash of them all.
fn drain(mut from: impl Read, pieces: u64) -> u64 {
    let mut hash = DefaultHasher::new();
    let mut piece = vec![0; PIECE];
    for _ in 0..pieces {
        from.read_exact(&mut piece).unwrap();
        hash.write(&piece);
    }
    hash.finish()
}

#[test]
fn a_64_mib_stream_with_half_close_returns_with_the_same_hash() {
    let serving = Serving::echo(&[]);
    let stream = TcpStream::connect(serving.address(0)).unwrap();
    let output = stream.try_clone().unwrap();
    let sent = thread::spawn(move || {
        let hash = feed(&output, 64);
        output.shutdown(Shutdown::Write).unwrap();
        hash
    });
    let received = drain(&stream, 64);
    assert_eq!((&stream).read(&mut [0]).unwrap(), 0, "more came back than was sent");
    assert_eq!(received, sent.join().unwrap());
}

#[test]
fn the_client_returns_200_mib_of_random_lines_in_bounded_memory() {
    const MIB: u64 = 200;
    let mut child = Command::new(ECHOLINE)
        .arg("connect")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A line feed behind the unfinished last line lets it come back before the end of input.
    let sent = thread::spawn(move || {
        let hash = feed(&mut stdin, MIB);
        stdin.write_all(b"\n").unwrap();
        (hash, stdin)
    });
    let mut stdout = child.stdout.take().unwrap();
    let received = drain(&mut stdout, MIB);
    stdout.read_exact(&mut [0]).unwrap();
    let (sent, stdin) = sent.join().unwrap();
    // All is back, and the client still there: it waits for the end of its input.
    let peak_kib = peak_kib(child.id());
    drop(stdin);
    let said = child.stderr.take().map(summary).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert_eq!(received, sent);
    assert!(said.contains("200.0 MiB, identical, in "), "{said}");
    println!(
        "{MIB} MiB came back identical; client and embedded server together had {peak_kib} KiB resident at most"
    );
    assert!(peak_kib < 48 * 1024, "{peak_kib} KiB");
}

fn summary(stderr: ChildStderr) -> String {
    BufReader::new(stderr).lines().map_while(Result::ok).last().unwrap_or_default()
}

/// The most memory that was ever resident (proc_pid_status(5)).
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
