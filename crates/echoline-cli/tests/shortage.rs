//! What each command does where the system gives it no thread or no open file: it says so, and exits 2.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::process::Command;

use echoline_testing::{have, skip};

use support::ordinary::Ordinary;
use support::{ECHOLINE, Ended, Serving, assert_echoes, connect, echoline, finish};

/// With so many processes and threads at most, of a user that no other test is.
fn with_processes(ordinary: &Ordinary, uid: u32, most: u32, arguments: &[&str]) -> Ended {
    let limit = format!("--nproc={most}");
    finish(&mut ordinary.as_user(uid, &["prlimit", &limit], arguments), b"hello\n")
}

fn assert_said(arguments: &[&str], ended: &Ended, text: &str) {
    let said = format!("{}{}", ended.out(), ended.stderr);
    assert_eq!(ended.code, Some(2), "{arguments:?}: {said}");
    assert!(said.contains(text) && !said.contains("panicked"), "{arguments:?}: {said}");
}

#[test]
fn a_command_that_gets_no_thread_says_so_and_exits_2() {
    if !have("prlimit") {
        return skip("a_command_that_gets_no_thread_says_so_and_exits_2", "prlimit (util-linux)");
    }
    let Some(ordinary) = Ordinary::new("a_command_that_gets_no_thread_says_so_and_exits_2") else { return };
    let serving = Serving::echo(&[]);
    let address = serving.address(0).to_string();
    let port = serving.address(0).port();
    let listen = format!("localhost:{port}");
    for arguments in [
        &["check", &address][..],
        &["check", "no-such-host.invalid"],
        &["check", "--listen", &listen],
        &["check", "--json", &address],
        &["connect", &address],
        &["connect", "--json", &address],
        &["connect"],
        &["connect", "no-such-host.invalid"],
        &["play"],
        &["serve", "127.0.0.1:0"],
    ] {
        let ended = with_processes(&ordinary, 65_533, 1, arguments);
        assert_said(arguments, &ended, "no thread");
        if arguments.contains(&"--json") {
            let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
            assert!(document.to_string().contains("ulimit -u"), "{document}");
        }
    }
    if rustix::process::geteuid().is_root() {
        // Its signals have their thread, and its sender has none.
        let arguments = ["connect", &address];
        let ended = with_processes(&ordinary, 65_533, 2, &arguments);
        assert_said(&arguments, &ended, "cannot send: the system gave no thread");
    }
}

#[test]
fn a_lab_that_gets_no_thread_says_so_and_exits_2() {
    if !have("prlimit") {
        return skip("a_lab_that_gets_no_thread_says_so_and_exits_2", "prlimit (util-linux)");
    }
    let arguments = ["lab", "run", "pair", "alice", "--", "true"];
    if echoline(&arguments).code != Some(0) {
        return skip("a_lab_that_gets_no_thread_says_so_and_exits_2", "namespaces, ip and nft");
    }
    let Some(ordinary) = Ordinary::new("a_lab_that_gets_no_thread_says_so_and_exits_2") else { return };
    // From too few for its first process to enough for all: each ends in its own place.
    for most in 1..=11 {
        let ended = with_processes(&ordinary, 65_532, most, &arguments);
        if ended.code != Some(0) {
            assert_said(&arguments, &ended, "Resource temporarily unavailable");
        }
    }
}

/// With so many open files at most.
fn with_files(most: u32, arguments: &[&str]) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={most}")).arg(ECHOLINE).args(arguments);
    command
}

fn assert_said_of_files(arguments: &[&str], most: u32, ended: &Ended) {
    assert_said(arguments, ended, "[too-many-open-files]");
    assert!(!ended.stderr.contains("ulimit -u"), "{arguments:?} with {most}: {}", ended.stderr);
}

#[test]
fn too_few_open_files_are_our_own_fault_and_said_at_once() {
    if !have("prlimit") {
        return skip("too_few_open_files_are_our_own_fault_and_said_at_once", "prlimit (util-linux)");
    }
    for most in 5..=14 {
        // Who waited for a server that cannot accept would wait until the test gives up.
        for arguments in [["connect", "--wait", "1h"], ["play", "--wait", "1h"]] {
            let ended = finish(&mut with_files(most, &arguments), b"1\n");
            if ended.code != Some(0) {
                assert_said_of_files(&arguments, most, &ended);
            }
        }
    }
    assert_eq!(finish(&mut with_files(64, &["connect"]), b"1\n").code, Some(0));
}

#[test]
fn a_server_that_has_files_for_no_connection_does_not_start_and_any_other_serves() {
    if !have("prlimit") {
        return skip(
            "a_server_that_has_files_for_no_connection_does_not_start_and_any_other_serves",
            "prlimit (util-linux)",
        );
    }
    for engine in ["auto", "portable"] {
        let arguments = ["serve", "--once", "127.0.0.1:0", "--threads", "2", "--engine", engine];
        let mut served = 0;
        // How many it needs depends on the engine.
        for most in 5..=64 {
            match Serving::attempt(&mut with_files(most, &arguments), 1) {
                Ok(serving) => {
                    served += 1;
                    assert_echoes(&connect(serving.address(0)));
                    let ended = serving.end();
                    assert_eq!(ended.code, Some(0), "{arguments:?} with {most}: {ended:?}");
                }
                Err(ended) => assert_said_of_files(&arguments, most, &ended),
            }
        }
        assert!((1..60).contains(&served), "{arguments:?}: {served} of 60 limits were enough");
    }
}

#[test]
fn a_low_limit_of_open_files_that_may_be_raised_is_raised() {
    if !have("prlimit") {
        return skip("a_low_limit_of_open_files_that_may_be_raised_is_raised", "prlimit (util-linux)");
    }
    let mut command = Command::new("prlimit");
    command.args(["--nofile=8:64", ECHOLINE, "connect"]);
    let ended = finish(&mut command, b"hello\n");
    assert_eq!((ended.code, ended.out()), (Some(0), "hello\n"), "{}", ended.stderr);
}
