//! Row 22: no more descriptors.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use xtask_tools::run;

use super::attack::{PATIENCE, connect, exchange};
use super::bench::Bench;
use super::outside;
use super::seen::Seen;
use super::victim::{Setup, Victim};

/// Starts the server with a hundred files open under a limit of 166, which is what it wants for its hundred connections
/// (`Config::open_files` of `echoline-server`): so it neither raises the limit nor takes fewer connections, and still has
/// too few. Lowering the limit later would be unfair, as a request to a ring keeps the one it was made under.
pub(super) const FEW_FILES: [&str; 7] =
    ["prlimit", "--nofile=166:400", "--", "bash", "-c", INHERITED, "files"];

const INHERITED: &str = "for file in $(seq 20 119); do eval \"exec $file</dev/null\"; done; exec \"$@\"";

const LINE: &[u8; 13] = b"in the queue\n";

/// Connections with a line under way, in the order in which they came.
struct Crowd {
    to: SocketAddr,
    served: VecDeque<TcpStream>,
    waiting: VecDeque<TcpStream>,
}

impl Crowd {
    fn new(to: SocketAddr, count: usize) -> Result<Self> {
        let mut crowd = Self { to, served: VecDeque::new(), waiting: VecDeque::new() };
        (0..count).try_for_each(|_| crowd.one_more())?;
        Ok(crowd)
    }

    /// Goes to the end of the queue.
    fn one_more(&mut self) -> Result<()> {
        let mut client = connect(self.to)?;
        client.write_all(LINE)?;
        self.waiting.push_back(client);
        Ok(())
    }

    /// Waits until the next in the queue is served.
    fn next_served(&mut self) -> Result<()> {
        let mut client = self.waiting.pop_front().context("the queue is empty")?;
        let mut back = [0; LINE.len()];
        client.read_exact(&mut back).context("who waited is not served")?;
        ensure!(&back == LINE, "came back as {}", back.escape_ascii());
        self.served.push_back(client);
        Ok(())
    }

    /// Somebody leaves, and somebody else goes to the end of the queue; how long the next in the queue then waits.
    fn one_leaves(&mut self) -> Result<Duration> {
        self.one_more()?;
        drop(self.served.pop_front().context("nobody is served")?);
        let start = Instant::now();
        self.next_served()?;
        Ok(start.elapsed())
    }
}

pub(super) fn out_of_files(bench: &Bench) -> Result<Seen> {
    if !bench.is_ours() {
        return outside::out_of_files(bench);
    }
    let watch = bench.size(Duration::from_secs(2), Duration::from_secs(5));
    let flags = ["--max-connections", "100", "--max-connections-per-source", "0"];
    bench.attack_on(Setup { flags: &flags, through: &FEW_FILES, ..Setup::default() }, |victim| {
        let mut crowd = Crowd::new(victim.address, 120)?;
        let first = victim.until(PATIENCE, |now| now.is("accept_shortages", |failed| failed > 0))?;
        // The canary is one of them.
        let accepted = first.get("accepted")? - 1;
        (0..accepted).try_for_each(|_| crowd.next_served())?;
        let (failed, quiet_rate) = failed_accepts(victim, || quietly(&crowd, watch))?;
        let after_closes = (0..10).map(|_| crowd.one_leaves()).collect::<Result<Vec<_>>>()?;
        let leavers = bench.size(200, 400);
        let (_, busy_rate) = failed_accepts(victim, || churn(&mut crowd, leavers))?;
        let after_rises = (1..=RISES).map(|rise| raised(victim, &mut crowd, rise)).collect::<Result<Vec<_>>>()?;
        // A machine with other work makes some of them late.
        let judged = |times: Vec<Duration>| if bench.quick { median(times) } else { longest(times) };
        let (which, after_close, after_rise) =
            (bench.size("median", "worst"), judged(after_closes), judged(after_rises));
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        Ok(Seen::new(format!(
            "{accepted} open; {quiet_rate:.1} failed accepts/s, {busy_rate:.1} while {leavers} leave one after the other; next in the queue served {:.1} ms after a close of ours ({which} of 10), {:.0} ms after a raised limit ({which} of {RISES})",
            ms(after_close),
            ms(after_rise)
        ))
        .figure("failed_accepts_per_s", quiet_rate)
        .figure("failed_accepts_in_churn_per_s", busy_rate)
        .figure("served_after_close_ms", ms(after_close))
        .figure("served_after_rise_ms", ms(after_rise))
        .must(failed > 0 && quiet_rate <= 10.0, "at most 10 failed accepts a second")
        .must(busy_rate <= 10.0, "and no more while connections of ours close all the time")
        .must(after_close < Duration::from_millis(50), "service at once after a close of ours")
        .must(after_rise < Duration::from_millis(150), "service within 150 ms once files are free otherwise"))
    })
}

/// How many accepts failed meanwhile, and how many a second, by the server's own counter.
fn failed_accepts(victim: &Victim, meanwhile: impl FnOnce() -> Result<()>) -> Result<(u64, f64)> {
    let (start, before) = (Instant::now(), victim.counters()?.get("accept_shortages")?);
    meanwhile()?;
    let failed = victim.counters()?.get("accept_shortages")? - before;
    Ok((failed, failed as f64 / start.elapsed().as_secs_f64()))
}

/// Nobody leaves, and an old connection talks.
fn quietly(crowd: &Crowd, time: Duration) -> Result<()> {
    let start = Instant::now();
    let oldest = crowd.served.front().context("nobody is served")?;
    while start.elapsed() < time {
        exchange(oldest, b"meanwhile\n")?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Up to two hundred a second leave while others wait: an accept that works for each of them says nothing of whether
/// the one after it would.
fn churn(crowd: &mut Crowd, leavers: u32) -> Result<()> {
    for _ in 0..leavers {
        crowd.one_leaves()?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

const RISES: u32 = 8;

/// One more file becomes free by no close of ours; how long the next in the queue then waits.
fn raised(victim: &Victim, crowd: &mut Crowd, rise: u32) -> Result<Duration> {
    // The last one ended at one of the server's looks, and this is not to begin at the next: at another part of the time
    // between two of them each.
    std::thread::sleep(Duration::from_millis(60 + 17 * u64::from(rise)));
    let (pid, limit) = (format!("--pid={}", victim.pid()), format!("--nofile={}:400", 166 + rise));
    run::captured(Command::new("prlimit").args([&pid, &limit]))?;
    let start = Instant::now();
    crowd.next_served()?;
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn longest(times: Vec<Duration>) -> Duration {
    times.into_iter().max().unwrap_or_default()
}
