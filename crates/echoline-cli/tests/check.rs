//! `echoline check` as a user runs it, against programs of this machine. What networks do is played by the lab's scenarios.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use echoline_testing::{has_ipv6, have, skip};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use support::pty::Terminal;
use support::{Ended, Serving, bound, echoline, finish, unshared};

fn check(arguments: &[&str]) -> Ended {
    echoline(&[&["check"], arguments].concat())
}

fn document(ended: &Ended) -> Value {
    serde_json::from_slice(&ended.stdout).unwrap()
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
    for what in [
        "a long line: 8,192 bytes, identical",
        "all byte values",
        "ends with CR LF",
        "two pieces",
        "unfinished line",
    ] {
        assert!(ended.out().contains(what), "{what}: {}", ended.out());
    }
    assert!(!ended.out().contains("FAIL") && !ended.out().contains("WARN"), "{}", ended.out());
}

#[test]
fn a_closed_port_of_this_machine_is_refused_for_certain_and_exits_1() {
    let (_held, address) = bound();
    let ended = check(&[&address.to_string()]);
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
    assert_eq!(document["schema"], "echoline-check/1");
    assert_eq!(document["verdict"]["code"], "ok");
    let steps = document["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["address", "name", "route", "connect", "echo", "timing"]);
    let states: Vec<_> = steps.iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["pass", "n/a", "pass", "pass", "pass", "pass"]);
    assert_eq!(steps[3]["evidence"][0]["connect"]["ended"], "connected");
    assert_eq!(steps[4]["evidence"]["exchanges"].as_array().unwrap().len(), 7);
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
fn redaction_leaves_the_states_of_the_steps_alone() {
    let ended = check(&["--redact", "-w", "500ms", "fail"]);
    assert!(
        ended.out().contains("\nFAIL  name") && ended.out().contains("name-1 is a name"),
        "{}",
        ended.out()
    );
}

#[test]
fn a_sentence_stays_whole_when_the_host_is_called_as_one_of_its_words() {
    let redacted = |host: &str| {
        let ended = check(&["--redact", "-w", "500ms", host]);
        let first = ended.out().lines().next().unwrap().to_owned();
        assert!(first.contains("The name name-1 "), "{first}");
        // Times differ.
        first.replace(|c: char| c.is_ascii_digit(), "0")
    };
    let usual = redacted("some-host");
    for host in ["exist", "drops", "port", "answers", "fail", "echo", "refused"] {
        assert_eq!(redacted(host), usual);
    }
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
        "2s",
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
fn the_verdict_is_broken_into_lines_on_a_terminal_and_nowhere_else() {
    let (_held, closed) = bound();
    let serving = Serving::echo(&["-q"]);
    let (whoami, echo) = (closed.port().to_string(), serving.address(0).to_string());
    let arguments = ["check", "--expect", "echo", "--whoami", &whoami, &echo];
    let (code, screen) = Terminal::start(&arguments, Path::new("/nonexistent")).end();
    assert_eq!(code, Some(0), "{screen}");
    let above: Vec<_> = screen.lines().take_while(|line| !line.is_empty()).collect();
    assert!(above.len() > 1 && above.iter().all(|line| line.len() <= 108), "{screen}");
    let whole = echoline(&arguments);
    let first = whole.out().lines().next().unwrap();
    assert!(first.len() > 108 && first.ends_with("   [ok, certain]"), "{first}");
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
    let document = document(&check(&["--json"]));
    assert_eq!(document["schema"], "echoline-check-machine/1");
    let listening = document["machine"]["listening"].clone();
    let mine = |entry: &&Value| entry["program"]["pid"] == serving.pid();
    let found = listening.as_array().unwrap().iter().find(mine).unwrap().clone();
    assert_eq!(found["address"].as_str(), Some(serving.address(0).to_string().as_str()));
}

#[test]
fn watching_prints_a_line_for_each_change_of_the_verdict() {
    let (socket, address) = bound();
    let mut child = Command::new(support::ECHOLINE)
        .args(["check", "--watch", "100ms", &address.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (line_out, lines) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || stdout.lines().try_for_each(|line| line_out.send(line.unwrap())));
    assert!(lines.recv_timeout(support::DEADLINE).unwrap().ends_with("[refused, certain]"));
    socket.listen(16).unwrap();
    assert!(lines.recv_timeout(support::DEADLINE).unwrap().ends_with("[ok, certain]"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// What a check finds of a server that accepts. It waits for that so shortly that on a busy machine one may be late.
fn once_accepting(arguments: &[&str]) -> Ended {
    let mut tries = (0..20).map(|_| check(arguments));
    tries.find(|ended| !ended.out().contains("not-accepting")).expect("a server that accepts")
}

/// A document of `--listen`, and the state of each of its steps.
fn listened(endpoint: &str) -> (Value, Vec<(String, String)>) {
    let ended = once_accepting(&["--json", "--listen", endpoint]);
    let document = document(&ended);
    let steps = document["steps"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let states = steps.map(|step| (text(&step["step"]), text(&step["state"]))).collect();
    (document, states)
}

#[test]
fn a_server_for_this_machine_alone_is_found_to_be_so_and_is_fine_where_that_is_meant() {
    let serving = Serving::echo(&["-q"]);
    let port = serving.address(0).port();
    let ended = once_accepting(&["--listen", &port.to_string()]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    let first = ended.out().lines().next().unwrap();
    let begin =
        format!("Only this machine itself can reach port {port}: echoline (process {})", serving.pid());
    assert!(first.starts_with(&begin) && first.ends_with("[loopback-only, certain]"), "{first}");

    let (document, states) = listened(&format!("127.0.0.1:{port}"));
    assert_eq!(
        (&document["schema"], &document["verdict"]["code"]),
        (&"echoline-check/1".into(), &"ok".into())
    );
    assert_eq!(document["target"]["expect"], "listen");
    let expected = [
        ("address", "pass"),
        ("bound", "pass"),
        ("queue", "pass"),
        ("connect", "pass"),
        ("firewall", "n/a"),
        ("reach", "pass"),
    ];
    assert_eq!(states, expected.map(|(step, state)| (step.to_owned(), state.to_owned())));
    let steps = &document["steps"];
    assert_eq!(steps[1]["evidence"][0]["processes"][0]["pid"], serving.pid());
    assert_eq!(steps[3]["evidence"][0]["taken"], true);
}

#[test]
fn a_program_that_takes_no_connection_is_told_from_one_that_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap().to_string();
    let ended = check(&["--listen", &endpoint]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    assert!(ended.out().contains("[not-accepting, likely]"), "{}", ended.out());
    drop(listener);
    let ended = check(&["--listen", &endpoint]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    assert!(ended.out().contains("[not-listening, certain]"), "{}", ended.out());
}

#[test]
fn an_endpoint_to_listen_on_that_cannot_be_read_exits_2() {
    for (endpoint, code) in [
        ("256.0.0.1:80", "bad-address"),
        (":70000", "bad-port"),
        (":0", "bad-port"),
        ("*:80", "bad-address"),
        ("192.0.2.77:80", "address-not-available"),
    ] {
        let ended = check(&["--listen", endpoint]);
        assert_eq!(ended.code, Some(2), "{endpoint}: {}", ended.out());
        assert!(ended.out().contains(&format!("[{code}, certain]")), "{endpoint}: {}", ended.out());
    }
    for (arguments, said) in [
        (["--idle", "1ms"], "from 100ms to 24h"),
        (["--whoami", "0"], "0 lets a server pick a port"),
        (["--whoami", "70000"], "65535"),
        (["-w", "0s"], "0s is no time to wait: give 1ms or more"),
        (["--watch", "0"], "0 is no time to wait: give 1ms or more"),
    ] {
        let ended = check(&[&arguments[..], &["127.0.0.1"]].concat());
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
}

#[test]
fn a_source_address_of_the_other_family_is_what_is_said_to_be_in_the_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for (arguments, words) in [
        (
            &["-s", "::1", "127.0.0.1"][..],
            "127.0.0.1 has no IPv6 address, and the source address ::1 is one.",
        ),
        (&["-s", "127.0.0.1", "::1"], "::1 has no IPv4 address, and the source address 127.0.0.1 is one."),
        (&["-4", "-s", "::1", "localhost"], "The source address ::1 is no IPv4 address."),
    ] {
        let ended = check(&[arguments, &[&port]].concat());
        assert_eq!(ended.code, Some(1), "{}", ended.out());
        let first = format!("{words}   [no-address-of-family, certain]\n  next  give --source an address");
        assert!(ended.out().starts_with(&first), "{}", ended.out());
    }

    let ended = check(&["-s", "127.0.0.1", "localhost", &port]);
    assert_eq!(ended.code, Some(0), "{}", ended.out());
    assert!(!ended.out().contains("[::1]"), "{}", ended.out());
    if !has_ipv6("a_source_address_of_the_other_family_is_what_is_said_to_be_in_the_way") {
        return;
    }
    // Whatever became of [::1], it says nothing of the program that listens on the other address.
    let ended = check(&["-s", "::1", "localhost", &port]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    let first = ended.out().lines().next().unwrap();
    assert!(first.contains("Only IPv6 was tried") && !first.contains("certain]"), "{first}");
    assert!(ended.out().contains("next  leave --source out"), "{}", ended.out());
    assert!(ended.out().contains("IPv4 not asked for; IPv6 ::1"), "{}", ended.out());
}

#[test]
fn an_option_that_would_say_nothing_of_what_is_looked_at_is_refused() {
    let of_a_host = [
        &["--expect", "echo"][..],
        &["--source", "127.0.0.1"],
        &["--no-controls"],
        &["--hops"],
        &["--whoami", "5152"],
        &["--backends", "3"],
        &["--watch", "1s"],
        &["--idle", "2s"],
    ];
    for option in of_a_host {
        for rest in [&[][..], &["--listen", "9"]] {
            let ended = check(&[option, rest].concat());
            assert_eq!((ended.code, ended.out()), (Some(2), ""), "{option:?} {rest:?}");
            assert!(
                ended.stderr.contains("<HOST>") || ended.stderr.contains("cannot be used with"),
                "{}",
                ended.stderr
            );
        }
    }
    for option in [&["-4"][..], &["-6"], &["-w", "1s"], &["--listen", "80", "host"]] {
        assert_eq!(check(option).code, Some(2), "{option:?}");
    }
    assert_eq!(check(&["-4", "-w", "1s", "--listen", "127.0.0.1:9"]).code, Some(1));
}

#[test]
fn a_server_that_ends_silent_connections_is_found_to_do_so_and_when() {
    let serving = Serving::echo(&["-q", "--idle-timeout", "2s"]);
    let address = serving.address(0).to_string();
    let ended = check(&["--json", "--expect", "echo", "--idle", "6s", &address]);
    assert_eq!(ended.code, Some(1), "{}", ended.out());
    let document = document(&ended);
    assert_eq!(document["verdict"]["code"], "idle-closed");
    let step = document["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((step["step"].as_str(), step["state"].as_str()), (Some("idle"), Some("fail")));
    let tries = step["evidence"]["tries"].as_array().unwrap();
    let dead: Vec<u64> = tries
        .iter()
        .filter(|one| one["end"] == "closed")
        .map(|one| one["silent_us"].as_u64().unwrap())
        .collect();
    assert!(!dead.is_empty() && dead.iter().all(|us| *us >= 1_700_000), "{tries:?}");
    assert_eq!(step["evidence"]["busy_ended"], Value::Null);
    assert!(ended.stderr.contains("held silent"), "{}", ended.stderr);
}

#[test]
fn an_interrupted_silence_says_what_is_known_so_far_and_exits_130() {
    let serving = Serving::echo(&["-q"]);
    let mut child = Command::new(support::ECHOLINE)
        .args([
            "check",
            "-q",
            "--json",
            "--expect",
            "echo",
            "--idle",
            "600s",
            &serving.address(0).to_string(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Its connections stand: then it holds them.
    let deadline = Instant::now() + support::DEADLINE;
    let port = format!("{:04X}", serving.address(0).port());
    let held = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        table
            .lines()
            .filter(|line| line.contains(&format!("0100007F:{port} ")) && line.contains(" 01 "))
            .count()
    };
    while held() < 12 {
        assert!(Instant::now() < deadline, "{} connections", held());
        thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let document: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(document["verdict"]["certainty"], "cannot-tell");
    assert_eq!(document["steps"].as_array().unwrap().last().unwrap()["evidence"]["interrupted"], true);
}

#[test]
fn a_rule_that_drops_or_rejects_an_own_port_is_named_though_nothing_listens_there() {
    const TEST: &str = "a_rule_that_drops_or_rejects_an_own_port_is_named_though_nothing_listens_there";
    let network = "ip link set lo up && nft 'add table inet t; add chain inet t in { type filter hook input \
                   priority 0; }; add rule inet t in tcp dport 7001 drop; add rule inet t in tcp dport 7002 reject'";
    let inside = |script: &str| {
        let mut command = unshared(&["--net"], &format!("{network} && {script}"));
        finish(command.arg(support::ECHOLINE), b"")
    };
    if !have("ip") || !have("nft") || inside("true").code != Some(0) {
        return skip(TEST, "unshare, ip and nft, and user namespaces");
    }
    for (port, rule, hint) in [
        ("7001", "tcp dport 7001 drop", "what comes in"),
        ("7002", "tcp dport 7002 reject", "what goes out and what comes in"),
    ] {
        let ended = inside(&format!("\"$0\" check -w 2s 127.0.0.1 {port}"));
        let told = format!("The rule: {rule}.   [local-firewall, certain]");
        assert!(ended.out().contains(&told) && ended.out().contains(hint), "{}", ended.out());
    }
}

#[test]
fn a_source_address_of_another_machine_is_named_and_nothing_else_is_said_to_have_been_tried() {
    // 203.0.113.0/24 is for documentation (RFC 5737): no machine has it.
    let ended = check(&["-s", "203.0.113.9", "localhost", "1"]);
    assert_eq!(ended.code, Some(2), "{}", ended.out());
    let first =
        "The source address 203.0.113.9 belongs to no interface of this machine.   [address-not-available";
    assert!(ended.out().starts_with(first), "{}", ended.out());
    assert!(
        ended.out().contains("127.0.0.1:1: the source address is none of this machine\n"),
        "{}",
        ended.out()
    );
    assert!(!ended.out().contains("listens there"), "{}", ended.out());
}
