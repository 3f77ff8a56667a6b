//! Attacks on servers that do not tell what they count: judged by what their clients see and by their processor time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::attack::{PATIENCE, begin, connect, exchange, wait_until};
use super::bench::Bench;
use super::seen::Seen;
use super::victim::{Setup, Victim};

const LINE: &[u8] = b"in the queue\n";

/// Somebody who wants a line echoed, and for whom nothing waits.
struct Asking {
    stream: TcpStream,
    /// Bytes of the line that are on their way.
    sent: usize,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Waits,
    Served,
    Ended,
}

impl Asking {
    fn new(to: SocketAddr) -> Result<Self> {
        Ok(Self { stream: begin(to, 0)?, sent: 0, fate: Fate::Waits })
    }

    /// Looks without waiting.
    fn look(&mut self) -> Fate {
        let mut back = [0; LINE.len()];
        if self.fate == Fate::Waits && self.sent < LINE.len() {
            match self.stream.write(&LINE[self.sent..]) {
                Ok(count) => self.sent += count,
                // A full queue lets nobody connect.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {}
                Err(_) => self.fate = Fate::Ended,
            }
        } else if self.fate == Fate::Waits {
            // A line of so few bytes arrives at once or not at all.
            self.fate = match self.stream.read(&mut back) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => Fate::Waits,
                Ok(count) if back[..count] == *LINE => Fate::Served,
                _ => Fate::Ended,
            };
        }
        self.fate
    }
}

fn count(crowd: &mut [Asking], wanted: Fate) -> usize {
    crowd.iter_mut().filter_map(|one| (one.look() == wanted).then_some(())).count()
}

/// Gives everybody a second.
fn settle(crowd: &mut [Asking]) {
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(50));
        count(crowd, Fate::Waits);
    }
}

/// Row 22: more connections than the server has files for.
pub(crate) fn out_of_files(bench: &Bench) -> Result<Seen> {
    let watch = bench.size(Duration::from_secs(2), Duration::from_secs(5));
    let through = ["prlimit", "--nofile=300:300", "--"];
    bench.attack_on(Setup { through: &through, ..Setup::default() }, |victim| {
        let mut crowd = (0..350).map(|_| Asking::new(victim.address)).collect::<Result<Vec<_>>>()?;
        settle(&mut crowd);
        let (served, waiting) = (count(&mut crowd, Fate::Served), count(&mut crowd, Fate::Waits));
        let ended = crowd.len() - served - waiting;
        let oldest = crowd.iter_mut().position(|one| one.look() == Fate::Served).context("nobody is served")?;
        crowd[oldest].stream.set_nonblocking(false)?;
        let (start, before) = (Instant::now(), victim.processor_time()?);
        while start.elapsed() < watch {
            exchange(&crowd[oldest].stream, b"meanwhile\n").context("an old connection")?;
            std::thread::sleep(Duration::from_millis(50));
        }
        let spent = victim.processor_time()?.saturating_sub(before).as_secs_f64();
        let busy = 100.0 * spent / start.elapsed().as_secs_f64();
        let seen = Seen::new(format!(
            "300 files, 350 connections: {served} served, {waiting} wait, {ended} closed; {busy:.0}% of a core meanwhile"
        ))
        .figure("busy_percent", busy)
        .must(busy <= 50.0, format!("it does not spin ({busy:.0}% of a core)"));
        if served == crowd.len() {
            return Ok(seen);
        }
        let after_close = after_a_close(victim, &mut crowd)?;
        let ms = after_close.as_secs_f64() * 1000.0;
        let mut seen = seen.figure("served_after_close_ms", ms);
        seen.text.push_str(&format!("; next served {ms:.1} ms after a close of a client (worst of 10)"));
        Ok(seen.must(after_close < Duration::from_millis(50), format!("service at once after a close ({ms:.0} ms)")))
    })
}

/// The longest that it took until somebody else was served after one who was had left.
fn after_a_close(victim: &Victim, crowd: &mut Vec<Asking>) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        let gone = crowd.iter_mut().position(|one| one.look() == Fate::Served).context("nobody is left")?;
        let before = count(crowd, Fate::Served);
        let start = Instant::now();
        drop(crowd.swap_remove(gone));
        let again = wait_until(PATIENCE, || {
            // Those who were closed come again, as clients do.
            if count(crowd, Fate::Waits) == 0 {
                crowd.push(Asking::new(victim.address)?);
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(count(crowd, Fate::Served) >= before)
        })?;
        longest = longest.max(start.elapsed());
        if !again {
            break;
        }
    }
    Ok(longest)
}

/// Row 24: more connections than the server is told to have. Whoever is too much may be reset, closed or left in the
/// kernel's queue, but not served.
pub(crate) fn beyond_the_limit(bench: &Bench) -> Result<Seen> {
    const EXTRA: usize = 50;
    let flags = ["--max-connections", "10", "--max-connections-per-source", "0"];
    bench.attack(&flags, |victim| {
        // The canary has one of the ten places.
        let inside = (0..9).map(|_| connect(victim.address)).collect::<Result<Vec<_>>>()?;
        inside.iter().try_for_each(|client| exchange(client, b"inside\n"))?;
        let mut extra = (0..EXTRA).map(|_| Asking::new(victim.address)).collect::<Result<Vec<_>>>()?;
        settle(&mut extra);
        let (served, waiting) = (count(&mut extra, Fate::Served), count(&mut extra, Fate::Waits));
        inside.iter().try_for_each(|client| exchange(client, b"still inside\n"))?;
        drop(inside);
        let again = wait_until(PATIENCE, || {
            if count(&mut extra, Fate::Waits) == 0 {
                extra.push(Asking::new(victim.address)?);
            }
            Ok(count(&mut extra, Fate::Served) > served)
        })?;
        let closed = EXTRA - served - waiting;
        Ok(Seen::new(format!(
            "of {EXTRA} beyond the limit {closed} closed, {waiting} left waiting, {served} served"
        ))
        .must(served == 0, "nobody beyond the limit is served")
        .must(again, "a free place is given away again"))
    })
}
