//! Rows 22, 23, 30 and 31: the system has no more of something. Row 22 itself is in files.rs.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Engine;
use super::attack::{PATIENCE, connect, crowd, exchange, fill, wait_until};
use super::bench::Bench;
use super::evidence;
use super::files::out_of_files;
use super::here;
use super::memory_group::Group;
use super::row::{Bound, Kind, Row};
use super::seen::{Seen, not_shown};
use super::victim::{Setup, Victim};

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 22,
        fault: "EMFILE",
        expected: "at most 10 failed accepts/s, old connections fine; service at once after a close of ours, else within 150 ms",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(out_of_files),
    },
    Row {
        number: 23,
        fault: "ENFILE, ENOBUFS, ENOMEM, EPERM, ECONNABORTED, EINTR on accept",
        expected: "pause or retry, by class",
        fast: true,
        tested: true,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(failing_accepts),
    },
    Row {
        number: 30,
        fault: "memory squeeze",
        expected: "sheds before it is killed",
        fast: false,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(squeezed),
    },
    Row {
        number: 31,
        fault: "the Nth allocation fails",
        expected: "clean abort or one connection dropped",
        fast: false,
        tested: true,
        canary: Bound::None,
        kind: Kind::Server(failing_allocation),
    },
];

/// In processes of the test's own: an allocator that fails cannot be put into the program from outside.
fn failing_allocation(bench: &Bench) -> Result<Seen> {
    let name = match bench.engine() {
        Engine::Portable => "portable_survives_or_aborts_cleanly_whichever_allocation_fails",
        Engine::Uring => "uring_survives_or_aborts_cleanly_whichever_allocation_fails",
    };
    evidence::of_binary(bench, "allocation", &[name])
}

/// The classes of `echoline-server`'s accept.rs: gone before it was accepted, or short of something.
const FAILURES: [&str; 6] = ["ENFILE", "ENOBUFS", "ENOMEM", "EPERM", "ECONNABORTED", "EINTR"];

/// Of these, what the system is short of.
const SHORTAGES: [&str; 3] = ["ENFILE", "ENOBUFS", "ENOMEM"];

fn failing_accepts(bench: &Bench) -> Result<Seen> {
    if bench.engine() == Engine::Uring {
        // No system call is made that could be made to fail: the seam is where completions enter.
        let seen = evidence::of_the_ring(
            bench,
            &[
                evidence::SIMULATION,
                "a_queue_that_waits_for_descriptors_is_tried_eight_times_a_second_until_the_time_is_up",
            ],
        )?;
        // The server itself is as healthy as before; nothing is done to it.
        return Ok(seen.and(bench.attack(&[], |_| {
            std::thread::sleep(Duration::from_secs(1));
            Ok(Seen::new("by the seeded simulation at the seam of completions"))
        })?));
    }
    let strace = here::strace()?;
    let mut all: Option<Seen> = None;
    for failure in FAILURES {
        let seen = failing_accept(bench, &strace, failure)?;
        all = Some(match all {
            Some(all) => all.and(seen),
            None => seen,
        });
    }
    all.context("no failure was tried")
}

fn failing_accept(bench: &Bench, strace: &str, failure: &str) -> Result<Seen> {
    let record = bench.scratch.join(format!("strace-{failure}"));
    let name = record.to_string_lossy();
    let inject = format!("inject=accept,accept4:error={failure}:when=4..8");
    let through = [
        strace,
        "-f",
        "-ttt",
        "-qq",
        "--seccomp-bpf",
        "-o",
        &name,
        "-e",
        "trace=accept,accept4",
        "-e",
        &inject,
    ];
    bench.attack_on(Setup { through: &through, ..Setup::default() }, |victim| {
        let start = Instant::now();
        let clients = crowd(victim.address, 5)?;
        for client in &clients {
            exchange(client, b"after failures\n")?;
        }
        let took = start.elapsed();
        let text = std::fs::read_to_string(&record).context("strace wrote no record")?;
        let times: Vec<f64> = text.lines().filter_map(injected_at).collect();
        let injected = times.len();
        // Each of them costs a try of a queue that stays full: at once, that would spin.
        // Four pauses of 125 ms: the sum, as a single one is shorter where the try before it came late.
        let all = times.last().zip(times.first()).map_or(0.0, |(last, first)| last - first);
        let pauses = all > 0.3 || !SHORTAGES.contains(&failure) || !victim.is_ours();
        Ok(Seen::new(format!(
            "{failure} x{injected} in {:.0} ms: five served in {:.0} ms",
            all * 1000.0,
            took.as_secs_f64() * 1000.0
        ))
        .must(pauses, format!("{failure} is a shortage: a pause before each next try, 300 ms for four"))
        .must(
            if victim.is_ours() { injected == 5 } else { injected > 0 },
            format!("{failure} was injected five times ({injected})"),
        )
        .must(took < PATIENCE / 2, format!("{failure} delays nobody for long")))
    })
}

/// When a call was made to fail, in seconds: `PID 1764100000.123456 accept4(...) = -1 ENFILE (...) (INJECTED)`.
fn injected_at(line: &str) -> Option<f64> {
    line.ends_with("(INJECTED)").then_some(line)?.split_whitespace().nth(1)?.parse().ok()
}

fn squeezed(bench: &Bench) -> Result<Seen> {
    const LIMIT: u64 = 64 << 20;
    const CLIENTS: usize = 1500;
    here::connections(CLIENTS)?;
    let group = Group::new(LIMIT, &bench.scratch)
        .map_err(|error| not_shown(format!("no memory cgroup here: {error:#}")))?;
    let enter = group.enter_words();
    let through: Vec<&str> = enter.iter().map(String::as_str).collect();
    // A quarter of the memory there is, by default: the limit on what is held is not given.
    let flags = ["--max-connections", "4000", "--min-progress", "0"];
    bench.attack_on(Setup { flags: &flags, through: &through, ..Setup::default() }, |victim| {
        // Each wants 60 KiB held: 88 MiB in all, more than the group may have.
        let clients = crowd(victim.address, CLIENTS)?;
        let half = vec![b'm'; 60 * 1024];
        let (mut taken, mut peak) = (0, 0);
        for _quarter in 0..4 {
            // At a pace at which it is memory that runs out, not the processor.
            for some in clients.chunks(25) {
                // Whoever was closed for it takes no more.
                taken += some.iter().map(|client| fill(client, &half, 15 * 1024).unwrap_or(0)).sum::<usize>();
                std::thread::sleep(Duration::from_millis(5));
            }
            if victim.is_ours() {
                peak = peak.max(victim.counters()?.get("buffered")?);
            }
        }
        if !victim.is_ours() {
            return another_squeezed(victim, &group, clients, taken);
        }
        let counters = victim.counters()?;
        let (passed, closed) = (counters.get("passed_for_memory")?, counters.get("ended_memory")?);
        let killed = group.killed()?;
        drop(clients);
        let calm = wait_until(PATIENCE, || Ok(victim.counters()?.get("open")? <= 1))?;
        exchange(&connect(victim.address)?, b"afterwards\n")?;
        Ok(Seen::new(format!(
            "{CLIENTS} unfinished lines, {} MiB sent; at most {} MiB buffered; {passed} passed on, {closed} closed; {killed} kills by the kernel, {}",
            taken >> 20,
            peak >> 20,
            group.most()?
        ))
        .must(killed == 0, "the kernel kills nobody")
        .must(passed + closed > 0, "the server sheds")
        .must(calm, "and is calm afterwards"))
    })
}

/// Of a server that does not tell what it sheds: it is neither killed nor deaf.
fn another_squeezed(victim: &Victim, group: &Group, clients: Vec<TcpStream>, taken: usize) -> Result<Seen> {
    let (killed, most) = (group.killed()?, group.most()?);
    let count = clients.len();
    drop(clients);
    let goes_on = connect(victim.address).and_then(|client| exchange(&client, b"afterwards\n")).is_ok();
    let text =
        format!("{count} unfinished lines, {} MiB sent; {killed} kills by the kernel, {most}", taken >> 20);
    Ok(Seen::new(text)
        .must(killed == 0, format!("the kernel kills nobody (it killed {killed})"))
        .must(goes_on, "who comes afterwards is served"))
}
