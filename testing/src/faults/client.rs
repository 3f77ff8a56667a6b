//! Rows 44 to 48: our own programs against servers, names and outputs that mean them no good.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::bench::Bench;
use super::here;
use super::row::{Bound, Kind, Row};
use super::seen::Seen;

pub(super) const ROWS: &[Row] = &[
    Row {
        number: 44,
        fault: "server sends ESC, OSC, C1, bidi",
        expected: "the client escapes them on a terminal",
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Once(escapes),
    },
    Row {
        number: 45,
        fault: "server alters, truncates, adds, never ends",
        expected: "a distinct outcome each; bounded memory",
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Once(untrue),
    },
    Row {
        number: 47,
        fault: "not an echo server at all",
        expected: "the diagnosis says so",
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Once(other_programs),
    },
    Row {
        number: 48,
        fault: "client's stdout closed or full",
        expected: "clean exit code",
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Once(outputs),
    },
];

/// No command of ours may take longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a command waits for a server that answers, on a machine that may be slow.
const ANSWER: &str = "5s";

/// The same where it is the point that no answer comes.
const SILENCE: &str = "1s";

/// A server for as many connections as come; its thread ends with this process.
pub(super) fn hostile(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port for a hostile server")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok(address)
}

/// Answers each piece that it reads with what `answer` makes of it.
fn answering(answer: impl Fn(&[u8]) -> Vec<u8> + Clone + Send + 'static) -> Result<SocketAddr> {
    hostile(move |mut stream| {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut piece) {
            if stream.write_all(&answer(&piece[..length])).is_err() {
                return;
            }
        }
    })
}

/// Runs a command of ours to its end, with this input.
fn finish(mut child: Child, input: &[u8]) -> Result<Output> {
    let stdin = child.stdin.take();
    let input = input.to_vec();
    // It may leave before it has taken everything.
    let feeder = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input).is_ok()));
    let pid = child.id();
    let guard = std::thread::spawn(move || child.wait_with_output());
    let deadline = Instant::now() + PATIENCE;
    while !guard.is_finished() {
        if Instant::now() > deadline {
            end(pid);
            anyhow::bail!("a command of ours was not done within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = guard.join().map_err(|_| anyhow::anyhow!("waiting panicked"))??;
    let _ = feeder.join();
    Ok(output)
}

fn end(pid: u32) {
    // Not waited for yet, so the number is still its own.
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

fn echoline(bench: &Bench, words: &[&str]) -> Command {
    let mut command = Command::new(&bench.echoline);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(bench: &Bench, words: &[&str], input: &[u8]) -> Result<Output> {
    finish(echoline(bench, words).spawn().context("cannot start echoline")?, input)
}

/// It ended by itself, without a panic.
pub(super) fn is_clean(status: ExitStatus, talk: &[u8]) -> bool {
    let talk = String::from_utf8_lossy(talk);
    status.code().is_some_and(|code| [0, 1, 2, 3, 141].contains(&code)) && !talk.contains("panicked")
}

/// A title, a colour by a C1 byte, a cleared screen, text that runs backwards, a hyperlink, a bell.
const ESCAPES: [&[u8]; 6] = [
    b"\x1b]0;owned\x07",
    b"\x9b31mred",
    b"\x1b[2J\x1b[H",
    "\u{202e}sdrawkcab\u{2066}".as_bytes(),
    b"\x1b]8;;http://evil\x1b\\link",
    "\u{9b}31m".as_bytes(),
];

fn escapes(bench: &Bench) -> Result<Seen> {
    let nasty = ESCAPES.concat();
    let reply = nasty.clone();
    let server = answering(move |_| [&reply[..], b"\n"].concat())?;
    let greeting = hostile(move |mut stream| {
        let _ = stream.write_all(&[&nasty[..], b"\n"].concat());
        let _ = stream.read_to_end(&mut Vec::new());
    })?;
    here::script()?;
    let (mut leaked, mut silent) = (Vec::new(), Vec::new());
    let (server, greeting) = (server.to_string(), greeting.to_string());
    // Those that show nothing of what a server says must not show it raw either.
    for (says, words) in [
        (true, &["connect", "--no-verify", &server][..]),
        (true, &["connect", &server]),
        (true, &["connect", "--trace", "--no-verify", &greeting]),
        (true, &["check", "--expect", "echo", &server]),
        (true, &["check", "--expect", "echo", &greeting]),
        (false, &["play", &server]),
        (false, &["bench", "-t", "300ms", "--warm-up", "0s", &server]),
    ] {
        let screen = on_a_terminal(bench, words)?;
        if screen.is_empty() || (says && !find(&screen, b"owned")) {
            silent.push(words.join(" "));
        }
        for escape in ESCAPES.iter().filter(|escape| find(&screen, escape)) {
            leaked.push(format!("{} shows {}", words.join(" "), escape.escape_ascii()));
        }
    }
    Ok(Seen::new(format!(
        "connect, check, play and bench on a terminal: {} raw sequences in 7 runs, escaped text in each of 5 that show what a server says",
        leaked.len()
    ))
    .must(silent.is_empty(), format!("what the server says is shown ({})", silent.join("; ")))
    .must(leaked.is_empty(), format!("no sequence reaches the terminal ({})", leaked.join("; "))))
}

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Everything that a command writes to its terminal, while somebody types a line and ends.
fn on_a_terminal(bench: &Bench, words: &[&str]) -> Result<Vec<u8>> {
    let line = format!("{} {}", bench.echoline.display(), words.join(" "));
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"]);
    command.env("TERM", "xterm").env("XDG_STATE_HOME", &bench.scratch);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("cannot start `script` (Debian package bsdutils)")?;
    let mut keys = child.stdin.take().context("no stdin")?;
    let typist = std::thread::spawn(move || {
        // A prompt may come in between: what is typed early waits in the terminal.
        for key in [&b"hello\r"[..], b"\x04", b"\x04", b"\x03"] {
            std::thread::sleep(Duration::from_millis(250));
            if keys.write_all(key).and_then(|()| keys.flush()).is_err() {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(500));
    });
    let output = finish(child, b"")?;
    let _ = typist.join();
    Ok(output.stdout)
}

/// What the client makes of one lie: its result, how the difference is described, and the most memory it took.
struct Verdict {
    outcome: String,
    status: ExitStatus,
    peak: u64,
}

fn judged(bench: &Bench, server: SocketAddr, input: &[u8], wait: &str) -> Result<Verdict> {
    let server = server.to_string();
    let child = echoline(bench, &["connect", "--json", "--quiet", "--wait", wait, &server]).spawn()?;
    let pid = child.id();
    let watch = std::thread::spawn(move || {
        let mut peak = 0;
        // Ends with the process, whose entry then is gone or has no memory.
        while let Some(now) = peak_of(pid) {
            peak = peak.max(now);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let output = finish(child, input)?;
    let peak = watch.join().map_err(|_| anyhow::anyhow!("watching panicked"))?;
    let document: Value =
        serde_json::from_slice(&output.stdout).context("connect --json gave no document")?;
    let result = document["result"].as_str().unwrap_or("none");
    let kind = document["difference"]["kind"].as_str().unwrap_or("");
    ensure!(is_clean(output.status, &output.stderr), "connect ended with {}", output.status);
    Ok(Verdict { outcome: format!("{result} {kind}").trim().to_owned(), status: output.status, peak })
}

fn peak_of(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

fn untrue(bench: &Bench) -> Result<Seen> {
    const MOST: u64 = 48 << 20;
    let whole = |stream: &mut TcpStream| {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        text
    };
    let lies: [(&str, SocketAddr); 6] = [
        (
            "alters",
            hostile(move |mut stream| {
                let mut text = whole(&mut stream);
                if let Some(byte) = text.get_mut(3) {
                    *byte ^= 1;
                }
                let _ = stream.write_all(&text);
            })?,
        ),
        (
            "truncates",
            hostile(move |mut stream| {
                let text = whole(&mut stream);
                let _ = stream.write_all(&text[..text.len() / 2]);
            })?,
        ),
        (
            "adds",
            hostile(move |mut stream| {
                let text = whole(&mut stream);
                let _ = stream.write_all(&text).and_then(|()| stream.write_all(b"and more\n"));
            })?,
        ),
        (
            "says nothing",
            hostile(move |mut stream| {
                whole(&mut stream);
                std::thread::sleep(PATIENCE);
            })?,
        ),
        (
            "never ends",
            hostile(move |mut stream| {
                let text = whole(&mut stream);
                let _ = stream.write_all(&text);
                while stream.write_all(&[b'a'; 64 * 1024]).is_ok() {}
            })?,
        ),
        (
            "never ends from the start",
            hostile(move |mut stream| while stream.write_all(&[b'a'; 64 * 1024]).is_ok() {})?,
        ),
    ];
    let (input, much) = (b"a line of the truth\n".repeat(50_000), b"and on it goes\n".repeat(6 << 20));
    let mut outcomes = Vec::new();
    let (mut peak, mut failed) = (0, true);
    for (what, server) in &lies {
        let wait = if *what == "says nothing" { SILENCE } else { ANSWER };
        let verdict =
            judged(bench, *server, &input, wait).with_context(|| format!("a server that {what}"))?;
        peak = peak.max(verdict.peak);
        failed &= verdict.status.code() == Some(1);
        outcomes.push(format!("{what}: {}", verdict.outcome));
    }
    // Who only takes must not make us remember all that it took.
    let swallows = hostile(|mut stream| drop(std::io::copy(&mut stream, &mut std::io::sink())))?;
    let verdict = judged(bench, swallows, &much, SILENCE).context("a server that only takes")?;
    peak = peak.max(verdict.peak);
    failed &= verdict.status.code() == Some(1);
    outcomes.push(format!("only takes {} MiB: {}", much.len() >> 20, verdict.outcome));
    let mut distinct: Vec<_> =
        outcomes[..4].iter().filter_map(|text| text.split_once(": ")).map(|(_, outcome)| outcome).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let all_four = distinct.len() == 4;
    Ok(Seen::new(format!("{}; at most {} MiB of memory", outcomes.join(", "), peak >> 20))
        .figure("client_peak_bytes", peak as f64)
        .must(failed, "each exits 1")
        .must(all_four, "altered, truncated, added and missing bytes have an outcome each")
        .must(peak <= MOST, format!("memory stays under {} MiB", MOST >> 20)))
}

fn other_programs(bench: &Bench) -> Result<Seen> {
    let http = answering(|_| {
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
    })?;
    let ssh = hostile(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9p1 Debian\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    })?;
    let smtp = hostile(|mut stream| {
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    })?;
    let chargen = hostile(|mut stream| {
        let line: Vec<u8> = (b' '..b'h').chain(*b"\r\n").collect();
        while stream.write_all(&line).is_ok() {}
    })?;
    let discard = hostile(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    })?;
    let mut said = Vec::new();
    let mut wrong = Vec::new();
    // Who says what it is must be named; who says nothing is not taken for anything.
    for (what, server, code) in [
        ("HTTP", http, "not-echo"),
        ("SSH", ssh, "not-echo"),
        ("SMTP", smtp, "not-echo"),
        ("chargen", chargen, "not-echo"),
        ("discard", discard, "no-reply"),
    ] {
        let server = server.to_string();
        let wait = if what == "discard" { SILENCE } else { ANSWER };
        let check = run(bench, &["check", "--expect", "echo", "-w", wait, "--json", &server], b"")?;
        let document: Value =
            serde_json::from_slice(&check.stdout).context("check --json gave no document")?;
        let verdict = document["verdict"]["code"]
            .as_str()
            .or(document["verdict"].as_str())
            .unwrap_or("none")
            .to_owned();
        let connect = run(bench, &["connect", "--quiet", "--wait", wait, &server], b"hello\n")?;
        let clean = is_clean(check.status, &check.stderr) && is_clean(connect.status, &connect.stderr);
        if !clean || check.status.code() != Some(1) || connect.status.code() != Some(1) {
            wrong.push(format!("{what}: check {}, connect {}", check.status, connect.status));
        }
        let sentence = document["verdict"]["sentence"].as_str().unwrap_or_default();
        let talk = String::from_utf8_lossy(&connect.stderr);
        let speaks = |text: &str| text.contains(&format!("speaks {what}"));
        let is_named = code == "no-reply" || (speaks(sentence) && speaks(&talk));
        if verdict != code || !is_named {
            wrong.push(format!("{what}: check says {sentence}"));
        }
        let named = if speaks(sentence) { ", named" } else { "" };
        said.push(format!("{what}: {verdict}{named}"));
    }
    Ok(Seen::new(format!("check says {}", said.join(", "))).must(
        wrong.is_empty(),
        format!("check and connect fail in order and name what answers ({})", wrong.join("; ")),
    ))
}

fn outputs(bench: &Bench) -> Result<Seen> {
    let commands: [&[&str]; 6] = [
        &["connect"],
        &["connect", "--json"],
        &["bench", "-t", "200ms", "--json"],
        &["explain"],
        &["check", "--json", "127.0.0.1:1"],
        &["lab", "list"],
    ];
    let input = b"some line of many\n".repeat(20_000);
    let mut codes = Vec::new();
    let mut unclean = Vec::new();
    for words in commands {
        for full in [true, false] {
            let mut command = echoline(bench, words);
            if full {
                command.stdout(
                    std::fs::OpenOptions::new()
                        .write(true)
                        .open("/dev/full")
                        .context("cannot open /dev/full")?,
                );
            } else {
                // A pipe whose reader has gone, as after `| head -1`.
                let (read, write) = rustix::pipe::pipe()?;
                drop(read);
                command.stdout(write);
            }
            let output = finish(command.spawn().context("cannot start echoline")?, &input)?;
            let place = if full { "full" } else { "closed" };
            let code = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
            // Who stopped reading has all that it wanted; where nothing can be written, all of it is lost.
            let wanted = i32::from(full) * 2;
            if !is_clean(output.status, &output.stderr) || output.status.code() != Some(wanted) {
                unclean.push(format!("{} on {place}: {}", words.join(" "), output.status));
            }
            codes.push(format!("{} {place} {code}", words[0]));
        }
    }
    Ok(Seen::new(format!("exit codes: {}", codes.join(", ")))
        .must(unclean.is_empty(), format!("each ends cleanly ({})", unclean.join("; "))))
}
