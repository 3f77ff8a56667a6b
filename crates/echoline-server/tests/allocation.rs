//! The Nth allocation fails, for every N that a conversation needs: the process aborts and says so, or the conversation
//! ends; never a wrong byte, never a hang.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]
#![allow(unsafe_code, reason = "an allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use echoline_server::{Config, EngineChoice, Server, ServerError, ServiceKind};
use echoline_testing::skip;

/// Counts down to the allocation that fails; it and all after it are served again below zero.
static LEFT: AtomicI64 = AtomicI64::new(i64::MAX);

thread_local! {
    /// The client in this process gets what it asks for.
    static IS_CLIENT: Cell<bool> = const { Cell::new(false) };
}

struct FailsOnce;

impl FailsOnce {
    fn fails() -> bool {
        // A thread that is ending has no such value any more, and is no client.
        let is_client = IS_CLIENT.try_with(Cell::get).unwrap_or(false);
        !is_client && LEFT.load(SeqCst) != i64::MAX && LEFT.fetch_sub(1, SeqCst) == 1
    }
}

// SAFETY: every call is the system allocator's, or fails as an allocator may.
unsafe impl GlobalAlloc for FailsOnce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the memory is the system allocator's, as all is.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if Self::fails() {
            return std::ptr::null_mut();
        }
        // SAFETY: the memory is the system allocator's, and the caller keeps the contract of `realloc`.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: FailsOnce = FailsOnce;

const NTH: &str = "ECHOLINE_FAILING_ALLOCATION";
const ENGINE: &str = "ECHOLINE_ALLOCATION_ENGINE";
const PATIENCE: Duration = Duration::from_secs(20);
/// Far more than a conversation allocates: a count that gets here never ends.
const MOST: i64 = 2000;

fn config(engine: EngineChoice) -> Config {
    Config { engine, workers: NonZeroUsize::MIN, ..Config::default() }
}

fn start(engine: EngineChoice) -> Result<Server, ServerError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Server::builder(config(engine)).listen(ServiceKind::Echo, listener).start()
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A line in two pieces, many lines, one that is too long to be held, output that waits for its reader, and an end
/// without a line feed. What came back is what was sent, or the start of it.
fn converse(to: SocketAddr) -> bool {
    let mut client = connect(to);
    let long = vec![b'l'; 300_000];
    let pieces: [&[u8]; 5] = [b"in two pie", b"ces\n", &b"many\n".repeat(40_000), &long, b"\nunfinished"];
    let mut output = client.try_clone().unwrap();
    let sent = pieces.concat();
    let whole = sent.clone();
    let sender = std::thread::spawn(move || {
        IS_CLIENT.set(true);
        // Each in a segment of its own; a server that has ended the conversation takes no more.
        let mut rest = &sent[..];
        for piece in [10, 4, 200_000, 300_000] {
            let (piece, later) = rest.split_at(piece);
            if output.write_all(piece).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
            rest = later;
        }
        let _ = output.write_all(rest);
        let _ = output.shutdown(Shutdown::Write);
    });
    let mut back = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let ended = loop {
        match client.read(&mut piece) {
            Ok(0) => break true,
            Ok(length) => back.extend_from_slice(&piece[..length]),
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the conversation hangs");
                break false;
            }
        }
    };
    sender.join().unwrap();
    assert!(whole.starts_with(&back), "wrong bytes after {}", back.len());
    ended && back.len() == whole.len()
}

/// In a process of its own: one conversation before, one with the failure in it, one after.
fn child(nth: i64, engine: EngineChoice) {
    IS_CLIENT.set(true);
    let server = start(engine).unwrap();
    let to = server.endpoints()[0].address;
    assert!(converse(to), "nothing fails yet");
    LEFT.store(nth, SeqCst);
    let whole = converse(to);
    let failed = LEFT.swap(i64::MAX, SeqCst) <= 0;
    assert!(failed || whole, "nothing failed, and bytes are missing");
    assert!(converse(to), "nothing fails any more");
    println!("{}", if failed { "went on" } else { "not reached" });
}

fn run(name: &str, nth: i64, engine: EngineChoice) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(NTH, nth.to_string()).env(ENGINE, engine.to_string()).output().unwrap()
}

fn every_failure(name: &str, engine: EngineChoice) {
    if let Ok(nth) = std::env::var(NTH) {
        return child(nth.parse().unwrap(), engine);
    }
    let (mut aborted, mut went_on) = (0, 0);
    for nth in 1..MOST {
        let output = run(name, nth, engine);
        let talk = [&output.stdout[..], &output.stderr].concat();
        let talk = String::from_utf8_lossy(&talk);
        if talk.contains("not reached") && output.status.success() {
            eprintln!(
                "measured: of {} allocations that failed, {aborted} aborted, {went_on} ended no more than a conversation ({engine})",
                nth - 1
            );
            assert!(aborted + went_on > 0, "no allocation failed");
            return;
        }
        if output.status.success() {
            went_on += 1;
        } else {
            // The standard library's own end: a message, then SIGABRT.
            assert_eq!(output.status.signal(), Some(6), "allocation {nth}: {}: {talk}", output.status);
            assert!(talk.contains("memory allocation of"), "allocation {nth}: {talk}");
            aborted += 1;
        }
    }
    panic!("a conversation allocates more than {MOST} times");
}

#[test]
fn portable_survives_or_aborts_cleanly_whichever_allocation_fails() {
    every_failure("portable_survives_or_aborts_cleanly_whichever_allocation_fails", EngineChoice::Portable);
}

#[test]
fn uring_survives_or_aborts_cleanly_whichever_allocation_fails() {
    const NAME: &str = "uring_survives_or_aborts_cleanly_whichever_allocation_fails";
    match start(EngineChoice::Uring) {
        Ok(_) => every_failure(NAME, EngineChoice::Uring),
        Err(error) => {
            eprintln!("{error}");
            skip(NAME, "io_uring");
        }
    }
}
