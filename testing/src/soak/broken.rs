//! A server with one fault, to see the soak fail: what has never failed proves nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use socket2::SockRef;

use super::plan::SERVICES;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Fault {
    /// None: a plain echo passes
    Sound,
    /// One byte in ten million is altered
    Flip,
    /// The last byte is lost where FIN comes right behind it, in one conversation of 20
    Lose,
    /// One conversation of 20 is reset where FIN belongs
    Reset,
    /// A byte follows the last one in one conversation of 20
    Add,
    /// One descriptor of 20 stays open
    Leak,
    /// One connection is counted that never was
    Miscount,
}

const ONE_IN: u64 = 20;
const FLIP_EACH: u64 = 10_000_000;

/// What the server counts, as the real one does.
#[derive(Default)]
struct Counted {
    accepted: AtomicU64,
    bytes: AtomicU64,
    lines: AtomicU64,
}

/// Serves until SIGTERM.
pub(super) fn serve(fault: Fault) -> Result<()> {
    let mut signals = Signals::new([SIGTERM]).context("no signals")?;
    let counted = Arc::new(Counted::default());
    let mut endpoints = String::new();
    for (index, service) in SERVICES.iter().enumerate() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
        endpoints.push_str(&format!("{service}={}\n", listener.local_addr()?));
        let counted = Arc::clone(&counted);
        thread::spawn(move || accept(&listener, index == 0, fault, &counted));
    }
    std::io::stdout().write_all(endpoints.as_bytes())?;
    signals.forever().next();
    let accepted = counted.accepted.load(Relaxed) + u64::from(fault == Fault::Miscount);
    let bytes = counted.bytes.load(Relaxed);
    let served = serde_json::json!({
        "message": "served", "accepted": accepted, "bytes_in": bytes, "bytes_out": bytes,
        "lines": counted.lines.load(Relaxed), "accept_shortages": 0, "ended_reset": 0, "log_dropped": 0
    });
    eprintln!("{served}");
    Ok(())
}

fn accept(listener: &TcpListener, counts_lines: bool, fault: Fault, counted: &Arc<Counted>) {
    for stream in listener.incoming() {
        // A client may be gone before it is accepted.
        let Ok(stream) = stream else { continue };
        let number = counted.accepted.fetch_add(1, Relaxed) + 1;
        let counted = Arc::clone(counted);
        thread::spawn(move || {
            let chosen = number.is_multiple_of(ONE_IN);
            let ended = echo(&stream, counts_lines, fault, chosen, &counted);
            if chosen && fault == Fault::Leak {
                // The client sees its FIN; the descriptor is never closed.
                let _ = stream.shutdown(std::net::Shutdown::Both);
                std::mem::forget(stream);
            } else if ended && chosen && fault == Fault::Reset {
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
        });
    }
}

/// Whether the conversation came to the client's FIN.
fn echo(mut stream: &TcpStream, counts_lines: bool, fault: Fault, chosen: bool, counted: &Counted) -> bool {
    let loses = chosen && fault == Fault::Lose;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length) = stream.read(&mut buffer) else { return false };
        if length == 0 {
            if chosen && fault == Fault::Add {
                let _ = stream.write_all(b"!");
            }
            return true;
        }
        let piece = &mut buffer[..length];
        let before = counted.bytes.fetch_add(length as u64, Relaxed);
        if counts_lines {
            counted.lines.fetch_add(piece.iter().filter(|byte| **byte == b'\n').count() as u64, Relaxed);
        }
        if fault == Fault::Flip && before / FLIP_EACH != (before + length as u64) / FLIP_EACH {
            piece[length - 1] ^= 1;
        }
        let whole = if loses && is_finished(stream) { length - 1 } else { length };
        if stream.write_all(&piece[..whole]).is_err() {
            return false;
        }
    }
}

/// Whether the client's FIN is next, or comes within a moment.
fn is_finished(stream: &TcpStream) -> bool {
    let moment = stream.set_read_timeout(Some(Duration::from_millis(5)));
    let next = moment.and_then(|()| stream.peek(&mut [0]));
    let _ = stream.set_read_timeout(None);
    matches!(next, Ok(0))
}
