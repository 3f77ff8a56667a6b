//! Every verdict from findings written down by hand: no network is needed to judge.

use std::net::{IpAddr, SocketAddr};

use echoline::{AddressKind, Family};
use echoline_diagnosis::Certainty::{CannotTell, Certain, Likely};
use echoline_diagnosis::Code;
use echoline_diagnosis::code::*;

use super::*;
use crate::evidence::*;

const HOST: &str = "203.0.113.10:5151";
const OWN: &str = "192.168.1.10";
const ROUTER: &str = "192.168.1.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn findings() -> Findings {
    Findings {
        target: Target { host: "echo.lab.test".to_owned(), port: 5151, expect: Expect::Echo, scheme: None },
        unreadable: None,
        name: None,
        addresses: Vec::new(),
        family: Family::Any,
        narrowed_by: None,
        addresses_left_out: 0,
        conversation: None,
        timing: None,
        whoami: None,
        backends: None,
        idle: None,
        interrupted: false,
    }
}

/// An address behind a router, and how the connection to it ended.
fn far(ended: Ended) -> AddressFinding {
    let address: SocketAddr = HOST.parse().unwrap();
    let way = Way {
        interface: "eth0".to_owned(),
        gateway: Some(ip(ROUTER)),
        source: Some(ip(OWN)),
        source_kind: Some("private".into()),
    };
    AddressFinding {
        address,
        kind: AddressKind::of(address.ip()).as_str().into(),
        own: false,
        listens: None,
        queue: None,
        route: Route { found: Some(way), missing: None, took_us: 10 },
        connect: Connect {
            source: Some(SocketAddr::new(ip(OWN), 40000)),
            ended,
            os_error: None,
            icmp: None,
            requests: None,
            took_us: 500,
        },
        neighbour: Some(Neighbour { address: ip(ROUTER), answers: true }),
        own_rules: Vec::new(),
        controls: Vec::new(),
        hops: Vec::new(),
        control_hops: Vec::new(),
    }
}

fn near(ended: Ended) -> AddressFinding {
    let mut finding = far(ended);
    finding.route.found.as_mut().unwrap().gateway = None;
    finding.neighbour = Some(Neighbour { address: finding.address.ip(), answers: true });
    finding
}

fn own(ended: Ended, listens: Option<bool>) -> AddressFinding {
    AddressFinding { own: true, listens, neighbour: None, ..near(ended) }
}

fn silent(left: Option<bool>) -> AddressFinding {
    let mut finding = far(Ended::NoAnswer);
    finding.connect.requests = Some(Requests { repeated: 2, left_this_machine: left });
    finding.connect.took_us = 5_000_000;
    finding
}

fn icmp(kind: u8, code: u8, from: &str) -> Option<Icmp> {
    let version = if ip(from).is_ipv4() { 4 } else { 6 };
    Some(Icmp { version, kind, code, from: Some(ip(from)), from_this_machine: from == OWN })
}

fn told(mut finding: AddressFinding, message: Option<Icmp>, took_us: u64) -> AddressFinding {
    (finding.connect.icmp, finding.connect.took_us) = (message, took_us);
    finding
}

fn control(port: u16, ended: Ended) -> Control {
    Control { port, ended, icmp: None, took_us: 100 }
}

fn hop(ttl: u8, answer: HopAnswer) -> Hop {
    Hop { ttl, answer, took_us: 100 }
}

fn of(address: AddressFinding) -> Diagnosis {
    verdict(&Findings { addresses: vec![address], ..findings() })
}

/// The code, how sure, and words of the sentence.
fn expect(verdict: &Diagnosis, code: Code, certainty: Certainty, words: &[&str]) {
    assert_eq!((verdict.code(), verdict.certainty()), (code, certainty), "{verdict:?}");
    for word in words {
        assert!(verdict.to_string().contains(word), "{word} in {verdict:?}");
    }
    assert_eq!(verdict.steps().last().unwrap().to_string(), format!("echoline explain {code}"));
    assert!(verdict.steps().len() >= 2 || matches!(code, RESET | SYSTEM), "{verdict:?}");
}

#[test]
fn an_icmp_message_names_who_rejects_and_is_judged_by_its_sender_and_kind() {
    let refused = || far(Ended::Refused);
    let unreachable = || far(Ended::HostUnreachable);
    for (finding, code, certainty, words) in [
        (told(refused(), icmp(3, 3, OWN), 40), LOCAL_FIREWALL, Certain, "this machine itself"),
        (told(unreachable(), icmp(3, 13, OWN), 40), LOCAL_FIREWALL, Certain, "admin-prohibited"),
        (told(unreachable(), icmp(3, 1, OWN), 40), LOCAL_FIREWALL, Likely, "own firewall"),
        (told(unreachable(), icmp(3, 1, OWN), 3_070_000), HOST_UNREACHABLE, Likely, "destination NAT"),
        (told(refused(), icmp(3, 3, "203.0.113.10"), 400), REJECTED, Certain, "itself rejects"),
        (told(unreachable(), icmp(3, 13, "203.0.113.1"), 400), REJECTED, Certain, "203.0.113.1"),
        (told(unreachable(), icmp(3, 10, "203.0.113.1"), 400), REJECTED, Certain, "host-prohibited"),
        (told(refused(), icmp(3, 3, "203.0.113.1"), 400), REJECTED, Certain, "port-unreachable"),
        (told(unreachable(), icmp(3, 1, "203.0.113.1"), 400), HOST_UNREACHABLE, Likely, "at once"),
        (told(unreachable(), icmp(3, 1, "203.0.113.1"), 3_000_000), HOST_UNREACHABLE, Likely, "3.0 s"),
        (
            told(far(Ended::NetUnreachable), icmp(3, 0, "203.0.113.1"), 400),
            NO_ROUTE,
            Likely,
            "no way to that network",
        ),
        (told(unreachable(), icmp(11, 0, "203.0.113.1"), 400), NO_ROUTE, Likely, "circle"),
        (told(unreachable(), icmp(1, 1, "2001:db8::1"), 400), REJECTED, Certain, "ICMPv6 admin-prohibited"),
        (told(refused(), icmp(1, 4, "2001:db8::1"), 400), REJECTED, Certain, "ICMPv6 port-unreachable"),
        (told(unreachable(), icmp(1, 3, "2001:db8::1"), 3_000_000), HOST_UNREACHABLE, Likely, "ICMPv6"),
        (
            told(far(Ended::NetUnreachable), icmp(1, 0, "2001:db8::1"), 400),
            NO_ROUTE,
            Likely,
            "ICMPv6 no-route",
        ),
        (told(far(Ended::Denied), icmp(1, 6, "2001:db8::1"), 400), REJECTED, Certain, "reject-route"),
    ] {
        expect(&of(finding), code, certainty, &[words]);
    }
}

#[test]
fn an_absent_neighbour_is_certain_only_by_the_neighbour_table_and_never_this_machine_itself() {
    let unreachable = |finding, neighbour: Option<bool>, took_us| {
        let mut finding = told(finding, icmp(3, 1, OWN), took_us);
        finding.neighbour = neighbour.map(|answers| Neighbour { address: ip(ROUTER), answers });
        of(finding)
    };
    let far = || far(Ended::HostUnreachable);
    let router = &["The router 192.168.1.1"];
    expect(&unreachable(far(), Some(false), 3_070_000), HOST_UNREACHABLE, Certain, router);
    expect(&unreachable(far(), None, 3_070_000), HOST_UNREACHABLE, Likely, router);
    // A rule of its own may say the same at once, and the table holds what was so a minute ago.
    expect(&unreachable(far(), Some(false), 40), HOST_UNREACHABLE, Likely, router);
    for neighbour in [None, Some(false), Some(true)] {
        let own = own(Ended::HostUnreachable, Some(false));
        expect(&unreachable(own, neighbour, 3_070_000), HOST_UNREACHABLE, Likely, &["destination NAT"]);
    }
}

/// A router that forwards the port puts its own address into all that is said behind it.
#[test]
fn a_message_with_the_hosts_own_address_proves_a_rule_only_where_it_means_one() {
    let (host, host_ipv6) = ("203.0.113.10", "2001:db8::10");
    let from_ipv6 = |mut finding: AddressFinding| {
        finding.address = "[2001:db8::10]:5151".parse().unwrap();
        finding
    };
    let unreachable = || far(Ended::HostUnreachable);
    for (finding, code, certainty, words) in [
        (told(unreachable(), icmp(3, 13, host), 400), REJECTED, Certain, "itself rejects"),
        (told(unreachable(), icmp(3, 1, host), 3_100_000), HOST_UNREACHABLE, Likely, "forwards port 5151"),
        (told(unreachable(), icmp(3, 1, host), 400), REJECTED, Likely, "Or it forwards the port"),
        (told(unreachable(), icmp(3, 0, host), 400), REJECTED, Likely, "Or it forwards the port"),
        (told(unreachable(), icmp(3, 2, host), 400), REJECTED, Likely, "protocol-unreachable"),
        (told(unreachable(), icmp(11, 0, host), 400), NO_ROUTE, Likely, "forwards the port"),
        (
            from_ipv6(told(unreachable(), icmp(1, 3, host_ipv6), 3_100_000)),
            HOST_UNREACHABLE,
            Likely,
            "ICMPv6 address-unreachable",
        ),
        (from_ipv6(told(unreachable(), icmp(3, 0, host_ipv6), 400)), NO_ROUTE, Likely, "time-exceeded"),
    ] {
        expect(&of(finding), code, certainty, &[words]);
    }
}

#[test]
fn unreachable_for_one_port_of_a_host_that_answers_on_another_is_a_rule() {
    for code in [0, 1] {
        let mut finding = told(far(Ended::HostUnreachable), icmp(3, code, "203.0.113.1"), 400);
        finding.controls = vec![control(22, Ended::NoAnswer), control(80, Ended::Refused)];
        expect(&of(finding), REJECTED, Likely, &["203.0.113.1", "answers on port 80"]);
    }
}

#[test]
fn a_refusal_is_certain_only_where_this_machine_can_look_itself() {
    expect(&of(own(Ended::Refused, Some(false))), REFUSED, Certain, &["Nothing listens"]);
    expect(&of(own(Ended::Refused, Some(true))), LOCAL_FIREWALL, Likely, &["listens on", "rejects"]);
    expect(&of(own(Ended::Refused, None)), REFUSED, Likely, &["Nothing listens"]);
    expect(&of(near(Ended::Refused)), REFUSED, Likely, &["does not prove who sent it"]);
    expect(&of(far(Ended::Refused)), REFUSED, Likely, &["does not prove who sent it"]);
}

#[test]
fn a_refusal_from_nearer_than_the_host_comes_from_something_between() {
    let compared = |here: u8, there: u8| {
        let series = |end: u8| {
            let routers = (1..end).map(|ttl| hop(ttl, HopAnswer::Router(ip(ROUTER))));
            routers.chain([hop(end, HopAnswer::Refused)]).collect::<Vec<_>>()
        };
        let mut finding = far(Ended::Refused);
        (finding.hops, finding.control_hops) = (series(here), series(there));
        of(finding)
    };
    expect(&compared(2, 4), REJECTED, Likely, &["2 hops away", "4 away"]);
    expect(&compared(1, 3), LOCAL_FIREWALL, Likely, &["before the first router"]);
    expect(&compared(3, 3), REFUSED, Likely, &["does not prove"]);
    // The target is the router itself.
    expect(&compared(1, 1), REFUSED, Likely, &["does not prove"]);
    // A forwarded port leads further than the others.
    expect(&compared(3, 2), REFUSED, Likely, &["does not prove"]);
}

#[test]
fn silence_is_judged_by_what_else_answers() {
    let nobody = silent(Some(true));
    expect(&of(nobody.clone()), NO_ANSWER, CannotTell, &["is down, or a firewall drops"]);

    let mut with_hops = nobody.clone();
    with_hops.hops = vec![
        hop(1, HopAnswer::Router(ip(ROUTER))),
        hop(2, HopAnswer::Router(ip("203.0.113.1"))),
        hop(3, HopAnswer::Silent),
    ];
    expect(&of(with_hops), NO_ANSWER, CannotTell, &["203.0.113.1, 2 hops away"]);

    for ended in [Ended::Refused, Ended::Connected] {
        let mut up = nobody.clone();
        up.controls = vec![control(22, Ended::NoAnswer), control(443, ended)];
        expect(&of(up), DROPPED, Likely, &["port 443"]);
    }

    // What a router says about another port shows nothing of the host.
    let mut other = nobody.clone();
    other.controls = vec![Control { icmp: icmp(3, 3, "203.0.113.1"), ..control(22, Ended::Refused) }];
    expect(&of(other), NO_ANSWER, CannotTell, &[]);

    let mut gateway_gone = nobody;
    gateway_gone.neighbour.as_mut().unwrap().answers = false;
    expect(&of(gateway_gone), HOST_UNREACHABLE, Likely, &["The router 192.168.1.1"]);
}

#[test]
fn silence_in_the_own_network_is_judged_by_the_neighbour_table() {
    let quiet = |answers: Option<bool>| {
        let mut finding = near(Ended::NoAnswer);
        let address = finding.address.ip();
        finding.neighbour = answers.map(|answers| Neighbour { address, answers });
        // A request that waits for its neighbour has not left either.
        finding.connect.requests =
            Some(Requests { repeated: 1, left_this_machine: Some(answers != Some(false)) });
        of(finding)
    };
    expect(&quiet(Some(true)), DROPPED, Likely, &["hardware address"]);
    expect(&quiet(Some(false)), HOST_UNREACHABLE, Likely, &["No machine answers to 203.0.113.10"]);
    expect(&quiet(None), NO_ANSWER, CannotTell, &[]);
}

#[test]
fn a_link_local_host_is_named_with_its_zone() {
    let mut finding = near(Ended::NoAnswer);
    finding.address = "[fe80::9%3]:5151".parse().unwrap();
    finding.neighbour = Some(Neighbour { address: finding.address.ip(), answers: false });
    expect(&of(finding), HOST_UNREACHABLE, Likely, &["No machine answers to fe80::9%eth0 "]);
}

#[test]
fn a_request_that_never_left_is_the_own_firewalls() {
    expect(&of(silent(Some(false))), LOCAL_FIREWALL, Likely, &["never left"]);
    let mut readable = silent(Some(false));
    readable.own_rules = vec!["tcp dport 5151 drop".to_owned()];
    expect(&of(readable), LOCAL_FIREWALL, Certain, &["tcp dport 5151 drop"]);
    // Too short a time to see a repetition.
    expect(&of(silent(None)), NO_ANSWER, CannotTell, &[]);
    expect(
        &of(own(Ended::NoAnswer, Some(true))),
        LOCAL_FIREWALL,
        CannotTell,
        &["no longer takes connections"],
    );
    expect(&of(own(Ended::NoAnswer, Some(false))), LOCAL_FIREWALL, Likely, &["drops"]);
    expect(&of(far(Ended::Denied)), LOCAL_FIREWALL, Likely, &["denied"]);
}

#[test]
fn without_a_route_the_kernels_word_is_passed_on() {
    for ended in [Ended::NetUnreachable, Ended::HostUnreachable, Ended::Denied] {
        let mut finding = far(ended);
        finding.route = Route { found: None, missing: Some("Network is unreachable".to_owned()), took_us: 5 };
        expect(&of(finding), NO_ROUTE, Certain, &["Network is unreachable"]);
    }
    expect(&of(far(Ended::NetUnreachable)), NO_ROUTE, Likely, &["no way"]);
    expect(&of(near(Ended::HostUnreachable)), HOST_UNREACHABLE, Likely, &["own network"]);
}

#[test]
fn what_this_machine_lacks_is_certain() {
    expect(&of(far(Ended::NoLocalPort)), NO_LOCAL_PORT, Certain, &["local port"]);
    expect(&of(far(Ended::NoSuchSource)), ADDRESS_NOT_AVAILABLE, Certain, &["source address"]);
    expect(&of(far(Ended::Other)), SYSTEM, Certain, &["could not send"]);
    expect(&of(far(Ended::Reset)), RESET, Likely, &["does not prove"]);
}

#[test]
fn of_several_addresses_the_one_that_came_furthest_decides() {
    let mut six = far(Ended::NetUnreachable);
    six.address = "[2001:db8::10]:5151".parse().unwrap();
    six.route = Route { found: None, missing: Some("Network is unreachable".to_owned()), took_us: 5 };
    let both =
        |first: AddressFinding, second| verdict(&Findings { addresses: vec![first, second], ..findings() });
    let judged = both(six.clone(), far(Ended::Refused));
    expect(&judged, REFUSED, Likely, &["203.0.113.10:5151", "[2001:db8::10]:5151: no-route."]);
    let judged = both(far(Ended::Refused), six);
    expect(&judged, REFUSED, Likely, &["203.0.113.10:5151", "[2001:db8::10]:5151: no-route."]);
}

/// Addresses that differ in their last number, from 10 on.
fn several(finding: &AddressFinding, many: u8) -> Vec<AddressFinding> {
    let numbered = |number| {
        let mut one = finding.clone();
        one.address.set_ip(ip(&format!("203.0.113.{}", 10 + number)));
        one
    };
    (0..many).map(numbered).collect()
}

#[test]
fn addresses_that_ended_alike_are_told_of_together() {
    let all = Findings { addresses: several(&own(Ended::Refused, Some(false)), 5), ..findings() };
    let same = " 203.0.113.11:5151, 203.0.113.12:5151, 203.0.113.13:5151 and 1 more: the same.";
    expect(&verdict(&all), REFUSED, Certain, &["listens on 203.0.113.10:5151", same]);
    // Who was not tried may be the one that works.
    let judged = verdict(&Findings { addresses_left_out: 7, ..all.clone() });
    expect(&judged, REFUSED, Likely, &[same, " 7 more of the name were not tried."]);
    let narrowed = Findings { narrowed_by: Some(ip("192.168.1.10")), ..all };
    let wrong = Findings { addresses: vec![far(Ended::NoSuchSource)], ..narrowed.clone() };
    expect(&verdict(&wrong), ADDRESS_NOT_AVAILABLE, Certain, &[]);
    let judged = verdict(&narrowed);
    expect(
        &judged,
        REFUSED,
        Likely,
        &[same, " Only IPv4 was tried, since the source address 192.168.1.10 is"],
    );

    let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    findings.addresses.extend(several(&far(Ended::Refused), 3).drain(1..));
    let remark =
        "But 203.0.113.11:5151, 203.0.113.12:5151 do not work (refused): programs that try them first";
    assert!(verdict(&findings).to_string().contains(remark), "{:?}", verdict(&findings));
}

#[test]
fn what_cannot_be_read_is_said_with_its_remedy() {
    let problem = Diagnosis::new(BAD_PORT, "70000 is above 65535").next("use less");
    let judged = verdict(&Findings { unreadable: Some(problem), ..findings() });
    expect(&judged, BAD_PORT, Certain, &["70000 is above 65535."]);
    assert_eq!(judged.steps()[0].to_string(), "use less");
}

fn named(code: Code, answers: &[NameAnswer]) -> Diagnosis {
    let server = |answer: &NameAnswer| NameServer {
        address: "203.0.113.53".to_owned(),
        answer: answer.clone(),
        took_us: 9,
    };
    let problem = Diagnosis::new(code, "the lookup failed").next("try again");
    let name = NameFinding {
        source: NameSource::Resolver,
        addresses: Vec::new(),
        problem: Some(problem),
        servers: answers.iter().map(server).collect(),
        took_us: 9,
    };
    verdict(&Findings { name: Some(name), ..findings() })
}

#[test]
fn a_failed_lookup_is_told_apart_by_what_the_servers_answer() {
    use NameAnswer::{Code as Answered, Silent, Undelivered};
    let undelivered = Undelivered("Connection refused".to_owned());
    expect(&named(NAME_NOT_FOUND, &[]), NAME_NOT_FOUND, Certain, &["The lookup failed."]);
    expect(&named(NO_ADDRESS_OF_FAMILY, &[]), NO_ADDRESS_OF_FAMILY, Certain, &[]);
    expect(&named(RESOLVER_BUSY, &[]), RESOLVER_BUSY, Certain, &[]);
    expect(&named(NAME_LOOKUP_FAILED, &[]), NAME_LOOKUP_FAILED, Certain, &[]);
    expect(
        &named(NAME_LOOKUP_TIMED_OUT, &[Silent]),
        NAME_SERVER_SILENT,
        Likely,
        &["203.0.113.53", "does not answer", "still waits for the servers of the name itself"],
    );
    expect(
        &named(NAME_LOOKUP_FAILED, &[Silent, undelivered]),
        NAME_SERVER_SILENT,
        Likely,
        &["do not answer"],
    );
    expect(&named(NAME_LOOKUP_FAILED, &[Silent, Answered(2)]), NAME_LOOKUP_FAILED, Certain, &["SERVFAIL"]);
    expect(&named(NAME_LOOKUP_FAILED, &[Answered(5)]), NAME_LOOKUP_FAILED, Certain, &["REFUSED"]);
    expect(
        &named(NAME_LOOKUP_TIMED_OUT, &[Answered(0)]),
        NAME_LOOKUP_TIMED_OUT,
        CannotTell,
        &["answers now"],
    );
}

#[test]
fn each_silent_name_server_gets_a_command_of_its_own() {
    let judged = named(NAME_LOOKUP_FAILED, &[NameAnswer::Silent, NameAnswer::Silent]);
    let command = "echoline check 203.0.113.53 53 --expect connect";
    assert_eq!(
        judged.steps().iter().filter(|next| next.to_string().ends_with(command)).count(),
        2,
        "{judged:?}"
    );
}

fn conversation(exchanges: Vec<Exchange>) -> Conversation {
    let with = HOST.parse().unwrap();
    Conversation { with, greeting: None, recognised: None, broke: None, exchanges, took_us: 9 }
}

fn exchange(what: What, result: Answer) -> Exchange {
    Exchange { what, sent_bytes: 24, got_bytes: 0, reads: 1, result, line_ends: None, got: None, took_us: 9 }
}

fn talked(conversation: Conversation) -> Findings {
    Findings { addresses: vec![near(Ended::Connected)], conversation: Some(conversation), ..findings() }
}

#[test]
fn nat_is_named_only_as_far_as_addresses_and_hops_prove_it() {
    let reached = |hops: Vec<Hop>| {
        let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
        findings.addresses = vec![AddressFinding { hops, ..far(Ended::Connected) }];
        verdict(&findings)
    };
    let router = |ttl, address| hop(ttl, HopAnswer::Router(ip(address)));
    for (hops, words) in [
        (vec![], "not known without --hops"),
        (vec![router(1, ROUTER), hop(2, HopAnswer::Connected)], "show no second one"),
        (vec![router(1, ROUTER), router(2, "10.0.0.1")], "10.0.0.1 behind the first is private too"),
        (vec![router(1, ROUTER), router(2, "100.64.0.1")], "carrier-grade NAT"),
        (vec![router(1, ROUTER), router(2, "203.0.113.1")], "show no second one"),
    ] {
        let judged = reached(hops);
        assert_eq!(judged.code(), OK);
        assert!(
            judged.to_string().contains("192.168.1.10 was translated") && judged.to_string().contains(words),
            "{judged:?}"
        );
    }
    // From private to private nothing needs to be translated.
    let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    findings.addresses[0].address = "192.168.1.11:5151".parse().unwrap();
    findings.conversation.as_mut().unwrap().with = findings.addresses[0].address;
    assert!(!verdict(&findings).to_string().contains("NAT"));
}

#[test]
fn an_address_that_works_beside_one_that_does_not_is_fine_with_a_remark() {
    let mut six = silent(Some(true));
    six.address = "[2001:db8::10]:5151".parse().unwrap();
    let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    findings.addresses.push(six);
    let judged = verdict(&findings);
    assert_eq!(judged.code(), OK);
    assert!(judged.to_string().contains("[2001:db8::10]:5151 does not work (no-answer)"), "{judged:?}");
    assert!(judged.steps().is_empty());
}

mod conversation;
