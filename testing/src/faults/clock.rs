//! Row 49: time that jumps for the server.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::attack::{PATIENCE, State, connect, exchange, state, wait_until};
use super::bench::Bench;
use super::here;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::{Setup, Victim};

pub(super) const ROWS: &[Row] = &[Row {
    number: 49,
    fault: "clock jumps, suspend",
    expected: "deadlines are monotonic",
    fast: true,
    tested: false,
    canary: Bound::BytesOnly("the server is stopped"),
    kind: Kind::AnyServer(stopped),
}];

fn stopped(bench: &Bench) -> Result<Seen> {
    // A server that does not count the stop closes that much later, and a slow machine some.
    const LATE: f64 = 2.5;
    let (stop, idle) = bench.size((3, 5), (60, 65));
    let idle_flag = format!("{idle}s");
    let seen = bench.attack(&["--idle-timeout", &idle_flag, "--keepalive", "0"], |victim| {
        let quiet = connect(victim.address)?;
        // Before the server can begin to count.
        let since = Instant::now();
        exchange(&quiet, b"and then nothing more\n")?;
        let paused = victim.pause()?;
        std::thread::sleep(Duration::from_secs(stop));
        drop(paused);
        exchange(&connect(victim.address)?, b"somebody new\n")?;
        let still_open = state(&quiet)? == State::Open;
        let is_closed = wait_until(Duration::from_secs(idle), || Ok(state(&quiet)? != State::Open))?;
        let closed_after = since.elapsed().as_secs_f64();
        let due = idle as f64;
        Ok(Seen::new(format!(
            "stopped for {stop} s: an idle timeout of {idle} s closed after {closed_after:.1} s, no earlier and no later"
        ))
        .figure("closed_after_s", closed_after)
        .must(still_open, "the stop itself ends no connection")
        .must(is_closed && (due..due + LATE).contains(&closed_after), "the timeout counts the time of the stop, once"))
    })?;
    if bench.is_ours() { seen.and_part(other_epoch(bench)) } else { Ok(seen) }
}

/// A clock that began decades ago, as on a machine that never restarts; and one that has just begun.
fn other_epoch(bench: &Bench) -> Result<Seen> {
    here::time_namespaces()?;
    let setup = Setup { flags: &["--idle-timeout", "1s"], through: &here::OLD_CLOCK, ..Setup::default() };
    bench.attack_on(setup, |victim| {
        let after = closed_after(victim)?;
        Ok(Seen::new(format!("with a monotonic clock 31 years on, one of 1 s after {after:.1} s"))
            .must((1.0..10.0).contains(&after), "a timeout of 1 s is one of 1 s under any clock"))
    })
}

fn closed_after(victim: &Victim) -> Result<f64> {
    let client = connect(victim.address)?;
    let start = Instant::now();
    exchange(&client, b"one line\n")?;
    wait_until(PATIENCE, || Ok(state(&client)? != State::Open))?;
    Ok(start.elapsed().as_secs_f64())
}
