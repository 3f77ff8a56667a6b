//! Rows 1 to 6: peers that are slow, silent or gone, and hold on to what they have.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::aside::Aside;
use super::attack::{
    Client, PATIENCE, Pattern, connect, crowd, crowd_of, ended, exchange, fill, pour, source, wait_until,
};
use super::bench::Bench;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::{Setup, Victim};
use super::{here, kernel};

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 1,
        fault: "slowloris: bytes without a newline",
        expected: "the progress deadline closes it",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(slowloris),
    },
    Row {
        number: 2,
        fault: "flooder that never reads",
        expected: "reading stops at the cap, at most 256 KiB of ours each; the deadline closes it",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(never_reads),
    },
    Row {
        number: 3,
        fault: "zero-window peer that acknowledges probes",
        expected: "ETIMEDOUT by TCP_USER_TIMEOUT",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(zero_window),
    },
    Row {
        number: 4,
        fault: "dribbling reader",
        expected: "closed by a rule of bytes an interval; a slow reader above it is kept",
        fast: false,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(dribble),
    },
    Row {
        number: 5,
        fault: "half-open and idle",
        expected: "keepalive reaps it",
        fast: false,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(half_open_idle),
    },
    Row {
        number: 6,
        fault: "half-open with unacknowledged data",
        expected: "TCP_USER_TIMEOUT reaps it",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(half_open_unacknowledged),
    },
];

/// What any peer that never reads may cost in memory of the server's own.
const MOST_EACH: u64 = 256 * 1024;

fn slowloris(bench: &Bench) -> Result<Seen> {
    let count = bench.size(1000, 5000);
    here::connections(count)?;
    let (interval, rule) =
        bench.time((Duration::from_secs(1), "1KiB/1s"), (Duration::from_secs(3), "1KiB/3s"));
    // Twice the interval is more than enough, on a machine that has time for it.
    let most = bench.size(PATIENCE, 2 * interval);
    bench.attack(&["--min-progress", rule, "--max-connections", "10000"], |victim| {
        let begun = Instant::now();
        let clients = dribbling(victim.address, count)?;
        let start = Instant::now();
        let (mut closed, mut first) = (0, None);
        while closed < count && start.elapsed() < most {
            a_byte_each(&clients);
            // A byte a second each; in a hurry, four.
            wait_until(bench.time(Duration::from_millis(250), Duration::from_secs(1)), || {
                closed = ended(&clients)?;
                if closed > 0 {
                    first.get_or_insert(begun.elapsed());
                }
                Ok(closed == count)
            })?;
        }
        let took = start.elapsed().as_secs_f64();
        let in_time = format!("every slow connection is closed within {} s", most.as_secs());
        let seen = Seen::new(format!("{closed} of {count} closed, the last after {took:.1} s"))
            .figure("closed_after_s", took)
            .must(first.is_none_or(|first| first >= interval), "none is closed before its interval is over")
            .must(closed == count, in_time);
        counted(seen, victim, "ended_slow", count)
    })
}

/// A crowd none of which is silent while the rest of it connects.
fn dribbling(to: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
    let (mut clients, mut last) = (Vec::new(), Instant::now());
    for index in 0..count {
        clients.push(Client { from: Some(source(index)), ..Client::default() }.connect(to)?);
        if last.elapsed() > Duration::from_millis(250) {
            a_byte_each(&clients);
            last = Instant::now();
        }
    }
    Ok(clients)
}

fn a_byte_each(clients: &[TcpStream]) {
    for mut client in clients {
        // Who is closed takes none.
        let _ = client.write(b"s");
    }
}

/// Adds that the server has counted so many endings of this kind.
fn counted(seen: Seen, victim: &Victim, counter: &str, count: usize) -> Result<Seen> {
    if !victim.is_ours() {
        return Ok(seen);
    }
    let counters = victim.until(PATIENCE, |counters| counters.is(counter, |now| now >= count as u64))?;
    let now = counters.get(counter)?;
    Ok(seen.must(now == count as u64, format!("{counter} counts {count} ({now})")))
}

/// Waits until so many are lost; how many are by then. Another server tells by letting go of their sockets.
fn lost(victim: &Victim, count: usize, patience: Duration) -> Result<u64> {
    if victim.is_ours() {
        let counters = victim.until(patience, |now| now.is("ended_lost", |lost| lost >= count as u64))?;
        return counters.get("ended_lost");
    }
    let mut held = 0;
    wait_until(patience, || {
        // The canary's is one of them.
        held = kernel::held(victim.address.port())?.saturating_sub(1);
        Ok(held == 0)
    })?;
    Ok(count.saturating_sub(held) as u64)
}

fn never_reads(bench: &Bench) -> Result<Seen> {
    let seen = floods(bench)?;
    Ok(if bench.is_ours() { seen.and(in_small_pieces(bench)?) } else { seen })
}

fn floods(bench: &Bench) -> Result<Seen> {
    let count = bench.size(20, 100);
    bench.attack(&["--min-progress", bench.size("1KiB/3s", "1KiB/6s")], |victim| {
        // What the first long stream makes the server allocate once is no peer's cost.
        pour(&connect(victim.address)?, Pattern { seed: 2, lines: true }, 1 << 20)?;
        let (own, held) = (victim.resident()?, kernel::socket_memory()?);
        let clients = crowd(victim.address, count)?;
        let taken = flood(&clients)?;
        let each = victim.resident()?.saturating_sub(own) / count as u64;
        let kernel_each = kernel::socket_memory()?.saturating_sub(held) / count as u64;
        // A stretch that was good enough because kernel buffers grew is followed by one that is not.
        let closed_in_time = wait_until(PATIENCE, || Ok(ended_unread(&clients)? == count))?;
        let seen = Seen::new(format!(
            "each of {count}: {} KiB of ours, {} KiB of the kernel's (both ends), {} KiB taken",
            each / 1024,
            kernel_each / 1024,
            taken / count / 1024
        ))
        .figure("own_bytes_each", each as f64)
        .figure("kernel_bytes_each", kernel_each as f64)
        .must(each <= MOST_EACH, "at most 256 KiB of our own memory each")
        .must(closed_in_time, "the progress deadline closes each");
        counted(seen, victim, "ended_slow", count)
    })
}

/// A flood in pieces that fill no buffer of the server: an engine may receive those in another way than large ones.
fn in_small_pieces(bench: &Bench) -> Result<Seen> {
    const COUNT: usize = 4;
    const MOST: usize = 12 << 20;
    const STILL: u32 = 200;
    let line = [&[b'p'; 2999][..], b"\n"].concat();
    bench.attack(&["--min-progress", "0"], |victim| {
        let like = Client { receive_buffer: Some(4096), ..Client::default() };
        let clients = crowd_of(victim.address, COUNT, like)?;
        let own = victim.resident()?;
        let (mut taken, mut still) = (0, 0);
        while still < STILL && taken < COUNT * MOST {
            let mut now = 0;
            for client in &clients {
                now += fill(client, &line, line.len())?;
            }
            taken += now;
            still = if now == 0 { still + 1 } else { 0 };
            std::thread::sleep(Duration::from_micros(250));
        }
        let each = victim.resident()?.saturating_sub(own) / COUNT as u64;
        let text =
            format!("in pieces of 3 kB: {} KiB of ours, {} KiB taken", each / 1024, taken / COUNT / 1024);
        Ok(Seen::new(text)
            .must(each <= MOST_EACH, "at most 256 KiB of our own memory each in small pieces, too"))
    })
}

/// Every client writes until nobody takes anything from any of them for a while, or 64 MiB of each: there is no cap
/// then. Odd ones send one line without end. Whoever is closed for it takes no more.
///
/// A little from each in turn: a virtual machine that is asked for a gigabyte of fresh memory at once stands still for
/// tens of milliseconds, whatever the server does.
fn flood(clients: &[TcpStream]) -> Result<usize> {
    const MOST: usize = 64 << 20;
    const PIECE: usize = 64 * 1024;
    const PAUSE: Duration = Duration::from_millis(10);
    const STILL: u32 = 25;
    let mut bytes = [vec![0; 256 * 1024], vec![0; 256 * 1024]];
    Pattern { seed: 3, lines: true }.fill(0, &mut bytes[0]);
    Pattern { seed: 3, lines: false }.fill(0, &mut bytes[1]);
    let (mut taken, mut still) = (vec![0; clients.len()], 0);
    while still < STILL {
        let mut now = 0;
        for (index, (client, taken)) in clients.iter().zip(&mut taken).enumerate() {
            let piece = PIECE.min(MOST.saturating_sub(*taken));
            let more = fill(client, &bytes[index % 2], piece).unwrap_or(0);
            *taken += more;
            now += more;
        }
        still = if now == 0 { still + 1 } else { 0 };
        std::thread::sleep(PAUSE);
    }
    Ok(taken.iter().sum())
}

/// How many were ended by the server, without reading what it said before.
fn ended_unread(clients: &[TcpStream]) -> Result<usize> {
    let mut count = 0;
    for client in clients {
        client.set_nonblocking(true)?;
        // A write fails once the server has closed: it has left input unread, so it has sent RST.
        let mut client = client;
        let failed = client.write(b"f").is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock);
        count += usize::from(failed);
    }
    Ok(count)
}

fn zero_window(bench: &Bench) -> Result<Seen> {
    const COUNT: usize = 10;
    let flags = ["--user-timeout", bench.size("1s", "3s"), "--min-progress", "0", "--idle-timeout", "0"];
    bench.attack(&flags, |victim| {
        let like = Client { receive_buffer: Some(4096), ..Client::default() };
        let clients = crowd_of(victim.address, COUNT, like)?;
        flood(&clients)?;
        let start = Instant::now();
        let lost = lost(victim, COUNT, PATIENCE)?;
        let took = start.elapsed().as_secs_f64();
        Ok(Seen::new(format!("{lost} of {COUNT} ended as lost, the last {took:.1} s after it stalled"))
            .figure("ended_after_s", took)
            .must(lost == COUNT as u64, "every stalled connection ends as lost"))
    })
}

fn dribble(bench: &Bench) -> Result<Seen> {
    const EACH: usize = 5;
    const TIME: Duration = Duration::from_secs(20);
    bench.attack(&["--min-progress", "1KiB/3s", "--user-timeout", "30s"], |victim| {
        let like = Client { receive_buffer: Some(4096), ..Client::default() };
        let clients = crowd_of(victim.address, 2 * EACH, like)?;
        let (slow, steady) = clients.split_at(EACH);
        let mut bytes = vec![0; 64 * 1024];
        Pattern { seed: 4, lines: true }.fill(0, &mut bytes);
        let mut offered = vec![0; 2 * EACH];
        let start = Instant::now();
        let (mut read, mut first_gone) = (0, None);
        while start.elapsed() < TIME {
            for (client, sent) in clients.iter().zip(&mut offered) {
                *sent += fill(client, &bytes[*sent % bytes.len()..], bytes.len() - *sent % bytes.len()).unwrap_or(0);
            }
            // 5 bytes a second, and up to 15 KiB a second: as much as TCP lets through so small a window.
            slow.iter().for_each(|client| {
                sip(client, 1);
            });
            read += steady.iter().map(|client| sip(client, 3072)).sum::<usize>();
            if first_gone.is_none() && ended_unread(slow)? > 0 {
                first_gone = Some(start.elapsed().as_secs_f64());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let (slow_gone, steady_gone) = (ended_unread(slow)?, ended_unread(steady)?);
        let when = first_gone.unwrap_or(0.0);
        let rate = read as f64 / EACH as f64 / start.elapsed().as_secs_f64() / 1024.0;
        let seen = Seen::new(format!(
            "{slow_gone} of {EACH} at 5 B/s closed (first after {when:.1} s), {steady_gone} of {EACH} at {rate:.1} KiB/s"
        ))
        .figure("kept_kib_per_s", rate)
        .must(slow_gone == EACH, "every reader of 5 B/s is closed")
        .must(steady_gone == 0, "no reader of some KiB/s is closed");
        counted(seen, victim, "ended_slow", EACH)
    })
}

/// Reads so much at most, if it is there; how much it was.
fn sip(mut client: &TcpStream, bytes: usize) -> usize {
    let mut piece = [0; 4096];
    // Whoever is gone has nothing to read.
    client.set_nonblocking(true).and_then(|()| client.read(&mut piece[..bytes])).unwrap_or(0)
}

/// Clients in a network beside ours, each with a line exchanged.
fn beside(aside: &Aside, victim: &Victim, count: usize) -> Result<Vec<TcpStream>> {
    let to = SocketAddr::new(Aside::OURS.into(), victim.address.port());
    aside.network.on(move || {
        let clients = (0..count).map(|_| connect(to)).collect::<Result<Vec<_>>>()?;
        clients.iter().try_for_each(|client| exchange(client, b"here\n"))?;
        Ok(clients)
    })
}

const GONE: usize = 5;

fn half_open_idle(bench: &Bench) -> Result<Seen> {
    let flags = ["--keepalive", "1s", "--user-timeout", "0", "--idle-timeout", "0", "--min-progress", "0"];
    half_open(bench, &flags, |aside, _| aside.cut())
}

fn half_open_unacknowledged(bench: &Bench) -> Result<Seen> {
    let flags = [
        "--user-timeout",
        bench.size("1s", "3s"),
        "--keepalive",
        "0",
        "--idle-timeout",
        "0",
        "--min-progress",
        "0",
    ];
    half_open(bench, &flags, |aside, clients| {
        // Only what comes from the server is lost: its echo arrives nowhere.
        aside.cut_inward()?;
        for mut client in clients {
            client.write_all(b"the last one\n").context("a line on a link that is half cut")?;
        }
        Ok(())
    })
}

fn half_open(
    bench: &Bench,
    flags: &[&str],
    cut: impl Fn(&Aside, &[TcpStream]) -> Result<()>,
) -> Result<Seen> {
    let aside = Aside::new(bench)?;
    bench.attack_on(Setup { flags, listen: "0.0.0.0:0", ..Setup::default() }, |victim| {
        let clients = beside(&aside, victim, GONE)?;
        cut(&aside, &clients)?;
        let start = Instant::now();
        let lost = lost(victim, GONE, PATIENCE)?;
        let took = start.elapsed().as_secs_f64();
        Ok(Seen::new(format!("{lost} of {GONE} ended as lost, {took:.1} s after the link was cut"))
            .figure("ended_after_s", took)
            .must(lost == GONE as u64, "every half-open connection ends as lost"))
    })
}
