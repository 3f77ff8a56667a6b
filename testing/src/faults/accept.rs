//! Rows 8, 9, 24, 25, 27, 32 and 41: what can go wrong between a handshake and a session.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use xtask_tools::run;

use super::attack::{
    Client, Fate, PATIENCE, ask, begin, connect, crowd, exchange, is_one_of, reset, wait_until,
};
use super::bench::Bench;
use super::files::FEW_FILES;
use super::row::{Bound, Kind, Row};
use super::seen::{Seen, not_shown};
use super::victim::{Setup, Victim};
use super::{here, kernel, others, outside};

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 8,
        fault: "RST before accept",
        expected: "skipped",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(reset_before_accept),
    },
    Row {
        number: 9,
        fault: "connection aborted locally",
        expected: "ECONNABORTED handled",
        fast: false,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(aborted_locally),
    },
    Row {
        number: 24,
        fault: "more than max connections",
        expected: "accepted, reset at once, counted; no bytes",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(one_too_many),
    },
    Row {
        number: 25,
        fault: "one source takes all connections",
        expected: "a cap for each /32 and /64, in a bounded table",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(one_source),
    },
    Row {
        number: 27,
        fault: "backlog overflow",
        expected: "recovers",
        fast: false,
        tested: false,
        canary: Bound::BytesOnly("the server is stopped"),
        kind: Kind::AnyServer(backlog),
    },
    Row {
        number: 32,
        fault: "a listener is retired",
        expected: "no queued connection lost",
        fast: true,
        tested: false,
        canary: Bound::BytesOnly("the server is stopped"),
        kind: Kind::Server(retired),
    },
];

fn reset_before_accept(bench: &Bench) -> Result<Seen> {
    const QUEUED: usize = 30;
    let rounds = bench.size(2, 6);
    bench.attack(&[], |victim| {
        let files = victim.open_files()?;
        for _ in 0..rounds {
            // So short that the canary's p99 is not about it.
            let paused = victim.pause()?;
            let queued = (0..QUEUED).map(|_| connect(victim.address)).collect::<Result<Vec<_>>>()?;
            queued.into_iter().try_for_each(reset)?;
            drop(paused);
            exchange(&connect(victim.address)?, b"who comes after them\n")?;
            std::thread::sleep(Duration::from_millis(600));
        }
        let is_freed = wait_until(PATIENCE, || Ok(victim.open_files()? <= files))?;
        Ok(Seen::new(format!("{rounds} times {QUEUED} reset in the queue; who came after them was served"))
            .must(is_freed, "every descriptor is closed"))
    })
}

fn aborted_locally(bench: &Bench) -> Result<Seen> {
    bench.must_be_aside()?;
    let victims_own = Ipv4Addr::new(127, 0, 9, 9);
    let kill = || -> Result<()> {
        let words = ["--kill", "--tcp", "--numeric", "--no-header", "dst", "127.0.9.9"];
        run::captured(Command::new("ss").args(words)).map(drop)
    };
    bench.attack(&[], |victim| {
        let files = victim.open_files()?;
        let like = Client { from: Some(victims_own.into()), ..Client::default() };
        let open = (0..20).map(|_| like.connect(victim.address)).collect::<Result<Vec<_>>>()?;
        open.iter().try_for_each(|client| exchange(client, b"here\n"))?;
        kill()?;
        let gone = wait_until(PATIENCE, || Ok(super::attack::ended(&open)? == open.len()))?;
        if !gone {
            return Err(not_shown(
                "this kernel does not let `ss -K` end connections (CONFIG_INET_DIAG_DESTROY)",
            ));
        }
        // In the accept queue, so that it is accept that meets them.
        let paused = victim.pause()?;
        let queued = (0..20).map(|_| like.connect(victim.address)).collect::<Result<Vec<_>>>()?;
        kill()?;
        drop(paused);
        exchange(&connect(victim.address)?, b"who comes after them\n")?;
        drop((open, queued));
        let is_freed = wait_until(PATIENCE, || Ok(victim.open_files()? <= files))?;
        // The stop was as short as `ss` is: enough quiet lines follow that p99 is not about it.
        std::thread::sleep(Duration::from_secs(3));
        Ok(Seen::new("20 open and 20 queued connections aborted by `ss -K`; who came after them was served")
            .must(is_freed, "every descriptor is closed"))
    })
}

fn one_too_many(bench: &Bench) -> Result<Seen> {
    const EXTRA: u64 = 100;
    if !bench.is_ours() {
        return outside::beyond_the_limit(bench);
    }
    bench.attack(&["--max-connections", "10", "--max-connections-per-source", "0"], |victim| {
        // The canary has one of the ten places.
        let inside = (0..9).map(|_| connect(victim.address)).collect::<Result<Vec<_>>>()?;
        inside.iter().try_for_each(|client| exchange(client, b"inside\n"))?;
        let start = Instant::now();
        let times = bench.repeat(|| {
            for number in 0..EXTRA {
                refused(victim).with_context(|| format!("number {number} beyond the limit"))?;
            }
            Ok(())
        })?;
        let extra = u64::from(times) * EXTRA;
        let each_ms = start.elapsed().as_secs_f64() * 1000.0 / extra as f64;
        inside.iter().try_for_each(|client| exchange(client, b"still inside\n"))?;
        drop(inside);
        let again =
            wait_until(PATIENCE, || Ok(exchange(&connect(victim.address)?, b"a place is free\n").is_ok()))?;
        let counted = victim.counters()?.get("refused_at_limit")?;
        Ok(Seen::new(format!("{extra} reset, {each_ms:.1} ms each, no byte sent; {counted} counted"))
            .must(counted >= extra, "each is counted")
            .must(again, "a free place is given away again"))
    })
}

/// Connects, says nothing and reads. Whoever said something would be reset for what the server left unread, and what
/// the server said to it could be taken for an echo.
fn refused(victim: &Victim) -> Result<()> {
    let mut client = match connect(victim.address) {
        Ok(client) => client,
        // The reset was faster than the connect.
        Err(error) if is_one_of(&error, &[ErrorKind::ConnectionReset]) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut said = [0; 64];
    match client.read(&mut said) {
        Ok(0) => bail!("was closed, not reset"),
        Ok(some) => bail!("was told {}", said[..some].escape_ascii()),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) => Err(error).context("was not reset"),
    }
}

/// Those of `count` connections that are served; the others are reset, or merely closed by another server.
fn served(victim: &Victim, from: IpAddr, count: usize) -> Result<Vec<TcpStream>> {
    let like = Client { from: Some(from), ..Client::default() };
    let mut served = Vec::new();
    for _ in 0..count {
        match ask(victim.address, like)? {
            Fate::Served(client) => served.push(client),
            Fate::Reset => {}
            Fate::Closed => ensure!(!victim.is_ours(), "a refused connection was closed, not reset"),
        }
    }
    Ok(served)
}

fn one_source(bench: &Bench) -> Result<Seen> {
    const GREEDY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 7, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 7, 2));
    here::connections(1000)?;
    let sources = bench.size(7000, 20_000);
    // Another server's table is as large as it is told to make it. Ours has grown by then as far as it may, and 7,000
    // sources that it remembered would take twice this.
    let most = if bench.is_ours() { 160 << 10 } else { others::TABLE };
    let flags = ["--max-connections", "1000", "--max-connections-per-source", "4"];
    let v4 = bench.attack(&flags, |victim| {
        let greedy = served(victim, GREEDY, 10)?;
        let kept = (greedy.len(), served(victim, OTHER, 1)?.len());
        let counted = || victim.counters()?.get("refused_at_source_limit");
        let refused = victim.is_ours().then(counted).transpose()?;
        drop(greedy);
        let again = wait_until(PATIENCE, || Ok(served(victim, GREEDY, 1)?.len() == 1))?;
        if victim.is_ours() {
            as_many_as_may_be(victim)?;
        }
        let before = victim.resident()?;
        for index in 0..sources {
            let [_, high, middle, low] = u32::try_from(index)?.to_be_bytes();
            let from = Ipv4Addr::new(127, high + 10, middle, low).into();
            let client = Client { from: Some(from), ..Client::default() }.connect(victim.address)?;
            // Whoever is served comes behind all who came before: they wait nowhere, and cost nothing there.
            if index % 50 == 0 {
                exchange(&client, b"one of many\n")?;
            }
        }
        let grown = victim.resident()?.saturating_sub(before);
        let counted = refused.map_or(String::new(), |count| format!(" {count} counted;"));
        Ok(Seen::new(format!(
            "of 10 from one address {} served, of another {};{counted} {sources} sources later grew RSS by {} KiB",
            kept.0,
            kept.1,
            grown / 1024
        ))
        .figure("grown_bytes", grown as f64)
        .must(kept == (4, 1), "four of one source are served, and another source is not hurt")
        .must(refused.is_none_or(|count| count >= 6), "each refusal is counted")
        .must(again, "a place that is free again is given away")
        .must(grown <= most, format!("the table of sources is bounded: at most {} KiB", most >> 10)))
    })?;
    if bench.is_ours() { v4.and_part(one_prefix(bench)) } else { Ok(v4) }
}

/// As many sources at once as there may be connections: what that costs is there before the others come.
fn as_many_as_may_be(victim: &Victim) -> Result<()> {
    let from = |index: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(index) + 0x7f09_0001));
    let all =
        (0..990).map(|index| Client { from: Some(from(index)), ..Client::default() }.connect(victim.address));
    let all = all.collect::<Result<Vec<_>>>()?;
    victim.until(PATIENCE, |now| now.is("open", |open| open > 990))?;
    drop(all);
    victim.until(PATIENCE, |now| now.is("open", |open| open <= 1)).map(drop)
}

/// IPv6 sources that share a /64 are one.
fn one_prefix(bench: &Bench) -> Result<Seen> {
    bench.must_be_aside()?;
    for address in ["2001:db8:0:1::2/64", "2001:db8:0:1::3/64", "2001:db8:0:2::1/64"] {
        // Already there when the second engine is attacked.
        run::captured(Command::new("ip").args(["addr", "replace", address, "dev", "lo", "nodad"]))
            .map_err(|error| not_shown(format!("no addresses of IPv6 here: {error:#}")))?;
    }
    let flags = ["--max-connections", "1000", "--max-connections-per-source", "4"];
    bench.attack_on(Setup { flags: &flags, listen: "[::1]:0", ..Setup::default() }, |victim| {
        // Each keeps its place until the end.
        let mut open = Vec::new();
        for (from, count) in [("2001:db8:0:1::2", 3), ("2001:db8:0:1::3", 3)] {
            open.extend(served(victim, from.parse()?, count)?);
        }
        let apart = served(victim, "2001:db8:0:2::1".parse()?, 1)?.len();
        let kept = open.len();
        Ok(Seen::new(format!("of 6 from one /64 {kept} served, of another {apart}"))
            .must(kept == 4 && apart == 1, "addresses of one /64 are one source"))
    })
}

fn backlog(bench: &Bench) -> Result<Seen> {
    // More than the kernel's longest queue.
    const COUNT: usize = 5000;
    here::connections(COUNT)?;
    let stop = bench.size(Duration::from_millis(1500), Duration::from_secs(5));
    bench.attack(&["--max-connections", "10000"], |victim| {
        let overflowed = kernel::counter("ListenOverflows")?;
        let paused = victim.pause()?;
        let start = Instant::now();
        let waiting = (0..COUNT).map(|index| begin(victim.address, index)).collect::<Result<Vec<_>>>()?;
        std::thread::sleep(stop.saturating_sub(start.elapsed()));
        let overflowed = kernel::counter("ListenOverflows")? - overflowed;
        drop(paused);
        let resumed = Instant::now();
        exchange(&connect(victim.address)?, b"somebody new\n")?;
        let first_ms = resumed.elapsed().as_secs_f64() * 1000.0;
        let connected = |stream: &TcpStream| stream.peer_addr().is_ok();
        let all = wait_until(Duration::from_secs(30), || Ok(waiting.iter().all(connected)))?;
        let mut served = 0;
        for (index, stream) in waiting.iter().enumerate() {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PATIENCE / 4))?;
            served += usize::from(exchange(stream, b"I waited\n").is_ok());
            // The row is decided by then; more would take hours.
            if index > served + 5 {
                break;
            }
        }
        let took = resumed.elapsed().as_secs_f64();
        Ok(Seen::new(format!(
            "{COUNT} connected while it was stopped, {overflowed} overflows; {served} served within {took:.1} s, a new one after {first_ms:.0} ms"
        ))
        .figure("recovered_s", took)
        .must(overflowed > 0, "the queue really overflowed")
        .must(all && served == COUNT, "everybody is served in the end"))
    })
}

fn retired(bench: &Bench) -> Result<Seen> {
    Ok(stopped_and_retired(bench)?.and(retired_in_a_shortage(bench)?))
}

/// The queue cannot be emptied at SIGTERM: there are no descriptors for it until those before it leave.
fn retired_in_a_shortage(bench: &Bench) -> Result<Seen> {
    const QUEUED: usize = 120;
    let flags = ["--max-connections", "100", "--max-connections-per-source", "0", "--drain", "60s"];
    let victim = bench.serve(Setup { flags: &flags, through: &FEW_FILES, ..Setup::default() })?;
    let queued = (0..QUEUED).map(|_| connect(victim.address)).collect::<Result<Vec<_>>>()?;
    for mut client in &queued {
        client.write_all(b"in the queue\n")?;
    }
    let short = victim.until(PATIENCE, |now| now.is("accept_shortages", |failed| failed > 0))?;
    let accepted = short.get("accepted")?;
    victim.signal(Signal::TERM)?;
    let told = wait_until(PATIENCE, || Ok(victim.log()?.contains("draining")))?;
    ensure!(told, "the server does not say that it drains");
    // It says so a moment before its workers know.
    std::thread::sleep(Duration::from_millis(200));
    let mut served = 0;
    // Each that leaves makes room for the next. Who is lost has no answer, and all behind it have none either.
    for client in queued {
        if answered(&client).is_err() {
            break;
        }
        served += 1;
    }
    let end = victim.wait()?;
    let clean = end.status.is_some_and(|status| status.success());
    Ok(Seen::new(format!("{served} of {QUEUED} where {accepted} had a descriptor at SIGTERM"))
        .must(accepted < QUEUED as u64, "descriptors were short")
        .must(served == QUEUED, "who had none at SIGTERM is served once others leave")
        .must(clean, "the server ends by itself once all have left, after a shortage, too"))
}

fn stopped_and_retired(bench: &Bench) -> Result<Seen> {
    const QUEUED: usize = 40;
    let victim = bench.serve(Setup { flags: &["--drain", "60s"], ..Setup::default() })?;
    let canary = bench.canary(&victim)?;
    let paused = victim.pause()?;
    let queued = crowd(victim.address, QUEUED)?;
    for mut client in &queued {
        client.write_all(b"in the queue\n")?;
    }
    victim.signal(Signal::TERM)?;
    drop(paused);
    let served = queued.iter().filter(|client| answered(client).is_ok()).count();
    let is_closed = wait_until(PATIENCE, || Ok(connect(victim.address).is_err()))?;
    let watched = canary.end()?;
    drop(queued);
    let end = victim.wait()?;
    let clean = end.status.is_some_and(|status| status.success());
    let mut seen = Seen::new(format!("{served} of {QUEUED} in the queue at SIGTERM were served"))
        .must(served == QUEUED, "every queued connection is served")
        .must(is_closed, "nobody new is accepted")
        .must(clean, "the server ends by itself once all have left");
    seen.canary = Some(watched);
    Ok(seen)
}

fn answered(mut client: &TcpStream) -> Result<()> {
    let mut back = [0; 13];
    client.read_exact(&mut back)?;
    ensure!(&back == b"in the queue\n", "came back as {}", back.escape_ascii());
    Ok(())
}
