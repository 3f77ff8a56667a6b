//! `echoline check` as a user runs it, against programs of this machine. What networks do is played by the lab's scenarios.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use support::{Ended, Serving, echoline};

fn check(arguments: &[&str]) -> Ended {
    echoline(&[&["check"], arguments].concat())
}

fn document(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.stdout).unwrap()
}

/// Says this to every client, and closes.
fn saying(text: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that left already is none of the test's concern.
            let _ = stream.and_then(|mut stream| stream.write_all(text));
        }
    });
    address
}

#[test]
fn an_echo_server_passes_every_step_and_exits_0() {
    let serving = Serving::echo(&["-q"]);
    let address = serving.address(0).to_string();
    let ended = check(&["--expect", "echo", &address]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.out());
    let first = ended.out().lines().next().unwrap();
    assert!(first.starts_with(&format!("{address} echoes every byte")), "{first}");
    assert!(first.ends_with("[ok, certain]"), "{first}");
    for what in ["a long line: 8192 bytes, identical", "all byte values", "two pieces", "unfinished line"] {
        assert!(ended.out().contains(what), "{what}: {}", ended.out());
    }
    assert!(!ended.out().contains("FAIL") && !ended.out().contains("WARN"), "{}", ended.out());
}

#[test]
fn a_closed_port_of_this_machine_is_refused_for_certain_and_exits_1() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ended = check(&[&address]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out().starts_with(&format!("Nothing listens on {address}")), "{}", ended.out());
    assert!(ended.out().contains("[refused, certain]\n  next  "), "{}", ended.out());
    assert!(ended.out().contains("SKIP  greeting"), "{}", ended.out());
}

#[test]
fn json_is_one_document_with_the_verdict_first_and_every_step() {
    let serving = Serving::echo(&["-q"]);
    let ended = check(&["--json", "--expect", "echo", &serving.address(0).to_string()]);
    let document = document(&ended);
    let fields: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["schema", "verdict", "target", "steps", "took_us"]);
    assert_eq!(document["schema"], 1);
    assert_eq!(document["verdict"]["code"], "ok");
    let steps = document["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["address", "name", "route", "connect", "echo", "timing"]);
    let states: Vec<_> = steps.iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["pass", "n/a", "pass", "pass", "pass", "pass"]);
    assert_eq!(steps[3]["evidence"][0]["connect"]["ended"], "connected");
    assert_eq!(steps[4]["evidence"]["exchanges"].as_array().unwrap().len(), 6);
    assert_eq!(steps[5]["evidence"]["round_trips"], 20);
}

#[test]
fn what_cannot_be_read_exits_2_in_text_and_in_json() {
    let ended = check(&["256.1.1.1"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.out().contains("[bad-address, certain]"), "{}", ended.out());
    for (address, code) in
        [("224.0.0.1", "bad-address"), ("255.255.255.255", "bad-address"), ("127.0.0.1:0", "bad-port")]
    {
        let ended = check(&[address]);
        assert_eq!(ended.code, Some(2), "{}", ended.out());
        assert!(ended.out().contains(&format!("[{code}, certain]")), "{}", ended.out());
    }
    let ended = check(&["--json", "localhost", "70000"]);
    assert_eq!((ended.code, document(&ended)["verdict"]["code"].as_str()), (Some(2), Some("bad-port")));
}

#[test]
fn redacted_output_holds_no_name() {
    for form in [&["--redact"][..], &["--redact", "--json"]] {
        let ended = check(&[form, &["secret-host.invalid"]].concat());
        assert_eq!(ended.code, Some(1));
        assert!(!ended.out().contains("secret") && ended.out().contains("name-1"), "{}", ended.out());
    }
}

#[test]
fn nothing_is_sent_where_only_a_connection_is_expected_and_a_greeting_is_named() {
    let address = saying(b"SSH-2.0-Test\x1b[2J\r\n").to_string();
    let ended = check(&[&address]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    assert!(ended.out().contains("It speaks SSH."), "{}", ended.out());
    assert!(ended.out().contains(r"SSH-2.0-Test\x1b[2J"), "{}", ended.out());
    assert!(!ended.stdout.contains(&0x1b));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ended = check(&[&address]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(std::io::read_to_string(&mut stream).unwrap(), "");
}

#[test]
fn the_other_end_tells_whom_it_sees_and_that_our_line_arrived() {
    let serving = Serving::start(&["echo=127.0.0.1:0", "whoami=127.0.0.1:0", "-q"], 2);
    let (echo, whoami) = (serving.address(0).to_string(), serving.address(1).port().to_string());
    let ended = check(&["--expect", "echo", "--whoami", &whoami, &echo]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    for line in [
        "seen by the server as     127.0.0.1:",
        "nothing in between rewrote",
        "our line reached its echo service",
    ] {
        assert!(ended.out().contains(line), "{line}: {}", ended.out());
    }
    // What answers on the other port is no whoami service: the verdict stands without it.
    let ended = check(&[
        "--json",
        "--expect",
        "echo",
        "--whoami",
        echo.rsplit(':').next().unwrap(),
        &echo,
        "-w",
        "300ms",
    ]);
    let document = document(&ended);
    assert_eq!(
        (document["verdict"]["code"].as_str(), document["steps"][6]["state"].as_str()),
        (Some("ok"), Some("warn"))
    );
}

#[test]
fn the_instances_behind_an_address_are_counted() {
    let serving = Serving::start(&["echo=127.0.0.1:0", "whoami=127.0.0.1:0", "-q"], 2);
    let (echo, whoami) = (serving.address(0).to_string(), serving.address(1).port().to_string());
    let ended = check(&["--expect", "echo", "--whoami", &whoami, "--backends", "20", &echo]);
    for line in ["1 instance answered 20 of 20 connections", "one instance for all", "own address each time"]
    {
        assert!(ended.out().contains(line), "{line}: {}", ended.out());
    }
}

#[test]
fn another_program_on_the_port_is_no_echo_service() {
    let address = saying(b"220 mail.example ESMTP\r\n").to_string();
    let ended = check(&["--expect", "echo", &address]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.out().contains("is no echo service. It speaks SMTP."), "{}", ended.out());
    assert!(ended.out().contains("[not-echo, certain]"), "{}", ended.out());
}

/// A scenario of the lab that plays `check`: what it asserts, and what is the matter in truth.
struct Played {
    name: &'static str,
    about: &'static str,
    code: &'static str,
    certainty: &'static str,
    cause: &'static str,
}

fn played() -> Vec<Played> {
    let scenarios = echoline_lab::SHIPPED_SCENARIOS.iter();
    let of_check =
        scenarios.filter_map(|scenario| Some((scenario.name.strip_prefix("check-")?, scenario.text)));
    let one = |(name, text): (&'static str, &'static str)| {
        let about = text.lines().find_map(|line| line.strip_prefix("about = ")).unwrap().trim_matches('"');
        let asserted = text.lines().rev().find_map(|line| line.strip_prefix("shows = [\"[")).unwrap();
        let (code, rest) = asserted.split_once(", ").unwrap();
        let certainty = rest.split(']').next().unwrap();
        let marked = text.lines().find_map(|line| {
            line.strip_prefix("# The true cause, where it is not the code of the verdict: ")
        });
        Played { name, about, code, certainty, cause: marked.unwrap_or(code) }
    };
    of_check.map(one).collect()
}

#[test]
fn every_verdict_of_the_labs_scenarios_stands_in_the_documentation() {
    let text = include_str!("../../../docs/CHECK.md");
    let played = played();
    for Played { name, about, code, certainty, .. } in &played {
        let row = format!("| {name} | {about} | `{code}` | {certainty} |");
        assert!(text.lines().any(|line| line == row), "docs/CHECK.md lacks: {row}");
    }
    assert!(played.len() >= 30, "{} scenarios", played.len());
    assert!(text.contains(&format!("{} scenarios of the lab", played.len())), "{}", played.len());
}

#[test]
fn the_confusion_matrix_of_the_documentation_is_that_of_the_scenarios() {
    let played = played();
    let mut causes: Vec<&str> = Vec::new();
    for one in &played {
        if !causes.contains(&one.cause) {
            causes.push(one.cause);
        }
    }
    let row = |title: &str, of: &dyn Fn(&Played) -> bool, sum: bool| {
        let right = |certainty: &str| {
            let right = |one: &&Played| of(one) && one.cause == one.code && one.certainty == certainty;
            let count = played.iter().filter(right).count();
            if count == 0 { String::new() } else { count.to_string() }
        };
        let wrong: Vec<&Played> = played.iter().filter(|one| of(one) && one.cause != one.code).collect();
        let mut kinds: Vec<(&str, &str)> = wrong.iter().map(|one| (one.code, one.certainty)).collect();
        kinds.dedup();
        let words = |(code, certainty): &(&str, &str)| {
            let count = wrong.iter().filter(|one| (one.code, one.certainty) == (*code, *certainty)).count();
            format!("{count} `{code}`, {certainty}")
        };
        let words = kinds.iter().map(words).collect::<Vec<_>>().join("; ");
        let other = if sum { wrong.len().to_string() } else { words };
        format!(
            "| {title} | {} | {} | {} | {other} |",
            right("certain"),
            right("likely"),
            right("cannot-tell")
        )
    };
    let mut rows: Vec<String> =
        causes.iter().map(|cause| row(&format!("`{cause}`"), &|one| one.cause == *cause, false)).collect();
    rows.push(row(&format!("all {}", played.len()), &|_| true, true));
    let matrix = rows.join("\n");
    let text = include_str!("../../../docs/CHECK.md");
    assert!(text.contains(&matrix), "docs/CHECK.md should have:\n{matrix}");
    // The one rule: a verdict that is not the cause never claims to be certain.
    let wrong = played.iter().find(|one| one.cause != one.code && one.certainty == "certain");
    assert!(wrong.is_none(), "{:?}", wrong.map(|one| one.name));
}

#[test]
fn without_a_host_this_machine_is_described_with_the_program_that_listens() {
    let serving = Serving::echo(&["-q"]);
    let ended = check(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.out().starts_with("This machine has "), "{}", ended.out());
    let line = format!("{}   echoline (process {})   this machine only", serving.address(0), serving.pid());
    assert!(ended.out().contains(&line), "{line}: {}", ended.out());
    let listening = document(&check(&["--json"]))["machine"]["listening"].clone();
    let mine = |entry: &&Value| entry["program"]["pid"] == serving.pid();
    let found = listening.as_array().unwrap().iter().find(mine).unwrap().clone();
    assert_eq!(found["address"].as_str(), Some(serving.address(0).to_string().as_str()));
}

#[test]
fn watching_prints_a_line_for_each_change_of_the_verdict() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    drop(held);
    let mut child = Command::new(support::ECHOLINE)
        .args(["check", "--watch", "100ms", &address.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (line_out, lines) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || stdout.lines().try_for_each(|line| line_out.send(line.unwrap())));
    assert!(lines.recv_timeout(support::DEADLINE).unwrap().ends_with("[refused, certain]"));
    let _held = TcpListener::bind(address).unwrap();
    assert!(lines.recv_timeout(support::DEADLINE).unwrap().ends_with("[ok, certain]"));
    child.kill().unwrap();
    child.wait().unwrap();
}
