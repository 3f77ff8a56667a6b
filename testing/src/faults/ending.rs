//! Rows 7 to 12: connections that end in every way they can.

use std::io::{Read, Write};
use std::net::Shutdown;

use anyhow::{Context, Result, ensure};

use super::attack::{PATIENCE, Pattern, connect, crowd, exchange, pour, reset, wait_until};
use super::bench::Bench;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::Victim;

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 7,
        fault: "RST mid-write",
        expected: "counted, freed, no flood of log lines",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(resets),
    },
    Row {
        number: 10,
        fault: "FIN before any data",
        expected: "closed quietly",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(silent_ends),
    },
    Row {
        number: 11,
        fault: "half-close after 64 MiB",
        expected: "all bytes echoed, then FIN",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(half_close),
    },
    Row {
        number: 12,
        fault: "unterminated last line",
        expected: "echoed, then FIN",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(last_line),
    },
];

/// More lines than this for any number of endings are a flood.
const FEW_LINES: usize = 20;

/// Waits until the server has let go of everything but what it had before.
fn freed(victim: &Victim, before: usize) -> Result<bool> {
    wait_until(PATIENCE, || Ok(victim.open_files()? <= before))
}

fn log_lines(victim: &Victim) -> Result<usize> {
    Ok(victim.log()?.lines().count())
}

fn resets(bench: &Bench) -> Result<Seen> {
    const AT_ONCE: usize = 20;
    bench.attack(&[], |victim| {
        let (files, lines) = (victim.open_files()?, log_lines(victim)?);
        let bytes = [b'r'; 200_000].map(|byte| byte);
        let times = bench.repeat(|| {
            let clients = crowd(victim.address, AT_ONCE)?;
            for client in &clients {
                // Served already, or the reset would be met by accept. Then much, and the end of it never arrives: the
                // server is in the middle of its answer.
                exchange(client, b"here\n")?;
                client.set_nonblocking(true)?;
                let mut client = client;
                let _ = client.write(&bytes);
            }
            clients.into_iter().try_for_each(reset)
        })?;
        let count = u64::from(times) * AT_ONCE as u64;
        let is_freed = freed(victim, files)?;
        let added = log_lines(victim)? - lines;
        let seen = Seen::new(format!("{count} resets, {added} log lines"))
            .must(is_freed, "every connection's descriptor is closed")
            .must(added <= FEW_LINES, "the log is not flooded");
        if !victim.is_ours() {
            return Ok(seen);
        }
        // A descriptor is closed a moment before its end is counted.
        let counters = victim.until(PATIENCE, |now| now.is("ended_reset", |counted| counted >= count))?;
        let counted = counters.get("ended_reset")?;
        Ok(seen.must(counted == count, format!("each reset is counted ({counted} of {counters})")))
    })
}

fn silent_ends(bench: &Bench) -> Result<Seen> {
    bench.attack(&[], |victim| {
        let (files, lines) = (victim.open_files()?, log_lines(victim)?);
        let times = bench.repeat(|| connect(victim.address).map(drop))?;
        let mut polite = connect(victim.address)?;
        polite.shutdown(Shutdown::Write)?;
        let answer = polite.read(&mut [0; 16]).context("no FIN comes back")?;
        drop(polite);
        let is_freed = freed(victim, files)?;
        let added = log_lines(victim)? - lines;
        Ok(Seen::new(format!("{times} connections closed, {added} log lines"))
            .must(answer == 0, "FIN is answered by FIN")
            .must(is_freed, "every connection's descriptor is closed")
            .must(added == 0, "nothing is logged"))
    })
}

fn half_close(bench: &Bench) -> Result<Seen> {
    const LENGTH: u64 = 64 << 20;
    bench.attack(&[], |victim| {
        let times = bench.repeat(|| {
            let client = connect(victim.address)?;
            pour(&client, Pattern { seed: 11, lines: true }, LENGTH)
        })?;
        Ok(Seen::new(format!("{times} times 64 MiB identical, then FIN")))
    })
}

fn last_line(bench: &Bench) -> Result<Seen> {
    bench.attack(&[], |victim| {
        let times = bench.repeat(|| {
            let mut client = connect(victim.address)?;
            client.write_all(b"whole\nunfinished")?;
            client.shutdown(Shutdown::Write)?;
            let mut back = Vec::new();
            client.read_to_end(&mut back).context("no FIN")?;
            ensure!(back == b"whole\nunfinished", "came back as {}", back.escape_ascii());
            Ok(())
        })?;
        exchange(&connect(victim.address)?, b"and after it\n")?;
        Ok(Seen::new(format!("{times} unfinished lines echoed, each then FIN")))
    })
}
