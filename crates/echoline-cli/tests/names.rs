//! Hostile and broken names, in a lab whose name server does as it is told: each command looks a name up once, keeps to
//! what it found, shows it, and has one deadline for all of it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use echoline_testing::skip;

use support::{ECHOLINE, Ended, finish};

/// Two hosts: `alice`, where the command runs, and `bob` with the services and the names. `echo.lab.test` has these
/// addresses. A script runs on alice with `$E` as the program; `None` where no lab can be built.
fn on_alice(test: &str, addresses: &[String], with: &[&str], script: &str) -> Option<Ended> {
    let mut topology = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    write!(
        topology,
        r#"
name = "names"
about = "Two hosts and a cable, and a name that misbehaves."

[host.alice]
addresses = ["192.0.2.1/24", "2001:db8::1/64"]

[host.bob]
addresses = ["192.0.2.2/24", "2001:db8::2/64"]
serve = ["echo=:5151", "connect-four=:4444"]

[link.wire]
between = ["alice", "bob"]

[names]
server = "bob"
records = {{ "echo.lab.test" = {addresses:?} }}
"#
    )
    .unwrap();
    let run = |script: &str| {
        let mut command = Command::new(ECHOLINE);
        command.args(["lab", "run"]);
        command.args(with.iter().flat_map(|change| ["--with", change]));
        command.arg(topology.path()).args(["alice", "--", "sh", "-c", script]);
        finish(command.env("E", ECHOLINE), b"hello\n")
    };
    let tried = run("true");
    if tried.code != Some(0) {
        skip(test, &format!("namespaces, ip and nft ({})", tried.stderr.trim()));
        return None;
    }
    Some(run(script))
}

/// Addresses on which nothing listens: those of alice itself.
fn a_thousand() -> Vec<String> {
    (0..1000).map(|number| format!("127.9.{}.{}", number / 250, number % 250 + 1)).collect()
}

#[test]
fn a_name_with_a_thousand_addresses_is_told_in_a_few_lines() {
    const TEST: &str = "a_name_with_a_thousand_addresses_is_told_in_a_few_lines";
    for command in ["connect", "bench", "play"] {
        let script = format!("\"$E\" {command} echo.lab.test");
        let Some(ended) = on_alice(TEST, &a_thousand(), &[], &script) else { return };
        assert!(
            ended.stderr.contains("(1000 addresses tried) refused the connection   [refused]\n"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("\n  tried 992 more: 992 refused\n"), "{}", ended.stderr);
        assert!(ended.stderr.lines().count() < 20, "{}", ended.stderr);
        assert_eq!(ended.code, Some(1));
    }
    let Some(ended) = on_alice(TEST, &a_thousand(), &[], "\"$E\" connect -v echo.lab.test") else { return };
    let found = ended.stderr.lines().next().unwrap();
    assert!(found.starts_with("echo.lab.test is 127.9.0.1, "), "{found}");
    assert!(found.contains(" and 992 more (found in "), "{found}");
    let Some(ended) = on_alice(TEST, &a_thousand(), &[], "\"$E\" check echo.lab.test") else { return };
    let verdict = ended.out().lines().next().unwrap();
    let rest = " and 12 more: the same. 984 more of the name were not tried.   [refused, likely]";
    assert!(
        verdict.starts_with("Nothing listens on 127.9.0.1:5151: ") && verdict.ends_with(rest),
        "{verdict}"
    );
    assert!(ended.out().lines().count() < 80, "{}", ended.out());
}

#[test]
fn a_name_is_looked_up_once_and_the_address_that_was_found_is_shown() {
    const TEST: &str = "a_name_is_looked_up_once_and_the_address_that_was_found_is_shown";
    // What alice has sent by UDP: her questions, one for each family.
    let counted = |command: &str| {
        format!(
            "sent() {{ awk '/^Udp: [0-9]/ {{ print $5 }}' /proc/net/snmp; }}; before=$(sent); {command}; echo questions=$(($(sent) - before))"
        )
    };
    for (command, shows) in [
        ("\"$E\" connect -4 echo.lab.test", "-> 192.0.2.2:5151 (server)"),
        ("\"$E\" bench -4 -c 20 -t 200ms --warm-up 0s --churn echo.lab.test", "192.0.2.2:5151"),
        ("\"$E\" play -4 echo.lab.test", "-> 192.0.2.2:4444 (server)"),
    ] {
        let addresses = ["192.0.2.2".to_owned()];
        let Some(ended) = on_alice(TEST, &addresses, &[], &counted(command)) else { return };
        let said = format!("{}{}", ended.out(), ended.stderr);
        assert!(said.contains(shows), "{command}: {said}");
        // With -4 one question, asked again where the answer took its time; a churn connects a hundred times as often.
        let questions = said.split_once("questions=").unwrap().1.lines().next().unwrap();
        assert!((1..=3).contains(&questions.parse::<u32>().unwrap()), "{command}: {said}");
    }
}

#[test]
fn one_deadline_holds_for_the_lookup_and_every_address_together() {
    const TEST: &str = "one_deadline_holds_for_the_lookup_and_every_address_together";
    // Nobody has these addresses: the kernel looks for their owner for three seconds. More would not fit into one answer
    // over UDP, and over TCP the server takes its time again.
    let absent: Vec<_> = (100..120).map(|last| format!("192.0.2.{last}")).collect();
    // The resolver waits longer for an answer than the server takes: one that asks again is a lookup of another length.
    let timed = |command: &str| {
        format!(
            "date +%s%N; RES_OPTIONS=timeout:10 \"$E\" {command} echo.lab.test; code=$?; date +%s%N; exit $code"
        )
    };
    for (with, code) in [("names delay=3s", "[no-answer]"), ("names silent", "[name-lookup-timed-out]")] {
        for command in ["connect -4 -w 4s", "bench -4 -w 4s", "play -4 -w 4s"] {
            let begin = Instant::now();
            let Some(ended) = on_alice(TEST, &absent, &[with], &timed(command)) else { return };
            assert!(ended.stderr.contains(code), "{with}, {command}: {}", ended.stderr);
            assert_eq!(ended.code, Some(1), "{with}, {command}");
            let times: Vec<u64> = ended.out().lines().map(|line| line.parse().unwrap()).collect();
            let took = Duration::from_nanos(times[1] - times[0]);
            // With a deadline of its own for each, it would take 7 seconds.
            assert!(
                (Duration::from_secs(4)..Duration::from_secs(6)).contains(&took),
                "{with}, {command}: {took:?} of {:?}",
                begin.elapsed()
            );
        }
    }
}

#[test]
fn dead_addresses_before_the_living_one_cost_a_moment_each() {
    const TEST: &str = "dead_addresses_before_the_living_one_cost_a_moment_each";
    // Of IPv6 the system prefers the nearest, of one network the order of the answer.
    let addresses = ["2001:db8::dead", "2001:db8::beef", "192.0.2.2"].map(str::to_owned);
    let Some(ended) = on_alice(TEST, &addresses, &[], "\"$E\" connect -v echo.lab.test") else { return };
    assert!(ended.stderr.contains("Trying [2001:db8::dead]:5151\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains(" -> 192.0.2.2:5151 (server) in "), "{}", ended.stderr);
    assert_eq!((ended.out(), ended.code), ("hello\n", Some(0)));
}
