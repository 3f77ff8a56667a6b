//! Rows 15, 28 and 29: very many of something.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::attack::{PATIENCE, connect, crowd, exchange, wait_until};
use super::bench::Bench;
use super::here;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::{Counters, Setup, Victim};
use crate::running::first_line;

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 15,
        fault: "10^6 one-byte writes; 10^6 lines in one write",
        expected: "CPU bounded: a byte at most 100 us, behind 16 MiB of a line 5 times one of a new line; a line of a large write half a byte of a small one; other connections served",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(tiny_pieces),
    },
    Row {
        number: 28,
        fault: "churn, TIME_WAIT, no local port left",
        expected: "nothing is left behind; the client names EADDRNOTAVAIL",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::Server(churn),
    },
    Row {
        number: 29,
        fault: "19,000 idle + 1 active",
        expected: "the active one's p99 is flat: at most twice what it was alone; at most 2 KiB of ours for an idle one",
        fast: false,
        tested: false,
        canary: Bound::Times(2.0),
        kind: Kind::AnyServer(mostly_idle),
    },
];

const LINE: usize = 50;

fn tiny_pieces(bench: &Bench) -> Result<Seen> {
    let seen = at_full_speed(bench)?;
    Ok(if bench.is_ours() { seen.and(behind_much(bench)?) } else { seen })
}

/// Bytes one by one behind a part of a line that is long already: who looks at all of it again for each spends its whole
/// time on it. Without a canary: what the server spends on it would be counted, too.
fn behind_much(bench: &Bench) -> Result<Seen> {
    const BEFORE: usize = 16 << 20;
    let victim = bench.serve(Setup { flags: &["--max-line", "32MiB"], ..Setup::default() })?;
    let behind_nothing = each_by_itself(&victim, 0)?;
    let each = each_by_itself(&victim, BEFORE)?;
    // Of the same machine in the same state, so that it may be a slow one. Looking again makes it 25 times and more.
    let times = each / behind_nothing;
    Ok(Seen::new(format!(
        "behind {} MiB of a line {each:.0} us of CPU a byte, {times:.1} times as much as behind nothing",
        BEFORE >> 20
    ))
    .figure("cpu_us_per_late_byte", each)
    .figure("cpu_us_per_first_byte", behind_nothing)
    .must(times <= 5.0, "a byte of a long line costs at most five times what one of a new line does"))
}

/// What the server spends on a byte behind so many of the same line, in microseconds. At a pace at which each is received
/// by itself, as together they hide what it costs to look again.
fn each_by_itself(victim: &Victim, behind: usize) -> Result<f64> {
    const COUNT: u32 = 1000;
    let mut client = connect(victim.address)?;
    let before = victim.counters()?.get("bytes_in")?;
    let is_there = |more: u64| move |now: &Counters| now.is("bytes_in", |bytes| bytes == before + more);
    client.write_all(&vec![b'l'; behind])?;
    victim.until(PATIENCE, is_there(behind as u64))?;
    let spent = victim.processor_time()?;
    for _ in 0..COUNT {
        client.write_all(b"o")?;
        std::thread::sleep(Duration::from_micros(500));
    }
    let spent = victim.processor_time()?.saturating_sub(spent);
    let all = behind as u64 + u64::from(COUNT);
    ensure!(
        victim.until(PATIENCE, is_there(all))?.is("bytes_in", |bytes| bytes == before + all),
        "bytes were left unread"
    );
    Ok(spent.as_secs_f64() * 1e6 / f64::from(COUNT))
}

fn at_full_speed(bench: &Bench) -> Result<Seen> {
    let count = bench.size(100_000, 1_000_000);
    bench.attack(&[], |victim| {
        let line: Vec<u8> = (1..LINE as u8).map(|byte| byte + b' ').chain([b'\n']).collect();
        let bytes = line.repeat(count / LINE);
        let one_byte = spent(victim, &bytes, |output, bytes| bytes.chunks(1).try_for_each(|one| output.write_all(one)))?;
        let lines = b"x\n".repeat(1_000_000);
        let one_write = spent(victim, &lines, Write::write_all)?;
        let a_byte = one_byte.as_secs_f64() * 1e6 / bytes.len() as f64;
        let a_line = one_write.as_secs_f64() * 1e6 / 1e6;
        Ok(Seen::new(format!(
            "{} one-byte writes: {a_byte:.2} us of CPU a byte; 1,000,000 lines in one write: {a_line:.3} us a line (canary's included)",
            bytes.len()
        ))
        .figure("cpu_us_per_byte", a_byte)
        .figure("cpu_us_per_line", a_line)
        // Where each costs a system call or more, even on a slow machine.
        .must(a_byte <= 100.0, "at most 100 us of CPU a byte")
        .must(a_line <= a_byte / 2.0, "a line of one large write costs at most half of what a write of a byte does"))
    })
}

/// What the server spends while all is written as `write` does it, and compared as it comes back.
fn spent(
    victim: &Victim,
    bytes: &[u8],
    write: impl FnOnce(&mut TcpStream, &[u8]) -> std::io::Result<()> + Send,
) -> Result<Duration> {
    let mut client = connect(victim.address)?;
    let mut output = client.try_clone()?;
    let before = victim.processor_time()?;
    let mut back = vec![0; bytes.len()];
    std::thread::scope(|scope| -> Result<()> {
        let sender =
            scope.spawn(move || write(&mut output, bytes).and_then(|()| output.shutdown(Shutdown::Write)));
        client.read_exact(&mut back).context("not everything came back")?;
        sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        Ok(())
    })?;
    ensure!(back == bytes, "bytes were changed");
    Ok(victim.processor_time()?.saturating_sub(before))
}

const PORTS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Narrows the ports of this network until dropped.
struct FewPorts(String);

impl FewPorts {
    fn new() -> Result<Self> {
        let before = std::fs::read_to_string(PORTS).with_context(|| format!("cannot read {PORTS}"))?;
        std::fs::write(PORTS, "61000 61009").with_context(|| format!("cannot write {PORTS}"))?;
        Ok(Self(before))
    }
}

impl Drop for FewPorts {
    fn drop(&mut self) {
        let _ = std::fs::write(PORTS, &self.0);
    }
}

fn churn(bench: &Bench) -> Result<Seen> {
    bench.must_be_aside()?;
    bench.attack(&[], |victim| {
        let (files, resident) = (victim.open_files()?, victim.resident()?);
        let mut connections = 0_u64;
        bench.repeat(|| {
            for index in 0..100 {
                exchange(&super::attack::Client { from: Some(super::attack::source(index * 1000)), ..Default::default() }.connect(victim.address)?, b"once\n")?;
                connections += 1;
            }
            Ok(())
        })?;
        let is_freed = wait_until(PATIENCE, || Ok(victim.open_files()? <= files))?;
        let grown = victim.resident()?.saturating_sub(resident);
        let (code, said) = without_a_port(bench, victim)?;
        Ok(Seen::new(format!(
            "{connections} connections of one line: RSS grew by {} KiB; without a local port `echoline connect` exits {code}: {said}",
            grown / 1024
        ))
        .must(is_freed, "every descriptor is closed")
        // A thousand that left a kibibyte each would be four times this.
        .must(grown <= 256 << 10, "memory grows by at most 256 KiB")
        .must(code == 1 || code == 2, "the client fails in order")
        .must(said.contains("no-local-port") || said.contains("EADDRNOTAVAIL"), "the client names the lack of local ports"))
    })
}

/// The client's exit code and first line when every local port is taken.
fn without_a_port(bench: &Bench, victim: &Victim) -> Result<(i32, String)> {
    let _few = FewPorts::new()?;
    let mut taken = Vec::new();
    // The canary's port may lie among them.
    while taken.len() < 100 {
        let Ok(client) = connect(victim.address) else { break };
        taken.push(client);
    }
    let mut command = Command::new(&bench.echoline);
    command.args(["connect", "--quiet", &victim.address.to_string()]).stdin(Stdio::null());
    let output = command.output().context("cannot start echoline connect")?;
    Ok((output.status.code().unwrap_or(-1), first_line(&output.stderr)))
}

/// What a connection may cost of the server's own memory that says nothing: less than any buffer would.
const IDLE_EACH: u64 = 2048;

fn mostly_idle(bench: &Bench) -> Result<Seen> {
    let count = bench.size(5000, 19_000);
    here::connections(count + 500)?;
    let flags = ["--max-connections", "19500", "--idle-timeout", "0"];
    let victim = bench.serve(Setup { flags: &flags, ..Setup::default() })?;
    let canary = bench.canary(&victim)?;
    let before = victim.resident()?;
    let start = Instant::now();
    let idle = crowd(victim.address, count)?;
    let opened = start.elapsed().as_secs_f64();
    // Who came last is served, so all are.
    let last = idle.last().context("nobody is idle")?;
    exchange(last, b"the last one\n")?;
    let all_open = !victim.is_ours()
        || victim.until(PATIENCE, |now| now.is("open", |open| open > count as u64))?.get("open")?
            > count as u64;
    let each = victim.resident()?.saturating_sub(before) / count as u64;
    // What is asked is how it is beside idle ones, not beside those that come.
    canary.forget();
    std::thread::sleep(bench.size(Duration::from_secs(2), Duration::from_secs(10)));
    let watched = canary.end()?;
    exchange(last, b"one wakes\n")?;
    drop(idle);
    let mut seen = Seen::new(format!(
        "{count} idle, opened in {opened:.1} s, {each} bytes of ours each; one that wakes is served"
    ))
    .figure("own_bytes_each", each as f64)
    .must(all_open, "all are open")
    .must(
        !victim.is_ours() || each <= IDLE_EACH,
        "who is silent holds no buffer: at most 2 KiB of ours each",
    );
    seen.canary = Some(watched);
    Ok(seen)
}
