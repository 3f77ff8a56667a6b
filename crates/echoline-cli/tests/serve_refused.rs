//! What `serve` says when it cannot listen: each message as a user sees it.

mod support;

use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use echoline_testing::{have, skip};

use support::{ECHOLINE, Ended, echoline, finish};

/// A refused start says so on standard error alone, ends with the line that explains its code, and with exit code 2.
#[track_caller]
fn assert_refused(ended: &Ended, message: &str) {
    let (_, rest) = message.split_once("   [").expect("a code in brackets");
    let (code, _) = rest.split_once(']').expect("a code in brackets");
    let explain = format!("  next  echoline explain {code}\n");
    assert_eq!(ended.stderr, format!("{}{explain}", message.trim_end_matches(&explain)));
    assert_eq!((ended.out(), ended.code), ("", Some(2)));
}

/// A loopback address of this process's own.
fn own_loopback() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 1, middle, low)
}

#[test]
fn a_port_in_use_names_the_program_that_holds_it() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    let pid = std::process::id();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_refused(
        &echoline(&["serve", &address.to_string()]),
        &format!(
            "{address} is in use by another program   [address-in-use]\n  \
             held  by {} (process {pid}), which listens on {address}\n  \
             next  echoline serve 0 picks a free port\n  \
             next  or end that program: kill {pid}\n",
            name.trim_end()
        ),
    );
}

#[test]
fn a_port_that_a_connection_has_names_its_program_and_then_the_minute_after_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    // From there nobody else connects, so that the port has one user.
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    client.bind(&SocketAddr::from((own_loopback(), 0)).into()).unwrap();
    client.connect(&server.into()).unwrap();
    let client = TcpStream::from(client);
    let (accepted, port) = listener.accept().unwrap();
    let pid = std::process::id();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    assert_refused(
        &echoline(&["serve", &port.to_string()]),
        &format!(
            "{port} is in use by another program   [address-in-use]\n  \
             held  by {} (process {pid}), whose connection to {server} has this port\n  \
             next  echoline serve 0 picks a free port\n  \
             next  or end that program: kill {pid}\n",
            name.trim_end()
        ),
    );
    // The end that finishes first keeps the port.
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!((&accepted).read(&mut [0; 1]).unwrap(), 0);
    drop(accepted);
    assert_eq!((&client).read(&mut [0; 1]).unwrap(), 0);
    drop(client);
    assert_refused(
        &echoline(&["serve", &port.to_string()]),
        &format!(
            "{port} is in use by another program   [address-in-use]\n  \
             held  by a connection to {server} that has ended; the system keeps its port for a minute\n  \
             next  echoline serve 0 picks a free port\n  \
             next  or wait for a minute\n"
        ),
    );
}

#[test]
fn a_port_held_by_a_socket_that_does_not_listen_says_that_it_is_not_listed() {
    // Without SO_REUSEADDR, a plain bind keeps the port from others.
    let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    held.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = held.local_addr().unwrap().as_socket().unwrap();
    assert_refused(
        &echoline(&["serve", &address.to_string()]),
        &format!(
            "{address} is in use by another program   [address-in-use]\n  \
             held  by a socket that the system does not list: one that is bound and does not listen\n  \
             next  echoline serve 0 picks a free port\n"
        ),
    );
}

#[test]
fn an_address_asked_for_twice_is_not_blamed_on_another_program() {
    // No other test takes a port there once it is free again.
    let address = TcpListener::bind((own_loopback(), 0)).unwrap().local_addr().unwrap();
    let port = address.port();
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    for (first, second) in [(address, address), (everywhere, address), (address, everywhere)] {
        let ended = echoline(&["serve", &first.to_string(), &format!("echo-bytes={second}")]);
        assert_refused(
            &ended,
            &format!(
                "{second} is asked for twice   [address-in-use]\n  \
                 held  by this very command, which listens on {first} already\n  \
                 next  leave one of them out, or give it another port\n"
            ),
        );
    }
}

#[test]
fn a_reserved_port_without_rights_says_which_right_is_missing() {
    const TEST: &str = "a_reserved_port_without_rights_says_which_right_is_missing";
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let first = first.trim().parse::<u16>().unwrap();
    let port = first.saturating_sub(1);
    if port == 0 {
        return skip(TEST, "reserved ports (net.ipv4.ip_unprivileged_port_start above 1)");
    }
    // Another user may not enter the directory of the build.
    let place = tempfile::tempdir().unwrap();
    let program = place.path().join("echoline");
    std::fs::copy(ECHOLINE, &program).unwrap();
    for path in [place.path(), program.as_path()] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = if !rustix::process::geteuid().is_root() {
        Command::new(&program)
    } else if have("setpriv") {
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--inh-caps=-all",
            "--bounding-set=-all",
        ]);
        command.arg(&program);
        command
    } else {
        return skip(TEST, "setpriv (util-linux)");
    };
    assert_refused(
        &finish(command.args(["serve", &format!("127.0.0.1:{port}")]), b""),
        &format!(
            "port {port} is reserved: this user may not listen on it   [permission-denied]\n  \
             so    ports below {first} need the capability CAP_NET_BIND_SERVICE, which this process has not\n  \
             next  use a port from {first} up: echoline serve 5151\n  \
             next  or give it the right: sudo setcap cap_net_bind_service=+ep \"$(command -v echoline)\"\n  \
             next  or lower net.ipv4.ip_unprivileged_port_start, which is {first} here (sysctl)\n"
        ),
    );
}

#[test]
fn an_address_of_another_machine_says_which_ones_this_machine_has() {
    // 203.0.113.0/24 is for documentation (RFC 5737): no machine has it.
    let ended = echoline(&["serve", "203.0.113.9:0"]);
    let (message, rest) = ended.stderr.split_once("  have  ").unwrap();
    assert_eq!(
        message,
        "203.0.113.9 is no address of this machine   [address-not-available]\n  \
         so    the address is another machine's, or not set up here yet\n"
    );
    let (have, next) = rest.split_once('\n').unwrap();
    assert!(have.split(", ").any(|address| address == "127.0.0.1"), "{have}");
    assert_eq!(
        next,
        "  next  use an address that this machine has: ip address lists them\n  \
           next  echoline explain address-not-available\n"
    );
    assert_eq!((ended.out(), ended.code), ("", Some(2)));
}

#[test]
fn an_ipv6_address_that_swallowed_its_port_says_where_the_brackets_go() {
    // RFC 4291 section 2.2 lets no such address be told from one with a port, so it is one.
    let ended = echoline(&["serve", "::1:80"]);
    assert!(ended.stderr.contains("\n  next  if 80 is the port, write [::1]:80\n"), "{}", ended.stderr);
    assert_eq!((ended.out(), ended.code), ("", Some(2)));
}

#[test]
fn a_bad_port_a_bad_address_and_a_bare_number_say_what_is_wrong_and_what_to_write() {
    let port = "next  write a number from 1 to 65535 after the host, such as localhost:5151\n  \
                next  echoline explain bad-port\n";
    let address = "next  write host:port, such as localhost:5151, 192.0.2.1:5151 or [2001:db8::1]:5151\n  \
                   next  echoline explain bad-address\n";
    for (listen, sentence, next) in [
        ("70000", "port 70000 is above 65535   [bad-port]", port),
        (":http", "port http is no number   [bad-port]", port),
        ("127.0.0.1:-1", "port -1 is below 0   [bad-port]", port),
        ("128.195.1.256:5151", "256 in 128.195.1.256 is above 255   [bad-address]", address),
        ("127.1:5151", "127.1 has 2 numbers, an IPv4 address has four   [bad-address]", address),
        (
            "5151:80",
            "5151 is a number, not a host   [bad-address]",
            "next  write localhost:5151 for that port on this machine\n  \
             next  echoline explain bad-address\n",
        ),
        (
            "",
            "the host is missing   [bad-address]",
            "next  write a name or an IP address before the port; localhost is this machine\n  \
             next  echoline explain bad-address\n",
        ),
        (
            "*:5151",
            "the * in *:5151 is no address   [bad-address]",
            "next  every network, IPv4 and IPv6: :5151\n",
        ),
        (
            "chargen=5151",
            "there is no service \"chargen\"   [usage]",
            "have  echo, echo-bytes, whoami, connect-four\n  next  echoline serve echo=5151\n",
        ),
    ] {
        assert_refused(&echoline(&["serve", listen]), &format!("{sentence}\n  {next}"));
    }
}

#[test]
fn a_failure_to_start_is_a_record_of_a_log_in_json() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap().to_string();
    for (arguments, code, said) in [
        (&[address.as_str()][..], "address-in-use", "is in use"),
        (&["nothing=1"], "usage", "there is no service"),
        (&["--threads", "5000"], "usage", "5000 threads are too many"),
        (&["--engine", "portable", "\u{202e}=1"], "usage", "there is no service"),
    ] {
        let ended = echoline(&[&["serve", "--log", "json"], arguments].concat());
        assert_eq!((ended.out(), ended.code), ("", Some(2)), "{arguments:?}");
        assert!(ended.stderr.ends_with('\n') && ended.stderr.lines().count() == 1, "{}", ended.stderr);
        assert!(!ended.stderr.contains('\u{202e}'), "{}", ended.stderr);
        let record: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!((&record["code"], &record["level"]), (&code.into(), &"ERROR".into()));
        assert!(record["message"].as_str().unwrap().contains(said), "{record}");
        assert!(record["next"].as_str().unwrap().contains("echoline"), "{record}");
    }
}

#[test]
fn what_an_argument_contains_does_not_reach_the_terminal_unescaped() {
    let ended = echoline(&["serve", "\u{1b}]0;title\u{7}\u{202e}=5151"]);
    assert_eq!(
        ended.stderr.lines().next(),
        Some(r#"there is no service "\x1b]0;title\x07\u{202e}"   [usage]"#)
    );
    assert_eq!(ended.code, Some(2));
}

#[test]
fn a_bare_word_that_is_no_name_says_which_services_there_are() {
    for (word, helps) in [("echho", true), ("echho.invalid", false)] {
        let ended = echoline(&["serve", word]);
        let services = "\n  next  if a service is meant, there are echo, echo-bytes, whoami, connect-four\n";
        assert_eq!(ended.stderr.contains(services), helps, "{}", ended.stderr);
        assert_eq!((ended.out(), ended.code), ("", Some(1)));
    }
}
