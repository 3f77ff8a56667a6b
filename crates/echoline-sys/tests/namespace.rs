//! The kernel's answers about networks that each test makes in its own namespace.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

use std::env;
use std::fmt::Debug;
use std::net::{IpAddr, TcpListener};
use std::num::NonZeroU32;
use std::process::Command;

use echoline_sys::{Errno, NeighbourState, Outcome, interface_name, neighbour, route_to, tcp_listeners};
use echoline_testing::skip;

/// Set in the namespace.
const INSIDE: &str = "ECHOLINE_SYS_INSIDE";

/// A pair of interfaces, with an IPv4 network on the first.
const NETWORK: &str = "ip link set lo up
ip link add near type veth peer name far
ip link set near up
ip link set far up
ip address add 192.0.2.9/24 dev near";

/// Runs `test` again in a new namespace that `script` sets up, and returns false; in there, true.
fn inside(test: &str, script: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let unshared = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-e", "-c"]);
        command.arg(format!("{script}\n{then}")).env(INSIDE, "1");
        command
    };
    if !unshared("true").output().is_ok_and(|output| output.status.success()) {
        skip(test, "unshare and ip, and user namespaces");
        return false;
    }
    let mut again = unshared("exec \"$0\" --exact \"$1\"");
    let output = again.arg(env::current_exe().unwrap()).arg(test).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    false
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn no<T: Debug>(outcome: Outcome<T>) -> Errno {
    match outcome {
        Outcome::No(errno) => errno,
        other => panic!("{other:?}"),
    }
}

/// The index of an interface.
fn index(name: &str) -> NonZeroU32 {
    let is_it = |index: &NonZeroU32| interface_name(*index).answer().as_deref() == Some(name);
    (1..100).filter_map(NonZeroU32::new).find(is_it).unwrap()
}

#[test]
fn a_route_has_its_router_its_interface_and_its_source() {
    let script = format!(
        "{NETWORK}
ip route add 198.51.100.0/24 via 192.0.2.1
ip route add 203.0.113.0/24 via inet6 fe80::1 dev near"
    );
    if !inside("a_route_has_its_router_its_interface_and_its_source", &script) {
        return;
    }
    let of = |to| route_to(ip(to), None, None).answer().unwrap();
    let source = Some(ip("192.0.2.9"));
    let own_network = of("192.0.2.7");
    assert_eq!(
        (own_network.interface, own_network.gateway, own_network.source),
        (index("near"), None, source)
    );
    let routed = of("198.51.100.7");
    let router = Some(ip("192.0.2.1"));
    assert_eq!((routed.interface, routed.gateway, routed.source), (index("near"), router, source));
    // A router of the other family.
    assert_eq!(of("203.0.113.7").gateway, Some(ip("fe80::1")));
}

#[test]
fn no_route_and_each_type_that_takes_no_packets_are_definite_nos() {
    let script = format!(
        "{NETWORK}
ip link add unused type veth peer name spare
ip route add unreachable 198.51.100.1
ip route add prohibit 198.51.100.2
ip route add blackhole 198.51.100.3
ip -6 route add unreachable 2001:db8::1 dev lo
ip -6 route add prohibit 2001:db8::2 dev lo
ip -6 route add blackhole 2001:db8::3 dev lo
ip rule add to 203.0.113.1 prohibit
ip rule add to 203.0.113.2 blackhole
ip rule add to 203.0.113.3 unreachable"
    );
    if !inside("no_route_and_each_type_that_takes_no_packets_are_definite_nos", &script) {
        return;
    }
    let via_unused = |to| no(route_to(ip(to), None, Some(index("unused"))));
    assert_eq!(via_unused("192.0.2.1"), Errno::NETUNREACH);
    assert_eq!(via_unused("fe80::1"), Errno::NETUNREACH);
    let of = |to| no(route_to(ip(to), None, None));
    assert_eq!(of("198.51.100.9"), Errno::NETUNREACH);
    assert_eq!(of("198.51.100.1"), Errno::HOSTUNREACH);
    assert_eq!(of("198.51.100.2"), Errno::ACCESS);
    assert_eq!(of("198.51.100.3"), Errno::INVAL);
    assert_eq!(of("203.0.113.1"), Errno::ACCESS);
    assert_eq!(of("203.0.113.2"), Errno::INVAL);
    assert_eq!(of("203.0.113.3"), Errno::NETUNREACH);
    assert_eq!(of("2001:db8::9"), Errno::NETUNREACH);
    assert_eq!(of("2001:db8::1"), Errno::HOSTUNREACH);
    assert_eq!(of("2001:db8::2"), Errno::ACCESS);
    assert_eq!(of("2001:db8::3"), Errno::INVAL);
}

#[test]
fn a_rule_may_route_each_source_differently() {
    let script = format!(
        "{NETWORK}
ip address add 192.0.2.10/24 dev near
ip route add 198.51.100.0/24 via 192.0.2.1
ip route add 198.51.100.0/24 via 192.0.2.2 table 7
ip rule add from 192.0.2.10 table 7"
    );
    if !inside("a_rule_may_route_each_source_differently", &script) {
        return;
    }
    for (from, router) in [(None, "192.0.2.1"), (Some("192.0.2.10"), "192.0.2.2")] {
        let route = route_to(ip("198.51.100.7"), from.map(ip), None).answer().unwrap();
        assert_eq!(route.gateway, Some(ip(router)));
        assert_eq!(route.source, Some(ip(from.unwrap_or("192.0.2.9"))));
    }
}

#[test]
fn each_state_of_a_neighbour_is_reported() {
    let script = format!(
        "{NETWORK}
ip neighbour add 192.0.2.1 dev near lladdr 02:00:00:00:00:01 nud reachable
ip neighbour add 192.0.2.2 dev near lladdr 02:00:00:00:00:01 nud stale
ip neighbour add 192.0.2.3 dev near lladdr 02:00:00:00:00:01 nud delay
ip neighbour add 192.0.2.4 dev near lladdr 02:00:00:00:00:01 nud permanent
ip neighbour add 192.0.2.5 dev near nud failed
ip -6 neighbour add fe80::1 dev near lladdr 02:00:00:00:00:01 nud reachable"
    );
    if !inside("each_state_of_a_neighbour_is_reported", &script) {
        return;
    }
    let of = |address| neighbour(ip(address), index("near")).answer().unwrap();
    assert_eq!(of("192.0.2.1"), NeighbourState::Reachable);
    assert_eq!(of("192.0.2.2"), NeighbourState::Stale);
    assert!(matches!(of("192.0.2.3"), NeighbourState::Delay | NeighbourState::Probe));
    assert_eq!(of("192.0.2.4"), NeighbourState::Permanent);
    assert_eq!(of("192.0.2.5"), NeighbourState::Failed);
    assert_eq!(of("fe80::1"), NeighbourState::Reachable);
    assert_eq!(no(neighbour(ip("192.0.2.6"), index("near"))), Errno::NOENT);
    assert_eq!(no(neighbour(ip("192.0.2.1"), NonZeroU32::MIN)), Errno::NOENT);
}

#[test]
fn a_namespace_without_listeners_has_an_empty_list() {
    if !inside("a_namespace_without_listeners_has_an_empty_list", "ip link set lo up") {
        return;
    }
    assert_eq!(tcp_listeners().unwrap(), []);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let found = tcp_listeners().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].address, listener.local_addr().unwrap());
}
