//! What `connect` says when no connection comes to be: each message as a user sees it.

#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use echoline_testing::{has_ipv6, skip};
use socket2::Socket;

use support::{ECHOLINE, Ended, bound, echoline, finish, unshared};

/// A failed connect says so on standard error alone.
#[track_caller]
fn assert_failed(ended: &Ended, code: i32, message: &str) {
    assert_eq!(without_times(&ended.stderr), message);
    assert_eq!((ended.out(), ended.code), ("", Some(code)));
}

/// How long an attempt took differs from run to run.
fn without_times(text: &str) -> String {
    let without = |line: &str| match (line.split_once(" after "), line.split_once("answer in ")) {
        (Some((before, _)), _) if line.trim_start().starts_with("tried") => format!("{before} after TIME\n"),
        (_, Some((before, time))) => {
            let (_, rest) = time.split_once("s ").unwrap();
            format!("{before}answer in TIME {rest}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(without).collect()
}

#[test]
fn a_closed_port_refuses() {
    let (_held, address) = bound();
    assert_failed(
        &echoline(&["connect", &address.to_string()]),
        1,
        &format!(
            "{address} refused the connection   [refused]\n  \
             from  127.0.0.1 via lo\n  \
             so    the host is up, but no program listens on that port there\n  \
             next  start the server, or check the port: ss -ltn on its machine lists who listens\n  \
             next  echoline check {address} says why\n  \
             next  echoline explain refused\n"
        ),
    );
}

#[test]
fn every_address_that_was_tried_is_listed() {
    let (_held, address) = bound();
    let port = address.port();
    if !has_ipv6("every_address_that_was_tried_is_listed") {
        return;
    }
    let ended = echoline(&["connect", "localhost", &port.to_string()]);
    assert_failed(
        &ended,
        1,
        &format!(
            "localhost:{port} (2 addresses tried) refused the connection   [refused]\n  \
             from  ::1 via lo, 127.0.0.1 via lo\n  \
             tried [::1]:{port}: refused after TIME\n  \
             tried 127.0.0.1:{port}: refused after TIME\n  \
             so    the host is up, but no program listens on that port there\n  \
             next  start the server, or check the port: ss -ltn on its machine lists who listens\n  \
             next  echoline check localhost:{port} says why\n  \
             next  echoline explain refused\n"
        ),
    );
}

/// A listener whose queue of connections is full: Linux drops further requests, as a firewall does.
fn full_backlog() -> (Socket, SocketAddr, Vec<TcpStream>) {
    let (socket, address) = bound();
    socket.listen(0).unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        held.push(stream);
        assert!(held.len() < 100, "the backlog never fills");
    }
    (socket, address, held)
}

#[test]
fn a_host_that_is_silent_gives_no_answer() {
    let (_listener, address, _held) = full_backlog();
    assert_failed(
        &echoline(&["connect", "-w", "300ms", &address.to_string()]),
        1,
        &format!(
            "{address} did not answer in TIME   [no-answer]\n  \
             from  127.0.0.1 via lo\n  \
             so    the host is down, or a firewall drops: a closed port usually refuses\n  \
             next  check that the host is up and has this address, then the firewalls on the way\n  \
             next  echoline check {address} says why\n  \
             next  echoline explain no-answer\n"
        ),
    );
}

#[test]
fn a_source_that_is_not_ours_is_named() {
    let (_held, address) = bound();
    assert_failed(
        &echoline(&["connect", "-s", "203.0.113.7", &address.to_string()]),
        2,
        &format!(
            "203.0.113.7 is no address of this machine, so {address} cannot be reached from it   \
             [address-not-available]\n  \
             so    the address is another machine's, or not set up here yet\n  \
             next  use an address that this machine has: ip address lists them\n  \
             next  echoline explain address-not-available\n"
        ),
    );
}

#[test]
fn an_address_of_the_other_family_is_named() {
    assert_failed(
        &echoline(&["connect", "-4", "::1"]),
        1,
        "::1 has no IPv4 address   [no-address-of-family]\n  \
         so    the host has only the other IP version\n  \
         next  do not force an IP version, or force the other one\n  \
         next  echoline explain no-address-of-family\n",
    );
}

#[test]
fn arguments_that_are_no_endpoint_say_what_would_be() {
    let write = "next  write host:port, such as localhost:5151, 192.0.2.1:5151 or [2001:db8::1]:5151";
    let cases: [(&[&str], &str, String); 10] = [
        (
            &["128.195.1.256"],
            "256 in 128.195.1.256 is above 255   [bad-address]",
            format!("{write}\n  next  echoline explain bad-address"),
        ),
        (
            &["5151"],
            "5151 is a number, not a host   [bad-address]",
            "next  write localhost:5151 for that port on this machine\n  next  echoline explain bad-address"
                .into(),
        ),
        (
            &[""],
            "the host is missing   [bad-address]",
            "so    only without any host is there a server in this process\n  \
             next  write a name or an IP address before the port; localhost is this machine\n  \
             next  echoline explain bad-address"
                .into(),
        ),
        (
            &["localhost", "99999"],
            "port 99999 is above 65535   [bad-port]",
            "next  write a number from 1 to 65535 after the host, such as localhost:5151\n  \
             next  echoline explain bad-port"
                .into(),
        ),
        (
            &["localhost:echo"],
            "port echo is no number   [bad-port]",
            "next  write a number from 1 to 65535 after the host, such as localhost:5151\n  \
             next  echoline explain bad-port"
                .into(),
        ),
        (
            &["localhost:5151", "5151"],
            "localhost:5151 is a host and a port, where only a host belongs   [bad-address]",
            "next  write localhost alone; the port goes apart\n  next  echoline explain bad-address".into(),
        ),
        (
            &["http://localhost", "9"],
            "http://localhost is a URL, where only a host belongs   [bad-address]",
            "next  write localhost alone; the port goes apart\n  next  echoline explain bad-address".into(),
        ),
        (
            &["[fe80::1%nope]:7"],
            "nope in [fe80::1%nope]:7 is no interface of this machine   [bad-address]",
            "next  list the interfaces with `ip link` (Linux) or `ifconfig`, and write one of their names after the %\n  \
             next  echoline explain bad-address"
                .into(),
        ),
        (
            &["224.0.0.1"],
            "224.0.0.1 stands for a group of hosts, and TCP goes to one   [bad-address]",
            "next  use the address of one host\n  next  echoline explain bad-address".into(),
        ),
        (
            &["localhost", "0"],
            "port 0 is no port to connect to: it lets a server pick a free one   [bad-port]",
            "next  use the port that the server printed when it started\n  \
             next  echoline explain bad-port"
                .into(),
        ),
    ];
    for (arguments, message, rest) in cases {
        let ended = echoline(&[&["connect"], arguments].concat());
        assert_failed(&ended, 2, &format!("{message}\n  {rest}\n"));
    }
}

/// Runs `connect` on a name in a mount and a network namespace of its own, where only `hosts` and a name server that
/// is not there answer: what the machine around it resolves makes no difference. Says why if that cannot be.
fn connect_among_names(sources: &str, name: &str) -> Result<Ended, &'static str> {
    let files = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let order = file("nsswitch.conf", &format!("hosts: {sources}\n"));
    let servers = file("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    let mut script = String::from("set -e\n");
    for (from, to) in [(order, "/etc/nsswitch.conf"), (servers, "/etc/resolv.conf")] {
        script += &format!("mount --bind '{from}' \"$(readlink -f {to})\"\n");
    }
    let inside = |script: &str| finish(unshared(&["--mount", "--net"], script).args([ECHOLINE, name]), b"");
    if inside(&script).code != Some(0) {
        return Err("unshare, with user, mount and network namespaces");
    }
    Ok(inside(&(script + "exec \"$0\" connect \"$1\"\n")))
}

#[test]
fn a_name_that_does_not_exist_is_not_found() {
    match connect_among_names("files", "nowhere.invalid") {
        Ok(ended) => assert_failed(
            &ended,
            1,
            "the name nowhere.invalid does not exist   [name-not-found]\n  \
             so    the name is mistyped, or known only in another network\n  \
             next  check the spelling, and try the full name with its domain\n  \
             next  echoline explain name-not-found\n",
        ),
        Err(needs) => skip("a_name_that_does_not_exist_is_not_found", needs),
    }
}

#[test]
fn a_name_that_no_server_looks_up_failed() {
    match connect_among_names("dns", "nowhere.invalid") {
        Ok(ended) => assert_failed(
            &ended,
            1,
            "the name nowhere.invalid could not be looked up: Temporary failure in name resolution   [name-lookup-failed]\n  \
             so    no name server answers, or it is broken; the name itself may be fine\n  \
             next  see whether any other name can be looked up: getent hosts example.com\n  \
             next  echoline check nowhere.invalid:5151 says why\n  \
             next  echoline explain name-lookup-failed\n",
        ),
        Err(needs) => skip("a_name_that_no_server_looks_up_failed", needs),
    }
}

#[test]
fn a_network_without_a_way_there_is_no_route() {
    match connect_among_names("files", "203.0.113.9") {
        Ok(ended) => assert_failed(
            &ended,
            1,
            "there is no route to 203.0.113.9:5151   [no-route]\n  \
             so    this machine, or a router, knows no way to that network\n  \
             next  see which route is used: ip route get 203.0.113.9\n  \
             next  echoline check 203.0.113.9:5151 says why\n  \
             next  echoline explain no-route\n",
        ),
        Err(needs) => skip("a_network_without_a_way_there_is_no_route", needs),
    }
}

#[test]
fn the_family_of_flags_is_refused_like_any_wrong_usage() {
    for (arguments, message) in [
        (&["-4", "-6"][..], "cannot be used with"),
        (&["--wait", "5"], "a time needs its unit: 5s or 5ms"),
        (&["-q", "-v"], "cannot be used with"),
        (&["-s", "here"], "invalid IP address"),
    ] {
        let ended = echoline(&[&["connect"], arguments].concat());
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
        assert_eq!((ended.out(), ended.code), ("", Some(2)));
    }
}

#[test]
fn with_json_the_failure_is_the_document() {
    let (_held, address) = bound();
    let ended = echoline(&["connect", "--json", &address.to_string()]);
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&document["result"], &document["error"]["code"]), (&"refused".into(), &"refused".into()));
    assert_eq!(document["schema"], "echoline-connect/1");
    assert_eq!(ended.code, Some(1));
}
