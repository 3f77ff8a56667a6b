//! The honest connection beside an attack: a line each millisecond, every byte compared, every wait measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::Serialize;

const INTERVAL: Duration = Duration::from_millis(1);
const LINE: usize = 64;
/// The first lines warm caches and are not counted.
const WARM_UP: Duration = Duration::from_millis(100);
/// A line that is not back by then is lost.
const PATIENCE: Duration = Duration::from_secs(90);
/// Bounds the memory for samples: ten minutes.
const MOST_LINES: usize = 600_000;

const WARMING: u8 = 0;
const QUIET: u8 = 1;
const ATTACKED: u8 = 2;
/// As attacked, once what was measured before is forgotten.
const FORGETTING: u8 = 3;
const OVER: u8 = 4;

pub(crate) struct Canary {
    phase: Arc<AtomicU8>,
    thread: JoinHandle<Samples>,
}

/// What became of the honest connection.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Watched {
    /// Lines sent while the attack went on.
    pub(crate) lines: usize,
    pub(crate) quiet_p99_us: u32,
    pub(crate) p99_us: u32,
    pub(crate) longest_us: u32,
    /// p99 under attack by p99 before.
    pub(crate) ratio: f64,
    /// The first byte that was lost, changed or added, or how the connection ended.
    pub(crate) broken: Option<String>,
}

#[derive(Default)]
struct Samples {
    quiet: Vec<u32>,
    attacked: Vec<u32>,
    broken: Option<String>,
}

impl Canary {
    /// Connects, and talks to the server for `quiet` before it returns.
    pub(crate) fn start(to: SocketAddr, quiet: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE).context("the canary cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let phase = Arc::new(AtomicU8::new(WARMING));
        let own = Arc::clone(&phase);
        let thread = std::thread::spawn(move || {
            raise_priority();
            let mut samples = Samples::default();
            samples.broken = talk(&stream, &own, &mut samples).err().map(|error| format!("{error:#}"));
            samples
        });
        let canary = Self { phase, thread };
        std::thread::sleep(WARM_UP);
        canary.phase.store(QUIET, SeqCst);
        std::thread::sleep(quiet);
        canary.phase.store(ATTACKED, SeqCst);
        Ok(canary)
    }

    /// What was measured under attack so far does not count.
    pub(crate) fn forget(&self) {
        self.phase.store(FORGETTING, SeqCst);
    }

    /// Asks it to end; says whether it cannot, as it waits for a line.
    pub(crate) fn hangs(&self) -> bool {
        self.phase.store(OVER, SeqCst);
        let ended = || Ok(self.thread.is_finished());
        !super::attack::wait_until(Duration::from_secs(1), ended).unwrap_or(true)
    }

    pub(crate) fn end(self) -> Result<Watched> {
        self.phase.store(OVER, SeqCst);
        let samples = self.thread.join().map_err(|_| anyhow!("the canary's thread panicked"))?;
        Ok(Watched::of(samples))
    }
}

/// The attackers share its core: it must not wait for them. Only root may, and a p99 without it is too high, not too low.
fn raise_priority() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let mut chrt = Command::new("chrt");
    chrt.args(["--fifo", "--pid", "1", &thread]);
    let _ = chrt.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn talk(mut stream: &TcpStream, phase: &AtomicU8, samples: &mut Samples) -> Result<()> {
    let mut due = Instant::now();
    for number in 0..MOST_LINES {
        let now = phase.load(SeqCst);
        if now == OVER {
            return Ok(());
        }
        if now == FORGETTING && phase.compare_exchange(FORGETTING, ATTACKED, SeqCst, SeqCst).is_ok() {
            samples.attacked.clear();
        }
        // A line that is late because the one before it came late has waited since it was due. One that is late because
        // this thread overslept has not, nor have those after it: the server knew nothing of them.
        due += INTERVAL;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
            due = due.max(Instant::now());
        }
        let line = line(number);
        let mut back = [0; LINE];
        stream.write_all(&line).with_context(|| format!("line {number} could not be sent"))?;
        stream.read_exact(&mut back).with_context(|| format!("line {number} did not come back"))?;
        if back != line {
            return Err(anyhow!("line {number} came back as {}", back.escape_ascii()));
        }
        let waited = u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX);
        match now {
            QUIET => samples.quiet.push(waited),
            ATTACKED | FORGETTING => samples.attacked.push(waited),
            _ => {}
        }
    }
    Ok(())
}

/// Each line says which it is, so that one cannot stand for another.
fn line(number: usize) -> [u8; LINE] {
    let mut line = [b'.'; LINE];
    let text = format!("canary {number} ");
    line[..text.len()].copy_from_slice(text.as_bytes());
    line[LINE - 1] = b'\n';
    line
}

impl Watched {
    fn of(mut samples: Samples) -> Self {
        let quiet_p99_us = p99(&mut samples.quiet);
        let p99_us = p99(&mut samples.attacked);
        let ratio = f64::from(p99_us) / f64::from(quiet_p99_us.max(1));
        Self {
            lines: samples.attacked.len(),
            quiet_p99_us,
            p99_us,
            longest_us: samples.attacked.last().copied().unwrap_or(0),
            ratio: (ratio * 100.0).round() / 100.0,
            broken: samples.broken,
        }
    }

    /// The one that had it worse.
    pub(crate) fn worse(self, other: Self) -> Self {
        let is_worse = |one: &Self| (one.broken.is_some(), one.ratio);
        if is_worse(&other) > is_worse(&self) { other } else { self }
    }
}

/// Sorts the samples.
fn p99(samples: &mut [u32]) -> u32 {
    samples.sort_unstable();
    samples.get((samples.len() * 99).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_p99_of_a_hundred_is_the_second_largest() {
        assert_eq!(p99(&mut (1..=100).rev().collect::<Vec<_>>()), 99);
        assert_eq!(p99(&mut [7]), 7);
        assert_eq!(p99(&mut []), 0);
    }

    #[test]
    fn a_server_that_changes_a_byte_is_caught() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the canary");
            let mut line = [0; LINE];
            for number in 0.. {
                if stream.read_exact(&mut line).is_err() {
                    return;
                }
                line[20] ^= u8::from(number == 150);
                if stream.write_all(&line).is_err() {
                    return;
                }
            }
        });
        let canary = Canary::start(address, Duration::ZERO).expect("a canary");
        // It ends when the canary leaves, which it does by itself once it has seen the change.
        server.join().expect("the server");
        let watched = canary.end().expect("its report");
        assert!(watched.broken.is_some_and(|why| why.contains("canary 150")));
    }
}
