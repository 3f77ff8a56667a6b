//! Every command that talks to a server, against servers that mean harm: what they say must not act on a terminal, and
//! what they send must not fill the memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use support::pty::Terminal;
use support::{DEADLINE, ECHOLINE, Serving, end_of, finish};

/// ESC, OSC and BEL, C1 as UTF-8, bidirectional and invisible formatting, and DEL: as text, so that it is shown.
const STEERING: &str = "\x1b]0;owned\x07\x1b[2J\u{9b}31m\u{202e}abc\u{2066}\u{200b}\u{e0041}\x7f\x08";

/// Serves every connection so, on a thread each, until the test ends; returns the address.
fn server(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.unwrap());
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Says it before each line that it returns, and alone before anything was asked if it greets.
fn steering(greets: bool) -> String {
    server(move |stream| {
        let mut out = stream.try_clone().unwrap();
        // The client may leave at any time.
        if greets && out.write_all(format!("{STEERING}\n").as_bytes()).is_err() {
            return;
        }
        let mut input = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = input.read_until(b'\n', &mut line) {
            if out.write_all(&[STEERING.as_bytes(), &line].concat()).is_err() {
                return;
            }
            line.clear();
        }
    })
}

/// Speaks the form of whoami, with words that are not.
fn steering_whoami() -> String {
    server(|stream| {
        let mut out = stream.try_clone().unwrap();
        let peer = stream.peer_addr().unwrap();
        let mut answer = serde_json::json!({
            "schema": 1, "instance": STEERING, "connection": 1, "peer": peer, "local": peer, "service": STEERING
        });
        let _ = out.write_all(format!("{answer}\n").as_bytes());
        let mut line = String::new();
        while let Ok(1..) = BufReader::new(&stream).read_line(&mut line) {
            answer["reached_echo"] = true.into();
            let _ = out.write_all(format!("{answer}\n").as_bytes());
        }
    })
}

#[track_caller]
fn assert_harmless(arguments: &[&str], stream: &str, text: &str) {
    let acts = |char: char| {
        (char.is_control() && char != '\n') || "\u{202e}\u{2066}\u{200b}\u{e0041}".contains(char)
    };
    assert!(!text.contains(acts), "{arguments:?}, {stream}: {text:?}");
}

#[test]
fn nothing_that_a_server_says_acts_on_the_terminal_whichever_command_hears_it() {
    for greets in [true, false] {
        let address = steering(greets);
        let (address, whoami) = (address.as_str(), steering_whoami());
        let port = whoami.rsplit(':').next().unwrap();
        let cases: &[&[&str]] = &[
            &["connect", "--json", "--wait", "300ms", address],
            &["bench", address, "-t", "100ms", "--warm-up", "0s", "--wait", "300ms"],
            &["bench", address, "-t", "100ms", "--warm-up", "0s", "--wait", "300ms", "--json"],
            &["check", address, "--expect", "echo"],
            &["check", address, "--expect", "echo", "--json"],
            &["check", address, "--expect", "connect"],
            &["check", address, "--expect", "connect", "--json"],
            &["check", address, "--expect", "echo", "--redact"],
            &["check", &whoami, "--whoami", port, "--expect", "connect"],
            &["check", &whoami, "--whoami", port, "--expect", "connect", "--json"],
            &["check", &whoami, "--backends", "3", "--whoami", port, "--expect", "connect"],
            &["play", address],
            &["play", address, "--name", "me", "--size", "9x7"],
        ];
        for arguments in cases {
            let ended = finish(Command::new(ECHOLINE).args(*arguments), b"hello\n4\n");
            assert_harmless(arguments, "standard output", ended.out());
            assert_harmless(arguments, "standard error", &ended.stderr);
            assert!(ended.code.is_some_and(|code| code < 2), "{arguments:?}: {ended:?}");
        }
        // Its standard output is the data itself, byte for byte, where it is no terminal.
        let ended = finish(Command::new(ECHOLINE).args(["connect", address]), b"hello\n");
        assert!(ended.stdout.starts_with(STEERING.as_bytes()));
        assert_harmless(&["connect"], "standard error", &ended.stderr);
    }
}

#[test]
fn json_holds_what_the_server_said_for_whoever_parses_it() {
    let address = steering(true);
    let arguments = ["check", &address, "--expect", "connect", "--json"];
    // On one machine a greeting is waited for so shortly that a busy one may be late with it.
    let said = (0..20).any(|_| {
        let ended = finish(Command::new(ECHOLINE).args(arguments), b"");
        let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        document.to_string().contains("owned")
    });
    assert!(said, "the greeting is in no document");
}

/// Far more than the bound: what kept it would show.
const MUCH: u64 = 160 << 20;

/// How the memory of a client stood when its server had sent [`MUCH`], or had been left.
struct Flood {
    sent: u64,
    peak_kib: u64,
}

/// A server that echoes the first piece and then sends `text` without an end, until [`MUCH`] has gone or the client
/// leaves; before it lets go it looks how much memory that client has held. The client's number comes through the channel.
fn flooding(text: &'static [u8], greets: bool) -> (String, mpsc::Sender<u32>, Receiver<Flood>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (number, client) = mpsc::channel();
    let (seen, floods) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let mut piece = vec![0; 64 * 1024];
        if !greets {
            let length = stream.read(&mut piece).unwrap();
            stream.write_all(&piece[..length]).unwrap();
        }
        let piece: Vec<u8> =
            text.iter().copied().cycle().take(256 * 1024 / text.len() * text.len()).collect();
        let (client, mut flood) = (client.recv().unwrap(), Flood { sent: 0, peak_kib: 0 });
        while flood.sent < MUCH && stream.write_all(&piece).is_ok() {
            flood.sent += piece.len() as u64;
            // A client that has ended has no memory any more: the last that was seen counts.
            flood.peak_kib = peak_kib(client).unwrap_or_default().max(flood.peak_kib);
        }
        seen.send(flood).unwrap();
    });
    (address, number, floods)
}

/// The largest resident set of a process so far (proc(5), VmHWM).
fn peak_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}

/// Runs a client against a flood; the flood, its exit code and what it said.
fn against_a_flood(arguments: &[&str], text: &'static [u8], greets: bool) -> (Flood, Option<i32>, String) {
    let (address, number, floods) = flooding(text, greets);
    let arguments: Vec<_> = arguments.iter().map(|word| word.replace("SERVER", &address)).collect();
    let mut command = Command::new(ECHOLINE);
    command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let input = say(&mut child, b"hello\n");
    number.send(child.id()).unwrap();
    drop(input);
    let ended = end_of(child);
    let flood = floods.recv_timeout(DEADLINE).unwrap();
    println!("{arguments:?}: {} MiB sent, {} KiB at most", flood.sent >> 20, flood.peak_kib);
    (flood, ended.code, ended.stderr)
}

/// Far above what each needs (some 20 MiB), and far below what was sent.
const BOUND_KIB: u64 = 96 * 1024;

#[test]
fn a_reply_without_an_end_costs_no_memory_and_has_its_own_code() {
    for text in [b"a".as_slice(), b"a\n"] {
        for (arguments, greets, codes) in [
            (&["connect", "-q", "SERVER"][..], false, &["[endless]"][..]),
            (&["bench", "SERVER", "-c", "1", "-t", "1s", "--warm-up", "0s"], false, &["endless"]),
            // An echo is no answer to a player, who would leave before the flood.
            (&["play", "-q", "SERVER"], true, &["[unexpected-reply]", "[line-too-long]"]),
        ] {
            let (flood, code, said) = against_a_flood(arguments, text, greets);
            assert!(flood.peak_kib < BOUND_KIB, "{arguments:?}: {} KiB", flood.peak_kib);
            assert_eq!(code, Some(1), "{arguments:?}: {said}");
            // The report of bench is data, and went to standard output.
            let names = |code: &&str| said.contains(*code);
            assert!(arguments[0] == "bench" || codes.iter().any(names), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn much_that_is_passed_on_and_not_compared_costs_no_memory() {
    let (flood, code, said) = against_a_flood(&["connect", "--no-verify", "SERVER"], b"a", false);
    assert!(flood.sent >= MUCH && (1..BOUND_KIB).contains(&flood.peak_kib), "{} KiB", flood.peak_kib);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" MiB."), "{said}");
}

#[test]
fn an_endless_greeting_costs_check_no_memory() {
    for expect in ["echo", "connect"] {
        let arguments = ["check", "SERVER", "--expect", expect];
        let (flood, code, _) = against_a_flood(&arguments, b"a\n", true);
        assert!(flood.peak_kib < BOUND_KIB, "{} KiB", flood.peak_kib);
        assert_eq!(code, Some(i32::from(expect == "echo")), "{expect}");
    }
}

#[test]
fn an_endless_greeting_on_a_terminal_costs_no_memory_and_can_be_left() {
    let state = tempfile::tempdir().unwrap();
    let (address, number, floods) = flooding(b"a line that nobody asked for\n", true);
    let mut terminal = Terminal::connect(&[&address], state.path());
    number.send(terminal.child.id()).unwrap();
    terminal.wait_for("a line that nobody asked for");
    terminal.press("\x03");
    let (code, _) = terminal.end();
    assert_eq!(code, Some(130));
    let flood = floods.recv_timeout(DEADLINE).unwrap();
    assert!(flood.peak_kib < BOUND_KIB, "{} KiB after {} bytes", flood.peak_kib, flood.sent);
}

/// Every command that prints, each with what it needs. `SERVER` is an echo service, `GAME` one of Connect Four.
const PRINTING: [&[&str]; 15] = [
    &["connect", "SERVER"],
    &["connect", "--json", "SERVER"],
    &["bench", "SERVER", "-t", "100ms", "--warm-up", "0s"],
    &["bench", "SERVER", "-t", "100ms", "--warm-up", "0s", "--json"],
    &["check", "SERVER"],
    &["check", "SERVER", "--json"],
    &["check"],
    &["check", "--json"],
    &["play", "GAME"],
    &["explain"],
    &["completions", "bash"],
    &["man"],
    &["lab", "list"],
    &["lab", "show", "home"],
    &["--help"],
];

fn printing(run: impl Fn(&[&str], Command) -> support::Ended, judge: impl Fn(&[&str], &support::Ended)) {
    let serving = Serving::start(&["echo=127.0.0.1:0", "connect-four=127.0.0.1:0"], 2);
    let (echo, game) = (serving.address(0).to_string(), serving.address(1).to_string());
    for words in PRINTING {
        let mut command = Command::new(ECHOLINE);
        command.args(words.iter().map(|word| word.replace("SERVER", &echo).replace("GAME", &game)));
        judge(words, &run(words, command));
    }
}

/// Writes to the standard input of a child, which may have ended: how it ended is what the test looks at.
fn say(child: &mut Child, input: &[u8]) -> ChildStdin {
    let mut stdin = child.stdin.take().unwrap();
    let _ = stdin.write_all(input);
    stdin
}

/// Runs it with a line of input that is a move as well, and waits for its end.
fn with_input(command: &mut Command) -> support::Ended {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(say(&mut child, b"4\n"));
    end_of(child)
}

#[test]
fn a_full_disk_on_standard_output_is_said_and_exits_2_whichever_command_prints() {
    let full = |_: &[&str], mut command: Command| {
        with_input(command.stdout(File::options().write(true).open("/dev/full").unwrap()))
    };
    printing(full, |words, ended| {
        let says = "cannot write to standard output: No space left on device (os error 28)   [output]\n";
        assert!(ended.stderr.contains(says), "{words:?}: {}", ended.stderr);
        assert_eq!(ended.code, Some(2), "{words:?}");
    });
}

#[test]
fn a_reader_of_standard_output_that_left_ends_each_command_cleanly() {
    let left = |_: &[&str], mut command: Command| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        with_input(command.stdout(writer))
    };
    printing(left, |words, ended| {
        assert!(
            !ended.stderr.contains("panicked") && !ended.stderr.contains("[output]"),
            "{words:?}: {ended:?}"
        );
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
    });
}

#[test]
fn a_reader_that_takes_one_line_gets_a_whole_one() {
    let head = |_: &[&str], mut command: Command| {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(say(&mut child, b"4\n"));
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "{line:?}");
        end_of(child)
    };
    printing(head, |words, ended| assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr));
}

#[test]
fn closed_standard_streams_do_no_harm_whichever_command_runs() {
    let closed = |_: &[&str], command: Command| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        finish(&mut shell, b"")
    };
    printing(closed, |words, ended| assert_eq!(ended.code, Some(0), "{words:?}"));
}
