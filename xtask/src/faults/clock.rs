//! Row 49: time that jumps for the server.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::attack::{State, connect, exchange, state, wait_until};
use super::bench::Bench;
use super::row::{Bound, Kind, Row, Seen};
use super::victim::{Setup, Victim};
use crate::run;

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
    let (stop, idle) = bench.size((1, 2), (60, 65));
    let idle_flag = format!("{idle}s");
    let seen = bench.attack(&["--idle-timeout", &idle_flag, "--keepalive", "0"], |victim| {
        let quiet = connect(victim.address)?;
        exchange(&quiet, b"and then nothing more\n")?;
        let since = Instant::now();
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
        .must(is_closed && (due - 0.1..due + 1.0).contains(&closed_after), "the timeout counts the time of the stop, once"))
    })?;
    Ok(if bench.is_ours() { seen.and(other_epoch(bench)?) } else { seen })
}

/// A clock that began decades ago, as on a machine that never restarts; and one that has just begun.
fn other_epoch(bench: &Bench) -> Result<Seen> {
    let far = "--monotonic=1000000000";
    let through = ["unshare", "--time", far, "--boottime=1000000000", "--fork", "--kill-child", "--"];
    if run::captured(Command::new(through[0]).args(&through[1..]).arg("true")).is_err() {
        return Ok(Seen::new("no time namespaces here: another epoch was not tried"));
    }
    let victim =
        bench.serve(Setup { flags: &["--idle-timeout", "1s"], through: &through, ..Setup::default() })?;
    let after = closed_after(&victim)?;
    ensure!(
        (0.9..2.0).contains(&after),
        "in a time namespace an idle timeout of 1 s closed after {after:.1} s"
    );
    Ok(Seen::new(format!("with a monotonic clock 31 years on, one of 1 s after {after:.1} s")))
}

fn closed_after(victim: &Victim) -> Result<f64> {
    let client = connect(victim.address)?;
    exchange(&client, b"one line\n")?;
    let start = Instant::now();
    wait_until(Duration::from_secs(10), || Ok(state(&client)? != State::Open))?;
    Ok(start.elapsed().as_secs_f64())
}
