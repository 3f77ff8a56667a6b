//! Rows 38 to 43: edges of the completion ring, each provoked by a test against the real kernel.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::Engine;
use super::attack::{Client, Fate, PATIENCE, Pattern, ask, connect, crowd, exchange, fill, pour, wait_until};
use super::bench::Bench;
use super::evidence::{SIMULATION, of_conformance, of_the_ring};
use super::here;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::{Setup, Victim};

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 38,
        fault: "buffer ring empty",
        expected: "re-armed when refilled, nothing lost",
        fast: false,
        tested: true,
        canary: Bound::Times(10.0),
        kind: Kind::Server(buffers),
    },
    Row {
        number: 39,
        fault: "completion queue overflow",
        expected: "nothing lost, all in order",
        fast: false,
        tested: true,
        canary: Bound::None,
        kind: Kind::Once(|bench| {
            of_the_ring(bench, &["more_requests_and_completions_than_both_queues_hold_all_arrive_in_order"])
        }),
    },
    Row {
        number: 40,
        fault: "close() with a receive in flight",
        expected: "cancelled first; the buffer is freed only at the last completion",
        fast: false,
        tested: true,
        canary: Bound::None,
        kind: Kind::Once(|bench| {
            of_the_ring(
                bench,
                &[
                    "a_receive_that_is_cancelled_before_the_close_lets_the_peer_see_fin",
                    "dropping_a_ring_takes_pending_requests_back_first",
                    SIMULATION,
                ],
            )
        }),
    },
    Row {
        number: 41,
        fault: "cancelled accept",
        expected: "the count of open files returns to its base",
        fast: true,
        tested: true,
        canary: Bound::Times(10.0),
        kind: Kind::Server(cancelled_accept),
    },
    Row {
        number: 42,
        fault: "direct descriptor table full",
        expected: "headroom kept",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::Server(direct_descriptors),
    },
    Row {
        number: 43,
        fault: "short send; EBUSY on enter",
        expected: "resumes at the offset; retries",
        fast: false,
        tested: true,
        canary: Bound::None,
        kind: Kind::Server(short_send),
    },
];

/// More never-reading clients than there are buffers, and everybody's bytes.
fn buffers(bench: &Bench) -> Result<Seen> {
    let tests = match bench.engine() {
        Engine::Uring => {
            of_the_ring(bench, &["a_receive_without_free_buffers_ends_with_enobufs_and_loses_nothing"])?
        }
        // It has one buffer a worker, which is never lent.
        Engine::Portable => {
            of_conformance(bench, "closing", &["many_clients_that_never_read_leave_the_others_served"])?
        }
    };
    let each = 200_000_u64;
    let mut bytes = vec![0; usize::try_from(each)?];
    Pattern { seed: 38, lines: true }.fill(0, &mut bytes);
    let tests = tests.and(at_once(bench, &bytes)?);
    Ok(tests.and(bench.attack(&["--min-progress", "0"], |victim| {
        let clients = crowd(victim.address, 300)?;
        let mut taken = Vec::new();
        for some in clients.chunks(10) {
            // At a pace at which it is buffers that run out, not the processor.
            for client in some {
                taken.push(fill(client, &bytes, bytes.len())?);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        read_late(&clients, &taken, &bytes)?;
        Ok(Seen::new(format!("{} clients that read late got their {} KiB back", clients.len(), each / 1024)))
    })?))
}

/// Everybody's bytes are there before the server looks: more of them want a buffer than there are. Those that only read
/// late do not do that, as what waits for a reader lies in no buffer of the ring. Without a canary: the server stands still.
fn at_once(bench: &Bench, bytes: &[u8]) -> Result<Seen> {
    let mut victim = bench.serve(Setup { flags: &["--min-progress", "0"], ..Setup::default() })?;
    let clients = crowd(victim.address, 300)?;
    let paused = victim.pause()?;
    let taken = clients.iter().map(|client| fill(client, bytes, bytes.len())).collect::<Result<Vec<_>>>()?;
    drop(paused);
    read_late(&clients, &taken, bytes).context("of those whose bytes came at once")?;
    victim.still_runs()?;
    let total = taken.iter().sum::<usize>() >> 20;
    Ok(Seen::new(format!("{} clients whose {total} MiB came at once got them back", clients.len())))
}

/// Each has sent so much of it, and now finishes and reads.
fn read_late(clients: &[TcpStream], taken: &[usize], bytes: &[u8]) -> Result<()> {
    for (mut client, taken) in clients.iter().zip(taken) {
        client.shutdown(Shutdown::Write)?;
        let mut back = Vec::new();
        client.read_to_end(&mut back).context("a client that reads late")?;
        ensure!(back == bytes[..*taken], "{taken} bytes came back as {} others", back.len());
    }
    Ok(())
}

fn cancelled_accept(bench: &Bench) -> Result<Seen> {
    let tests = match bench.engine() {
        Engine::Uring => {
            of_the_ring(bench, &["an_accept_is_cancelled_and_later_connections_stay_in_the_queue"])?
        }
        Engine::Portable => Seen::new("it has no request that could be cancelled"),
    };
    Ok(tests.and(bench.attack(
        &["--max-connections", "200", "--max-connections-per-source", "0"],
        |victim| {
            let files = victim.open_files()?;
            let times = bench.repeat(|| {
                // More than may be open, so that accepting goes on and off.
                let mut inside = Vec::new();
                for _ in 0..300 {
                    match ask(victim.address, Client::default())? {
                        Fate::Served(client) => inside.push(client),
                        Fate::Reset => {}
                        Fate::Closed => anyhow::bail!("a refused connection was closed, not reset"),
                    }
                }
                Ok(())
            })?;
            let mut now = 0;
            let returns = wait_until(PATIENCE, || {
                now = victim.open_files()?;
                Ok(now <= files)
            })?;
            Ok(Seen::new(format!("{files} open files before, {now} after {times} times 300 connections"))
                .must(returns, "the count of open files returns to its base"))
        },
    )?))
}

/// The ring's own entry in /proc says how many direct descriptors are registered.
fn direct_descriptors(bench: &Bench) -> Result<Seen> {
    here::connections(1000)?;
    bench.attack(&[], |victim| {
        let (mut found, mut most) = (usize::MAX, 0);
        let times = bench.repeat(|| {
            let _clients = crowd(victim.address, 1000)?;
            std::thread::sleep(Duration::from_millis(200));
            let rings = rings(victim)?;
            found = found.min(rings.len());
            most = rings.into_iter().fold(most, u64::max);
            Ok(())
        })?;
        let wanted = usize::from(bench.engine() == Engine::Uring);
        Ok(Seen::new(format!(
            "{found} rings, {most} direct descriptors registered with 1,000 connections, {times} times: there is no table"
        ))
        .must(found >= wanted, "the ring is found in /proc")
        .must(most == 0, "no direct descriptors"))
    })
}

fn rings(victim: &Victim) -> Result<Vec<u64>> {
    let directory = format!("/proc/{}/fd", victim.pid());
    let mut rings = Vec::new();
    for entry in std::fs::read_dir(&directory).context("the server is gone")?.flatten() {
        let is_ring = std::fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().contains("io_uring"));
        if is_ring {
            let name = entry.file_name();
            let file = format!("/proc/{}/fdinfo/{}", victim.pid(), name.display());
            rings.push(user_files(&file)?);
        }
    }
    Ok(rings)
}

/// The kernel leaves the line out while the ring is at work (`io_uring_show_fdinfo` only tries its lock).
fn user_files(file: &str) -> Result<u64> {
    const LOOKS: u32 = 1000;
    for _ in 0..LOOKS {
        let info = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        let count = info.lines().find_map(|line| line.strip_prefix("UserFiles:")?.trim().parse().ok());
        if let Some(count) = count {
            return Ok(count);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("{file} had no UserFiles in {LOOKS} looks")
}

fn short_send(bench: &Bench) -> Result<Seen> {
    let slow = ["a_client_that_never_reads_is_read_up_to_the_cap"];
    let conformance = of_conformance(bench, "closing", &slow)?;
    if bench.engine() == Engine::Portable {
        return Ok(conformance);
    }
    let ring = of_the_ring(
        bench,
        &[
            "a_send_to_a_slow_reader_is_short_then_full_then_waits",
            "an_error_of_entering_that_stays_ends_the_worker_with_it",
            SIMULATION,
        ],
    )?;
    conformance.and(ring).and_part(refused_enters(bench))
}

/// Entering the ring is a system call, so it can be made to fail: each seventh, once it runs.
fn refused_enters(bench: &Bench) -> Result<Seen> {
    let strace = here::strace()?;
    let mut all = Vec::new();
    for failure in ["EBUSY", "EAGAIN", "EINTR"] {
        let record = bench.scratch.join(format!("strace-enter-{failure}"));
        let inject = format!("inject=io_uring_enter:error={failure}:when=20+7");
        let name = record.to_string_lossy();
        let through = [
            &*strace,
            "-f",
            "-qq",
            "--seccomp-bpf",
            "-o",
            &name,
            "-e",
            "trace=io_uring_enter",
            "-e",
            &inject,
        ];
        let mut victim = bench.serve(Setup { through: &through, ..Setup::default() })?;
        for _ in 0..200 {
            exchange(&connect(victim.address)?, b"in spite of it\n")?;
        }
        pour(&connect(victim.address)?, Pattern { seed: 43, lines: true }, 8 << 20)?;
        victim.still_runs()?;
        drop(victim);
        let text = std::fs::read_to_string(&record).context("strace wrote no record")?;
        let injected = text.lines().filter(|line| line.contains("(INJECTED)")).count();
        ensure!(injected > 0, "no io_uring_enter was made to fail with {failure}");
        all.push(format!("{failure} x{injected}"));
    }
    Ok(Seen::new(format!("enter refused by {}: all bytes identical", all.join(", "))))
}
