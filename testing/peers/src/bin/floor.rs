//! The floor: what one recv and one send cost on connected loopback pairs, with nothing around them.
//!
//! One process holds both ends of every pair. The clients' part (writing the lines, reading the echoes) is outside the
//! measured time; the servers' part is one recv and one send a pair and turn, in processor time of this thread. There
//! is no waiting, no wake-up of another core and no choice of which connection is ready: no server can be cheaper.
#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};

fn main() -> Result<()> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [connections, size, depth, milliseconds] = numbers[..] else {
        anyhow::bail!("usage: floor CONNECTIONS SIZE DEPTH MILLISECONDS");
    };
    ensure!(size > 0 && size * depth <= 64 * 1024, "a turn must fit one recv: SIZE x DEPTH at most 64 KiB");
    let mut pairs = pairs(connections)?;
    let mut lines = vec![b'x'; size * depth];
    lines.iter_mut().skip(size - 1).step_by(size).for_each(|byte| *byte = b'\n');

    turn(&mut pairs, &lines)?;
    let end = Instant::now() + Duration::from_millis(milliseconds as u64);
    let (mut spent, mut turns) = (Duration::ZERO, 0u64);
    while Instant::now() < end {
        spent += turn(&mut pairs, &lines)?;
        turns += 1;
    }
    let count = turns * (connections * depth) as u64;
    println!("{{\"lines\":{count},\"cpu_us\":{}}}", spent.as_micros());
    Ok(())
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
}

fn pairs(count: usize) -> Result<Vec<Pair>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    (0..count)
        .map(|_| {
            let client =
                TcpStream::connect(address).context("a pair: is the limit of open files too low?")?;
            let (server, _) = listener.accept()?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            Ok(Pair { client, server })
        })
        .collect()
}

/// Every pair echoes `lines` once; returns what the servers' part cost.
fn turn(pairs: &mut [Pair], lines: &[u8]) -> Result<Duration> {
    let mut buffer = vec![0; 64 * 1024];
    for pair in &mut *pairs {
        pair.client.write_all(lines)?;
    }
    let before = spent();
    for pair in &mut *pairs {
        let count = pair.server.read(&mut buffer)?;
        pair.server.write_all(&buffer[..count])?;
    }
    let cost = spent() - before;
    for pair in pairs {
        pair.client.read_exact(&mut buffer[..lines.len()])?;
    }
    Ok(cost)
}

fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
