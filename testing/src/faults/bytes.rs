//! Rows 13, 14, 16 and 19: bytes that a line server might take for something else.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use socket2::SockRef;

use super::attack::{Pattern, connect, exchange, pour};
use super::bench::Bench;
use super::evidence::{of_conformance, of_the_server};
use super::row::{Bound, Kind, Row};
use super::seen::Seen;
use super::victim::Victim;

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 13,
        fault: "huge line",
        expected: "memory grows by at most max_line + 256 KiB; identical bytes, at the limit and around it",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(huge_line),
    },
    Row {
        number: 14,
        fault: "NUL, CR, CRLF, 0xFF, empty lines, every split",
        expected: "byte-identical",
        fast: true,
        tested: true,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(splits),
    },
    Row {
        number: 16,
        fault: "urgent byte",
        expected: "documented: data in its place; no stall",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(urgent),
    },
    Row {
        number: 19,
        fault: "TLS, HTTP or PROXY bytes on the plain port",
        expected: "echoed, never parsed",
        fast: true,
        tested: false,
        canary: Bound::Times(10.0),
        kind: Kind::AnyServer(protocols),
    },
];

const MAX_LINE: u64 = 64 * 1024;
const ROOM: u64 = MAX_LINE + 256 * 1024;

fn huge_line(bench: &Bench) -> Result<Seen> {
    let length: u64 = bench.size(256 << 20, 10 << 30);
    bench.attack(&["--max-line", "64KiB"], |victim| {
        let one_line = Pattern { seed: 13, lines: false };
        pour(&connect(victim.address)?, one_line, 1 << 20).context("the warm-up")?;
        let before = victim.resident()?;
        victim.watch_peak();
        let start = Instant::now();
        pour(&connect(victim.address)?, one_line, length)?;
        let took = start.elapsed().as_secs_f64();
        let grown = victim.peak()?.saturating_sub(before);
        around_the_limit(victim)?;
        let mib = length >> 20;
        Ok(Seen::new(format!(
            "a line of {mib} MiB came back identical in {took:.1} s; RSS grew by {} KiB; the limit and one less or more identical",
            grown / 1024
        ))
        .figure("line_bytes", length as f64)
        .figure("grown_bytes", grown as f64)
        .figure("seconds", took)
        .must(grown <= ROOM, format!("memory grows by at most {} KiB", ROOM / 1024)))
    })
}

fn around_the_limit(victim: &Victim) -> Result<()> {
    for length in [MAX_LINE - 1, MAX_LINE, MAX_LINE + 1] {
        let client = connect(victim.address)?;
        let mut line = vec![0; usize::try_from(length)?];
        Pattern { seed: length, lines: false }.fill(0, &mut line);
        if let Some(last) = line.last_mut() {
            *last = b'\n';
        }
        exchange(&client, &line).with_context(|| format!("a line of {length} bytes"))?;
    }
    Ok(())
}

/// Everything that some line protocol treats as special.
const ODD: &[u8] =
    b"\0\n\r\n\n\r\r\n\xff\xfe\n\xef\xbb\xbfbom\n a\rb \x1b[2J\x07\n\xf0\x9f\n\n\x80\x04\x03\x1a\ntail\r\n";

fn splits(bench: &Bench) -> Result<Seen> {
    let volume = bench.size(1 << 20, 16 << 20);
    let seen = bench.attack(&[], |victim| {
        let client = connect(victim.address)?;
        let mut pieces = 0;
        bench.repeat(|| {
            for at in 1..ODD.len() {
                for end in [at, (at + 7).min(ODD.len())] {
                    // Two or three segments: what was sent before is on its way before the rest is written.
                    in_pieces(&client, [&ODD[..at], &ODD[at..end], &ODD[end..]])?;
                    pieces += 1;
                }
            }
            Ok(())
        })?;
        let seeded = at_random(&connect(victim.address)?, volume)?;
        Ok(Seen::new(format!(
            "{pieces} times {} odd bytes, split at every place, and {} KiB in {seeded} random pieces: identical",
            ODD.len(),
            volume / 1024
        )))
    })?;
    if !bench.is_ours() {
        return Ok(seen);
    }
    // Of the session, in every segmentation and order of events; and of the whole server, at random ones.
    let session = of_the_server(bench, &["what_leaves_is_what_the_service_said"])?;
    let server = of_conformance(bench, "bytes", &["random_bytes_in_random_segments_come_back_identical"])?;
    Ok(seen.and(session).and(server))
}

fn in_pieces(mut client: &TcpStream, pieces: [&[u8]; 3]) -> Result<()> {
    for piece in pieces {
        client.write_all(piece)?;
    }
    let mut back = [0; ODD.len()];
    client.read_exact(&mut back).context("odd bytes did not come back")?;
    ensure!(back == ODD, "{} came back as {}", ODD.escape_ascii(), back.escape_ascii());
    Ok(())
}

/// A stream of lines of all lengths, cut at random but seeded places; how many pieces it was.
fn at_random(client: &TcpStream, volume: usize) -> Result<usize> {
    let mut bytes = vec![0; volume];
    Pattern { seed: 14, lines: true }.fill(0, &mut bytes);
    let mut sizes = Vec::new();
    let (mut left, mut state) = (volume, 14_u64);
    while left > 0 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Mostly small, sometimes larger than any buffer.
        let size = if state >> 60 == 0 { 100_000 } else { 1 + (state >> 33) as usize % 3000 };
        sizes.push(size.min(left));
        left -= size.min(left);
    }
    let count = sizes.len();
    let (sent, mut output) = (bytes.clone(), client.try_clone()?);
    let sender = std::thread::spawn(move || -> std::io::Result<()> {
        let mut rest = &sent[..];
        for size in sizes {
            let (piece, later) = rest.split_at(size);
            output.write_all(piece)?;
            rest = later;
        }
        output.shutdown(Shutdown::Write)
    });
    let mut back = Vec::new();
    let mut input = client;
    input.read_to_end(&mut back).context("no FIN after random pieces")?;
    sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    ensure!(back == bytes, "{} random bytes came back as {} others", bytes.len(), back.len());
    Ok(count)
}

fn urgent(bench: &Bench) -> Result<Seen> {
    bench.attack(&[], |victim| {
        let mut client = connect(victim.address)?;
        let times = bench.repeat(|| {
            client.write_all(b"ab")?;
            SockRef::from(&client).send_out_of_band(b"!")?;
            client.write_all(b"cd\n")?;
            let back = one_line(&client).context("an urgent byte stalls it")?;
            ensure!(back == b"ab!cd\n", "an urgent byte is lost: ab!cd came back as {}", back.escape_ascii());
            Ok(())
        })?;
        Ok(Seen::new(format!("{times} urgent bytes came back in their place")))
    })
}

/// To the end of the line, which is short.
fn one_line(mut client: &TcpStream) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < 16 && line.last() != Some(&b'\n') {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(line)
}

fn protocols(bench: &Bench) -> Result<Seen> {
    let hello = client_hello();
    let proxy2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\x30\x39\x14\x1f";
    let replays: [&[u8]; 7] = [
        &hello,
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 12345 5151\r\n",
        proxy2,
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x16\x03\x01\xff\xff\n",
    ];
    bench.attack(&[], |victim| {
        let times = bench.repeat(|| {
            for replay in replays {
                let mut client = connect(victim.address)?;
                client.write_all(replay)?;
                client.shutdown(Shutdown::Write)?;
                let mut back = Vec::new();
                client.read_to_end(&mut back).context("no FIN")?;
                ensure!(back == replay, "{} came back as {}", replay.escape_ascii(), back.escape_ascii());
            }
            Ok(())
        })?;
        let log = if victim.is_ours() { victim.log()? } else { String::new() };
        Ok(Seen::new(format!("{times} rounds of {} openings echoed", replays.len())).must(
            !log.contains("PROXY") && !log.contains("192.0.2.1"),
            "what a peer claims to be is not believed",
        ))
    })
}

/// The shape of a TLS 1.3 ClientHello with a server name.
fn client_hello() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend((0..32_u8).map(|index| index.wrapping_mul(7)));
    body.extend_from_slice(&[0, 0, 2, 0x13, 0x01, 1, 0, 0, 13, 0, 0, 0, 9, 0, 7, 0, 0, 4]);
    body.extend_from_slice(b"echo");
    let length = body.len() as u8;
    let mut hello = vec![0x16, 0x03, 0x01, 0, length + 4, 0x01, 0, 0, length];
    hello.extend(body);
    hello
}
