//! Rows 34 to 37: signals, a log that nobody takes, datagrams, and a kernel that denies the ring.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Signal, kill_process};

use super::Engine;
use super::attack::{PATIENCE, connect, crowd, exchange, fill, reset, wait_until};
use super::bench::Bench;
use super::evidence::of_conformance;
use super::here;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::{Setup, Victim};

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 34,
        fault: "signal storm; SIGPIPE default",
        expected: "survives",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(signals),
    },
    Row {
        number: 35,
        fault: "log full or blocked; peer-controlled text in it",
        expected: "the data path never blocks, what waits is bounded; text is escaped",
        fast: false,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(log),
    },
    Row {
        number: 36,
        fault: "UDP echo loops, amplification (CVE-1999-0103, 2024-2169)",
        expected: "no UDP, or opt-in with source rules and a rate cap",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::Server(no_datagrams),
    },
    Row {
        number: 37,
        fault: "io_uring denied",
        expected: "portable engine, one log line that says why",
        fast: true,
        tested: true,
        canary: Bound::Times(10.0),
        kind: Kind::Once(denied),
    },
];

fn signals(bench: &Bench) -> Result<Seen> {
    let seen = storm(bench)?;
    if bench.is_ours() { seen.and_part(broken_pipes(bench)) } else { Ok(seen) }
}

/// The program's runtime ignores SIGPIPE at its start, but a program that has the server as a library may not. A tracer
/// sees also what is ignored.
fn broken_pipes(bench: &Bench) -> Result<Seen> {
    const AT_ONCE: usize = 20;
    let strace = here::strace()?;
    let record = bench.scratch.join("strace-pipe");
    let name = record.to_string_lossy();
    let through = [&*strace, "-f", "-qq", "-o", &name, "-e", "trace=none", "-e", "signal=SIGPIPE,SIGUSR1"];
    let mut victim = bench.serve(Setup { through: &through, ..Setup::default() })?;
    for _ in 0..5 {
        let clients = crowd(victim.address, AT_ONCE)?;
        clients.iter().try_for_each(|client| exchange(client, b"here\n"))?;
        // The server finds a line, and behind it FIN and RST: a send is EPIPE then, and not ECONNRESET (`tcp_reset`).
        let paused = victim.pause()?;
        for mut client in clients {
            client.write_all(b"to nobody\n")?;
            client.shutdown(Shutdown::Write)?;
            reset(client)?;
        }
        drop(paused);
        exchange(&connect(victim.address)?, b"and after them\n")?;
    }
    // So that there is a signal that the tracer must have seen.
    victim.counters()?;
    victim.still_runs()?;
    let text = std::fs::read_to_string(&record).context("strace wrote no record")?;
    let of = |signal: &str| text.lines().filter(|line| line.contains(&format!("--- {signal} "))).count();
    let raised = of("SIGPIPE");
    Ok(Seen::new(format!("{} echoes to nobody raised SIGPIPE {raised} times", 5 * AT_ONCE))
        .must(of("SIGUSR1") > 0, "the tracer sees signals")
        .must(raised == 0, "no send raises SIGPIPE, whether it is ignored or not"))
}

fn storm(bench: &Bench) -> Result<Seen> {
    const EACH: usize = 500;
    // SIGPIPE as a program finds it that nobody has prepared for it.
    here::default_signals()?;
    let through = ["env", "--default-signal=PIPE"];
    bench.attack_on(Setup { through: &through, ..Setup::default() }, |victim| {
        let (mut sent, mut handled) = (0, 0);
        bench.repeat(|| {
            for _ in 0..EACH {
                for signal in [Signal::CONT, Signal::WINCH, Signal::CHILD, Signal::URG, Signal::PIPE] {
                    victim.signal(signal)?;
                    sent += 1;
                }
            }
            // The others are ignored, and an ignored signal interrupts nothing. This one has a handler, and goes to every
            // thread, so that it is the worker's wait that it interrupts. Each is a record in the log: fewer of these. To
            // other servers it means the end.
            if victim.is_ours() {
                for thread in victim.threads()? {
                    handled += kill_process(thread, Signal::USR1).map_or(0, |()| 1);
                    // Two that wait for the process are one.
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            // A send to whoever has reset is what raises SIGPIPE.
            for client in crowd(victim.address, 20)? {
                let _ = fill(&client, &[b'\n'; 50_000], 500_000)?;
                client.shutdown(Shutdown::Read)?;
                reset(client)?;
            }
            Ok(())
        })?;
        exchange(&connect(victim.address)?, b"after the storm\n")?;
        Ok(Seen::new(format!(
            "{sent} signals that are ignored, {handled} that interrupt a thread, and sends to peers that had reset: it goes on"
        )))
    })
}

fn log(bench: &Bench) -> Result<Seen> {
    let blocked = noisy(bench, "a pipe that nobody reads", || {
        let (read, write) = rustix::pipe::pipe().context("no pipe")?;
        Ok((write, Some(read)))
    })?;
    let full = noisy(bench, "/dev/full", || {
        let full =
            std::fs::OpenOptions::new().write(true).open("/dev/full").context("cannot open /dev/full")?;
        Ok((full.into(), None))
    })?;
    let noisy = blocked.and(full);
    Ok(if bench.is_ours() { noisy.and(escaped(bench)?) } else { noisy })
}

/// Every connection is logged, to something that takes no log.
fn noisy(
    bench: &Bench,
    what: &str,
    open: impl FnOnce() -> Result<(OwnedFd, Option<OwnedFd>)>,
) -> Result<Seen> {
    let (talk, _unread) = open()?;
    let setup = Setup { flags: &["--verbose"], talk: Some(Stdio::from(talk)), ..Setup::default() };
    bench.attack_on(setup, |victim| {
        let (mut connections, before) = (0, victim.resident()?);
        // Two records each: a pipe is full after a few hundred, the queue behind it after a few thousand. Few at a time,
        // so that the log is what the canary waits for, and not a crowd.
        while connections < bench.size(10_000, 60_000) {
            let clients = crowd(victim.address, 20)?;
            for mut client in &clients {
                client.write_all(b"logged\n")?;
            }
            for mut client in &clients {
                let mut back = [0; 7];
                client.read_exact(&mut back).context("the log holds a connection up")?;
                ensure!(&back == b"logged\n", "came back as {}", back.escape_ascii());
            }
            connections += clients.len();
        }
        let grown = victim.resident()?.saturating_sub(before);
        let text = format!(
            "standard error is {what}: {connections} connections served, RSS grew by {} KiB",
            grown / 1024
        );
        // A queue of 1 MiB, and what the allocator needs for it. What 10,000 connections log is twice as much as this.
        let is_bounded = !victim.is_ours() || grown <= 3 << 20;
        Ok(Seen::new(text).must(is_bounded, "what waits for the log is bounded: at most 3 MiB"))
    })
}

/// What clients send never stands in the log as it is.
fn escaped(bench: &Bench) -> Result<Seen> {
    let flags = ["--verbose", "--max-line", "20B", "--long-lines", "close"];
    // Without a canary: its lines are longer than that.
    let victim = bench.serve(Setup { flags: &flags, ..Setup::default() })?;
    for hostile in
        [&b"\x1b]0;owned\x07\n"[..], b"\x1b[2J\x9b31m\n", b"\xe2\x80\xaeevil, and much longer than may be\n"]
    {
        let mut client = connect(victim.address)?;
        client.write_all(hostile)?;
        // Its echo or its end: the server has seen it.
        let _ = client.read(&mut [0; 64]);
    }
    // Each of the three has its record of how it ended.
    let mut log = String::new();
    let told = wait_until(PATIENCE, || {
        log = victim.log()?;
        Ok(log.matches("\"ending\":").count() >= 3)
    })?;
    let odd = |character: char| character.is_control() && character != '\n';
    Ok(Seen::new("no byte of a client stands in the log").must(told, "each of them is logged").must(
        !log.contains(odd) && !log.contains("owned") && !log.contains("evil"),
        "peers' text is escaped or left out",
    ))
}

/// The inodes of the server's sockets, against those of the kernel's tables of datagram sockets.
fn no_datagrams(bench: &Bench) -> Result<Seen> {
    bench.attack(&[], |victim| {
        let own = sockets(victim)?;
        let mut datagrams = 0;
        for table in ["udp", "udp6", "udplite", "udplite6", "raw", "raw6"] {
            // A kernel without a protocol has no table of it.
            let text =
                std::fs::read_to_string(format!("/proc/{}/net/{table}", victim.pid())).unwrap_or_default();
            datagrams += text
                .lines()
                .skip(1)
                .filter_map(|line| line.split_whitespace().nth(9))
                .filter(|inode| own.contains(&(*inode).to_owned()))
                .count();
        }
        // Whoever asks the port of the service by UDP gets nothing.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(victim.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        let mut answers = 0;
        let times = bench.repeat(|| {
            let _ = socket.send(b"echo?\n");
            answers += u32::from(socket.recv(&mut [0; 16]).is_ok());
            Ok(())
        })?;
        Ok(Seen::new(format!(
            "{} sockets of the server, {datagrams} for datagrams; {times} datagrams to its port, {answers} answers",
            own.len()
        ))
        .must(!own.is_empty(), "its sockets are found")
        .must(datagrams == 0 && answers == 0, "no UDP"))
    })
}

fn sockets(victim: &Victim) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", victim.pid())).context("the server is gone")?;
    let targets = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    Ok(targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect())
}

fn denied(bench: &Bench) -> Result<Seen> {
    let strace = here::strace()?;
    let mut all =
        of_conformance(bench, "denied", &["a_denied_ring_falls_back_with_a_reason_or_fails_clearly"])?;
    for failure in ["EPERM", "ENOSYS", "ENOMEM"] {
        let inject = format!("inject=io_uring_setup:error={failure}");
        let through = [
            &*strace,
            "-f",
            "-qq",
            "--seccomp-bpf",
            "-o",
            "/dev/null",
            "-e",
            "trace=io_uring_setup",
            "-e",
            &inject,
        ];
        let auto = Setup { flags: &["--engine", "auto"], through: &through, ..Setup::default() };
        let seen = bench.attack_on(auto, |victim| {
            exchange(&connect(victim.address)?, b"served all the same\n")?;
            wait_until(PATIENCE, || Ok(victim.log()?.contains("\"fallback\":")))?;
            // A second one would follow at once.
            std::thread::sleep(Duration::from_millis(300));
            let log = victim.log()?;
            let told: Vec<_> = log.lines().filter(|line| line.contains("\"fallback\":")).collect();
            let is_portable = told.iter().all(|line| line.contains("\"engine\":\"portable\""));
            Ok(Seen::new(format!("{failure}: portable, {} line says why", told.len())).must(
                told.len() == 1 && is_portable,
                format!("{failure}: one line names the engine and the reason"),
            ))
        })?;
        // Asked for by name, it is an error instead.
        let insisting = Setup { through: &through, ..Setup::default() };
        let refused = Victim::start(
            super::victim::Subject::Ours(Engine::Uring),
            &bench.echoline,
            &bench.scratch,
            insisting,
        )
        .is_err();
        let seen = seen.must(refused, format!("{failure}: --engine uring is an error"));
        all = all.and(seen);
    }
    Ok(all)
}
