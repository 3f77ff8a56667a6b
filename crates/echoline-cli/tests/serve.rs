//! `serve` from the first endpoint line to the summary.

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use echoline_testing::{has_ipv6, have, may_open, skip};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};

use support::{ECHOLINE, Serving, assert_echoes, connect, end_of, finish, unshared};

#[test]
fn each_endpoint_is_a_line_on_standard_output_and_serves() {
    if !has_ipv6("each_endpoint_is_a_line_on_standard_output_and_serves") {
        return;
    }
    let serving = Serving::start(&["0", "echo-bytes=127.0.0.1:0"], 3);
    let names: Vec<_> = serving.lines.iter().map(|line| line.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["echo", "echo", "echo-bytes"]);
    let [v4, v6, bytes] = [0, 1, 2].map(|line| serving.address(line));
    assert_eq!((v4.ip().to_string(), v6.ip().to_string()), ("127.0.0.1".into(), "::1".into()));
    assert_eq!(v4.port(), v6.port());
    for address in [v4, v6, bytes] {
        assert_echoes(&connect(address));
    }
    serving.signal(Signal::TERM);
    let ended = serving.end();
    assert_eq!((ended.out(), ended.code), ("", Some(0)));
}

#[test]
fn it_says_who_can_reach_it_and_at_the_end_what_it_served() {
    if !has_ipv6("it_says_who_can_reach_it_and_at_the_end_what_it_served") {
        return;
    }
    let serving = Serving::start(&["localhost:0"], 2);
    let (v4, v6) = (serving.address(0), serving.address(1));
    assert_echoes(&connect(v4));
    serving.signal(Signal::INT);
    let ended = serving.end();
    let mut lines = ended.stderr.lines();
    assert_eq!(lines.next(), Some(&*format!("Serving echo to this machine only: {v4}, {v6}")));
    let summary = lines.last().unwrap();
    assert!(summary.starts_with("Served 1 connection in "), "{summary}");
    assert!(summary.ends_with("s: 1 line, 7 bytes in, 7 bytes out."), "{summary}");
    assert_eq!(ended.code, Some(0));
}

#[test]
fn all_interfaces_are_listed_with_their_networks() {
    if !has_ipv6("all_interfaces_are_listed_with_their_networks") {
        return;
    }
    let system = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let is_alone = cfg!(target_os = "linux")
        && system("/proc/net/route").lines().count() < 2
        && system("/proc/net/if_inet6").lines().all(|line| line.ends_with(" lo"));
    if is_alone {
        return skip("all_interfaces_are_listed_with_their_networks", "a network beside loopback");
    }
    let serving = Serving::start(&[":0"], 2);
    assert_eq!(serving.address(0).ip().to_string(), "0.0.0.0");
    assert_eq!(serving.address(1).ip().to_string(), "::");
    let port = serving.address(0).port();
    serving.signal(Signal::TERM);
    let ended = serving.end();
    let loopback = format!("\n  127.0.0.1:{port} ");
    assert!(ended.stderr.starts_with("Serving echo on\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&loopback), "{}", ended.stderr);
}

#[test]
fn quiet_leaves_standard_error_empty() {
    let serving = Serving::echo(&["-q"]);
    assert_echoes(&connect(serving.address(0)));
    serving.signal(Signal::TERM);
    let ended = serving.end();
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn once_serves_one_connection_and_ends() {
    let serving = Serving::echo(&["--once"]);
    let client = connect(serving.address(0));
    assert_echoes(&client);
    drop(client);
    let ended = serving.end();
    assert!(ended.stderr.contains("Served 1 connection in "), "{}", ended.stderr);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_second_client_of_once_is_refused_for_that_and_not_for_the_maximum_of_connections() {
    let serving = Serving::echo(&["--once"]);
    // Both are there before it takes the first.
    serving.stop();
    let clients = [connect(serving.address(0)), connect(serving.address(0))];
    serving.signal(Signal::CONT);
    let served = clients.iter().filter(|client| (&**client).write_all(b"x\n").is_ok());
    let served = served.filter(|client| matches!((&**client).read(&mut [0; 2]), Ok(1..))).count();
    assert_eq!(served, 1);
    drop(clients);
    let ended = serving.end();
    assert!(ended.stderr.contains("1 refused: one connection alone is served (--once)"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("max-connections"), "{}", ended.stderr);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_first_signal_lets_a_conversation_end_by_itself() {
    let mut serving = Serving::echo(&["--drain", "20s"]);
    let mut client = connect(serving.address(0));
    assert_echoes(&client);
    serving.signal(Signal::INT);
    serving.wait_until_it_says("SIGINT: no new connections; 1 conversation may go on for 20s.");
    assert_echoes(&client);
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    let ended = serving.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("--drain"), "{}", ended.stderr);
}

#[test]
fn a_conversation_that_outlasts_the_drain_is_finished_and_reported() {
    let serving = Serving::echo(&["--drain", "1ms"]);
    let mut client = connect(serving.address(0));
    assert_echoes(&client);
    serving.signal(Signal::TERM);
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "the server finishes its output");
    drop(client);
    let ended = serving.end();
    assert!(
        ended.stderr.contains("\n  1 finished by the server when the drain's time was over (--drain)\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(0));
}

#[test]
fn a_drain_that_destroys_what_a_client_has_not_taken_ends_with_1() {
    let mut serving = Serving::echo(&["--drain", "1ms", "-v"]);
    // With little room of its own, whatever sizes this machine is set to (tcp_rmem, tcp_wmem).
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.connect(&serving.address(0).into()).unwrap();
    let mut never_reads = TcpStream::from(socket);
    never_reads.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut write = || while never_reads.write(&[b'\n'; 64 * 1024]).is_ok() {};
    write();
    // The server stops reading at its cap, and then the kernel takes no more either.
    serving.wait_until_it_says("nothing more is read from it");
    write();
    serving.signal(Signal::TERM);
    let ended = serving.end();
    assert!(
        ended.stderr.contains("\n  1 cut off: the client did not take its last bytes in time\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(1));
}

#[test]
fn a_second_signal_ends_at_once_and_the_summary_still_prints() {
    let mut serving = Serving::echo(&["--drain", "1h"]);
    let client = connect(serving.address(0));
    assert_echoes(&client);
    serving.signal(Signal::TERM);
    serving.wait_until_it_says("SIGTERM: no new connections");
    serving.signal(Signal::INT);
    let ended = serving.end();
    assert!(
        ended.stderr.contains("SIGINT again: ended at once, 1 conversation cut off.\nServed 1 connection"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(130));
}

#[test]
fn a_reader_that_takes_only_the_first_endpoint_does_not_end_the_server() {
    let mut serving = Command::new(ECHOLINE)
        .args(["serve", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    // The pipe closes here: both lines were one write, so none is refused.
    serving.stdout.take().unwrap().read_exact(&mut first).unwrap();
    kill_process(Pid::from_child(&serving), Signal::TERM).unwrap();
    assert_eq!(end_of(serving).code, Some(0));
}

#[test]
fn a_full_disk_for_the_endpoint_lines_is_a_failure_that_says_so() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let child = Command::new(ECHOLINE)
        .args(["serve", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = end_of(child);
    assert!(
        ended.stderr.starts_with("cannot write to standard output: No space left on device"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.code, Some(2));
}

#[test]
fn without_ipv6_a_port_is_served_on_ipv4_alone() {
    const TEST: &str = "without_ipv6_a_port_is_served_on_ipv4_alone";
    // A network of its own in which IPv6 is off; what is started there becomes the server.
    let script =
        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up && exec \"$0\" \"$@\"";
    let inside = |program: &[&str]| {
        let mut command = unshared(&["--net"], script);
        command.args(program);
        command
    };
    if !have("ip") || finish(&mut inside(&["true"]), b"").code != Some(0) {
        return skip(TEST, "unshare and ip, and user namespaces");
    }
    let serving = Serving::spawn(&mut inside(&[ECHOLINE, "serve", "0"]), 1);
    assert!(serving.address(0).is_ipv4());
    serving.signal(Signal::TERM);
    let ended = serving.end();
    assert_eq!(ended.out(), "", "IPv4 has one endpoint");
    assert!(ended.stderr.contains("\nIPv6 is off on this machine and was left out.\n"), "{}", ended.stderr);
    assert_eq!(ended.code, Some(0));
}

#[test]
fn the_limit_of_open_files_is_raised_to_what_the_connections_need() {
    if !may_open("the_limit_of_open_files_is_raised_to_what_the_connections_need", 1000) {
        return;
    }
    let limits = |hard: &str| {
        let script = format!("ulimit -Sn 64 && ulimit -Hn {hard} && exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", ECHOLINE, "serve", "127.0.0.1:0", "--max-connections", "500"]);
        command.args(["--threads", "10"]);
        let serving = Serving::spawn(&mut command, 1);
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.pid())).unwrap();
        serving.signal(Signal::TERM);
        let soft = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        (soft.split_whitespace().nth(3).unwrap().to_owned(), serving.end().stderr)
    };
    let (soft, said) = limits("1000");
    // Two for each thread.
    assert_eq!(soft, "584");
    assert!(!said.contains("Warning"), "{said}");
    let (soft, said) = limits("200");
    assert_eq!(soft, "200");
    assert!(
        said.contains(
            "Warning: no room for 500 connections, but for about 116: this process may open 200 files."
        ),
        "{said}"
    );
}
