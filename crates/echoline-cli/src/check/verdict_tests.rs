//! Every verdict from findings written down by hand: no network is needed to judge.

use super::Certainty::{CannotTell, Certain, Likely};
use super::*;
use crate::check::findings::*;
use echoline::Code::*;
use echoline::Family;
use std::net::{IpAddr, SocketAddr};

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
    }
}

/// An address behind a router, and how the connection to it ended.
fn far(ended: Ended) -> AddressFinding {
    let address: SocketAddr = HOST.parse().unwrap();
    let way = Way {
        interface: "eth0".to_owned(),
        gateway: Some(ip(ROUTER)),
        source: Some(ip(OWN)),
        source_kind: Some("private"),
    };
    AddressFinding {
        address,
        kind: AddressKind::of(address.ip()).as_str(),
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

fn of(address: AddressFinding) -> Verdict {
    verdict(&Findings { addresses: vec![address], ..findings() })
}

/// The code, how sure, and words of the sentence.
fn expect(verdict: &Verdict, code: Code, certainty: Certainty, words: &[&str]) {
    assert_eq!((verdict.code, verdict.certainty), (VerdictCode::Failure(code), certainty), "{verdict:?}");
    for word in words {
        assert!(verdict.sentence.contains(word), "{word} in {verdict:?}");
    }
    assert_eq!(verdict.next.last().unwrap(), &format!("echoline explain {code}"));
    assert!(verdict.next.len() >= 2 || matches!(code, Reset | System), "{verdict:?}");
}

#[test]
fn an_icmp_message_names_who_rejects_and_is_judged_by_its_sender_and_kind() {
    let refused = || far(Ended::Refused);
    let unreachable = || far(Ended::HostUnreachable);
    for (finding, code, certainty, words) in [
        (told(refused(), icmp(3, 3, OWN), 40), LocalFirewall, Certain, "this machine itself"),
        (told(unreachable(), icmp(3, 13, OWN), 40), LocalFirewall, Certain, "admin-prohibited"),
        (told(unreachable(), icmp(3, 1, OWN), 40), LocalFirewall, Likely, "own firewall"),
        (told(unreachable(), icmp(3, 1, OWN), 3_070_000), HostUnreachable, Likely, "destination NAT"),
        (told(refused(), icmp(3, 3, "203.0.113.10"), 400), Rejected, Certain, "itself rejects"),
        (told(unreachable(), icmp(3, 13, "203.0.113.1"), 400), Rejected, Certain, "203.0.113.1"),
        (told(unreachable(), icmp(3, 10, "203.0.113.1"), 400), Rejected, Certain, "host-prohibited"),
        (told(refused(), icmp(3, 3, "203.0.113.1"), 400), Rejected, Certain, "port-unreachable"),
        (told(unreachable(), icmp(3, 1, "203.0.113.1"), 400), HostUnreachable, Likely, "at once"),
        (told(unreachable(), icmp(3, 1, "203.0.113.1"), 3_000_000), HostUnreachable, Likely, "3.0 s"),
        (
            told(far(Ended::NetUnreachable), icmp(3, 0, "203.0.113.1"), 400),
            NoRoute,
            Likely,
            "no way to that network",
        ),
        (told(unreachable(), icmp(11, 0, "203.0.113.1"), 400), NoRoute, Likely, "circle"),
        (told(unreachable(), icmp(1, 1, "2001:db8::1"), 400), Rejected, Certain, "ICMPv6 admin-prohibited"),
        (told(refused(), icmp(1, 4, "2001:db8::1"), 400), Rejected, Certain, "ICMPv6 port-unreachable"),
        (told(unreachable(), icmp(1, 3, "2001:db8::1"), 3_000_000), HostUnreachable, Likely, "ICMPv6"),
        (
            told(far(Ended::NetUnreachable), icmp(1, 0, "2001:db8::1"), 400),
            NoRoute,
            Likely,
            "ICMPv6 no-route",
        ),
        (told(far(Ended::Denied), icmp(1, 6, "2001:db8::1"), 400), Rejected, Certain, "reject-route"),
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
    expect(&unreachable(far(), Some(false), 3_070_000), HostUnreachable, Certain, router);
    expect(&unreachable(far(), None, 3_070_000), HostUnreachable, Likely, router);
    // A rule of its own may say the same at once, and the table holds what was so a minute ago.
    expect(&unreachable(far(), Some(false), 40), HostUnreachable, Likely, router);
    for neighbour in [None, Some(false), Some(true)] {
        let own = own(Ended::HostUnreachable, Some(false));
        expect(&unreachable(own, neighbour, 3_070_000), HostUnreachable, Likely, &["destination NAT"]);
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
        (told(unreachable(), icmp(3, 13, host), 400), Rejected, Certain, "itself rejects"),
        (told(unreachable(), icmp(3, 1, host), 3_100_000), HostUnreachable, Likely, "forwards port 5151"),
        (told(unreachable(), icmp(3, 1, host), 400), Rejected, Likely, "Or it forwards the port"),
        (told(unreachable(), icmp(3, 0, host), 400), Rejected, Likely, "Or it forwards the port"),
        (told(unreachable(), icmp(3, 2, host), 400), Rejected, Likely, "protocol-unreachable"),
        (told(unreachable(), icmp(11, 0, host), 400), NoRoute, Likely, "forwards the port"),
        (
            from_ipv6(told(unreachable(), icmp(1, 3, host_ipv6), 3_100_000)),
            HostUnreachable,
            Likely,
            "ICMPv6 address-unreachable",
        ),
        (from_ipv6(told(unreachable(), icmp(3, 0, host_ipv6), 400)), NoRoute, Likely, "time-exceeded"),
    ] {
        expect(&of(finding), code, certainty, &[words]);
    }
}

#[test]
fn unreachable_for_one_port_of_a_host_that_answers_on_another_is_a_rule() {
    for code in [0, 1] {
        let mut finding = told(far(Ended::HostUnreachable), icmp(3, code, "203.0.113.1"), 400);
        finding.controls = vec![control(22, Ended::NoAnswer), control(80, Ended::Refused)];
        expect(&of(finding), Rejected, Likely, &["203.0.113.1", "answers on port 80"]);
    }
}

#[test]
fn a_refusal_is_certain_only_where_this_machine_can_look_itself() {
    expect(&of(own(Ended::Refused, Some(false))), Refused, Certain, &["Nothing listens"]);
    expect(&of(own(Ended::Refused, Some(true))), LocalFirewall, Likely, &["listens on", "rejects"]);
    expect(&of(own(Ended::Refused, None)), Refused, Likely, &["Nothing listens"]);
    expect(&of(near(Ended::Refused)), Refused, Likely, &["does not prove who sent it"]);
    expect(&of(far(Ended::Refused)), Refused, Likely, &["does not prove who sent it"]);
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
    expect(&compared(2, 4), Rejected, Likely, &["2 hops away", "4 away"]);
    expect(&compared(1, 3), LocalFirewall, Likely, &["before the first router"]);
    expect(&compared(3, 3), Refused, Likely, &["does not prove"]);
    // The target is the router itself.
    expect(&compared(1, 1), Refused, Likely, &["does not prove"]);
    // A forwarded port leads further than the others.
    expect(&compared(3, 2), Refused, Likely, &["does not prove"]);
}

#[test]
fn silence_is_judged_by_what_else_answers() {
    let nobody = silent(Some(true));
    expect(&of(nobody.clone()), NoAnswer, CannotTell, &["is down, or a firewall drops"]);

    let mut with_hops = nobody.clone();
    with_hops.hops = vec![
        hop(1, HopAnswer::Router(ip(ROUTER))),
        hop(2, HopAnswer::Router(ip("203.0.113.1"))),
        hop(3, HopAnswer::Silent),
    ];
    expect(&of(with_hops), NoAnswer, CannotTell, &["203.0.113.1, 2 hops away"]);

    for ended in [Ended::Refused, Ended::Connected] {
        let mut up = nobody.clone();
        up.controls = vec![control(22, Ended::NoAnswer), control(443, ended)];
        expect(&of(up), Dropped, Likely, &["port 443"]);
    }

    // What a router says about another port shows nothing of the host.
    let mut other = nobody.clone();
    other.controls = vec![Control { icmp: icmp(3, 3, "203.0.113.1"), ..control(22, Ended::Refused) }];
    expect(&of(other), NoAnswer, CannotTell, &[]);

    let mut gateway_gone = nobody;
    gateway_gone.neighbour.as_mut().unwrap().answers = false;
    expect(&of(gateway_gone), HostUnreachable, Likely, &["The router 192.168.1.1"]);
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
    expect(&quiet(Some(true)), Dropped, Likely, &["hardware address"]);
    expect(&quiet(Some(false)), HostUnreachable, Likely, &["No machine answers to 203.0.113.10"]);
    expect(&quiet(None), NoAnswer, CannotTell, &[]);
}

#[test]
fn a_link_local_host_is_named_with_its_zone() {
    let mut finding = near(Ended::NoAnswer);
    finding.address = "[fe80::9%3]:5151".parse().unwrap();
    finding.neighbour = Some(Neighbour { address: finding.address.ip(), answers: false });
    expect(&of(finding), HostUnreachable, Likely, &["No machine answers to fe80::9%eth0 "]);
}

#[test]
fn a_request_that_never_left_is_the_own_firewalls() {
    expect(&of(silent(Some(false))), LocalFirewall, Likely, &["never left"]);
    let mut readable = silent(Some(false));
    readable.own_rules = vec!["tcp dport 5151 drop".to_owned()];
    expect(&of(readable), LocalFirewall, Certain, &["tcp dport 5151 drop"]);
    // Too short a time to see a repetition.
    expect(&of(silent(None)), NoAnswer, CannotTell, &[]);
    expect(
        &of(own(Ended::NoAnswer, Some(true))),
        LocalFirewall,
        CannotTell,
        &["no longer takes connections"],
    );
    expect(&of(own(Ended::NoAnswer, Some(false))), LocalFirewall, Likely, &["drops"]);
    expect(&of(far(Ended::Denied)), LocalFirewall, Likely, &["denied"]);
}

#[test]
fn without_a_route_the_kernels_word_is_passed_on() {
    for ended in [Ended::NetUnreachable, Ended::HostUnreachable, Ended::Denied] {
        let mut finding = far(ended);
        finding.route = Route { found: None, missing: Some("Network is unreachable".to_owned()), took_us: 5 };
        expect(&of(finding), NoRoute, Certain, &["Network is unreachable"]);
    }
    expect(&of(far(Ended::NetUnreachable)), NoRoute, Likely, &["no way"]);
    expect(&of(near(Ended::HostUnreachable)), HostUnreachable, Likely, &["own network"]);
}

#[test]
fn what_this_machine_lacks_is_certain() {
    expect(&of(far(Ended::NoLocalPort)), NoLocalPort, Certain, &["local port"]);
    expect(&of(far(Ended::NoSuchSource)), AddressNotAvailable, Certain, &["source address"]);
    expect(&of(far(Ended::Other)), System, Certain, &["could not send"]);
    expect(&of(far(Ended::Reset)), Reset, Likely, &["does not prove"]);
}

#[test]
fn of_several_addresses_the_one_that_came_furthest_decides() {
    let mut six = far(Ended::NetUnreachable);
    six.address = "[2001:db8::10]:5151".parse().unwrap();
    six.route = Route { found: None, missing: Some("Network is unreachable".to_owned()), took_us: 5 };
    let both =
        |first: AddressFinding, second| verdict(&Findings { addresses: vec![first, second], ..findings() });
    let judged = both(six.clone(), far(Ended::Refused));
    expect(&judged, Refused, Likely, &["203.0.113.10:5151", "[2001:db8::10]:5151: no-route."]);
    let judged = both(far(Ended::Refused), six);
    expect(&judged, Refused, Likely, &["203.0.113.10:5151", "[2001:db8::10]:5151: no-route."]);
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
    expect(&verdict(&all), Refused, Certain, &["listens on 203.0.113.10:5151", same]);
    // Who was not tried may be the one that works.
    let judged = verdict(&Findings { addresses_left_out: 7, ..all.clone() });
    expect(&judged, Refused, Likely, &[same, " 7 more of the name were not tried."]);
    let narrowed = Findings { narrowed_by: Some(ip("192.168.1.10")), ..all };
    let wrong = Findings { addresses: vec![far(Ended::NoSuchSource)], ..narrowed.clone() };
    expect(&verdict(&wrong), AddressNotAvailable, Certain, &[]);
    let judged = verdict(&narrowed);
    expect(
        &judged,
        Refused,
        Likely,
        &[same, " Only IPv4 was tried, since the source address 192.168.1.10 is"],
    );

    let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    findings.addresses.extend(several(&far(Ended::Refused), 3).drain(1..));
    let remark =
        "But 203.0.113.11:5151, 203.0.113.12:5151 do not work (refused): programs that try them first";
    assert!(verdict(&findings).sentence.contains(remark), "{:?}", verdict(&findings));
}

#[test]
fn what_cannot_be_read_is_said_with_its_remedy() {
    let problem =
        Problem { code: BadPort, message: "70000 is above 65535".to_owned(), remedy: "use less".to_owned() };
    let judged = verdict(&Findings { unreadable: Some(problem), ..findings() });
    expect(&judged, BadPort, Certain, &["70000 is above 65535."]);
    assert_eq!(judged.next[0], "use less");
}

fn named(code: Code, answers: &[NameAnswer]) -> Verdict {
    let server = |answer: &NameAnswer| NameServer {
        address: "203.0.113.53".to_owned(),
        answer: answer.clone(),
        took_us: 9,
    };
    let problem = Problem { code, message: "the lookup failed".to_owned(), remedy: "try again".to_owned() };
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
    expect(&named(NameNotFound, &[]), NameNotFound, Certain, &["The lookup failed."]);
    expect(&named(NoAddressOfFamily, &[]), NoAddressOfFamily, Certain, &[]);
    expect(&named(ResolverBusy, &[]), ResolverBusy, Certain, &[]);
    expect(&named(NameLookupFailed, &[]), NameLookupFailed, Certain, &[]);
    expect(
        &named(NameLookupTimedOut, &[Silent]),
        NameServerSilent,
        Likely,
        &["203.0.113.53", "does not answer", "still waits for the servers of the name itself"],
    );
    expect(&named(NameLookupFailed, &[Silent, undelivered]), NameServerSilent, Likely, &["do not answer"]);
    expect(&named(NameLookupFailed, &[Silent, Answered(2)]), NameLookupFailed, Certain, &["SERVFAIL"]);
    expect(&named(NameLookupFailed, &[Answered(5)]), NameLookupFailed, Certain, &["REFUSED"]);
    expect(&named(NameLookupTimedOut, &[Answered(0)]), NameLookupTimedOut, CannotTell, &["answers now"]);
}

#[test]
fn each_silent_name_server_gets_a_command_of_its_own() {
    let judged = named(NameLookupFailed, &[NameAnswer::Silent, NameAnswer::Silent]);
    let command = "echoline check 203.0.113.53 53 --expect connect";
    assert_eq!(judged.next.iter().filter(|next| next.ends_with(command)).count(), 2, "{judged:?}");
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

fn after(result: Answer) -> Verdict {
    verdict(&talked(conversation(vec![exchange(What::Line, result)])))
}

#[test]
fn each_way_in_which_an_echo_fails_has_its_code() {
    expect(&after(Answer::Silent { acknowledged: Some(false) }), DataLost, Likely, &["does not acknowledge"]);
    expect(&after(Answer::Silent { acknowledged: Some(true) }), NoReply, Likely, &["did not reply"]);
    expect(&after(Answer::Silent { acknowledged: None }), NoReply, Likely, &[]);
    let part =
        Exchange { got_bytes: 16, ..exchange(What::Line, Answer::Silent { acknowledged: Some(true) }) };
    let judged = verdict(&talked(conversation(vec![part])));
    expect(&judged, NoReply, Likely, &["sent back only 16 of the 24 bytes of a line"]);
    expect(&after(Answer::Closed), ClosedEarly, Certain, &["closed the connection"]);
    expect(&after(Answer::Reset), Reset, Certain, &["does not prove who sent it"]);
    expect(&after(Answer::LineEndings), Altered, Certain, &["line endings"]);
    expect(&after(Answer::Altered { at: 2 }), Altered, Certain, &["from byte 3 on"]);
    expect(&after(Answer::Different), NotEcho, Certain, &["no echo service"]);
}

#[test]
fn bytes_that_nobody_sent_are_told_from_bytes_that_changed_and_a_protocol_is_named() {
    expect(
        &after(Answer::Added { at: 24, bytes: 24 }),
        Added,
        Certain,
        &["24 bytes that nobody sent", "behind it"],
    );
    expect(&after(Answer::Added { at: 0, bytes: 1 }), Added, Certain, &["whole, with 1 byte", "before it"]);
    expect(&after(Answer::Added { at: 8, bytes: 2 }), Added, Certain, &["the first at byte 9."]);
    let greets = |what, result| {
        let recognised = Some("SMTP");
        verdict(&talked(Conversation { recognised, ..conversation(vec![exchange(what, result)]) }))
    };
    for (what, result) in [
        (What::Line, Answer::Added { at: 0, bytes: 30 }),
        (What::LongLine, Answer::Added { at: 0, bytes: 30 }),
        (What::Line, Answer::Altered { at: 0 }),
    ] {
        expect(&greets(what, result), NotEcho, Certain, &["no echo service. It speaks SMTP."]);
    }
    // What has echoed a line is none of that protocol.
    expect(&greets(What::LongLine, Answer::Altered { at: 0 }), Altered, Certain, &["differs from byte 1 on"]);
}

fn whoami(reached_echo: Option<bool>, problem: Option<&str>) -> Whoami {
    Whoami {
        address: HOST.parse().unwrap(),
        sent_from: None,
        seen_as: None,
        instance: None,
        connection: None,
        instances: usize::from(problem.is_none()),
        reached_echo,
        problem: problem.map(str::to_owned),
        took_us: 9,
    }
}

#[test]
fn what_the_other_end_was_asked_and_did_not_say_stands_in_the_sentence() {
    let echoed = || talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    let said = |findings: Findings| {
        let judged = verdict(&findings);
        assert_eq!(judged.code, VerdictCode::Ok);
        judged.sentence
    };
    let failed = Findings { whoami: Some(whoami(None, Some("it is mute"))), ..echoed() };
    assert!(said(failed).ends_with("But asking whoami failed: it is mute."));
    let backends = |problem: Option<&str>| Findings {
        whoami: Some(whoami(Some(true), None)),
        backends: Some(Backends {
            asked: 9,
            order: vec!["a".to_owned()],
            source_kept: 0,
            problem: problem.map(str::to_owned),
            took_us: 9,
        }),
        ..echoed()
    };
    assert!(
        said(backends(Some("it left"))).ends_with("of 9 connections to whoami 1 were answered: it left.")
    );
    assert!(!said(backends(None)).contains("whoami"));
}

#[test]
fn with_word_from_the_other_end_a_lost_request_and_a_lost_reply_are_told_apart() {
    let lost = |reached_echo| {
        let silent = exchange(What::Line, Answer::Silent { acknowledged: Some(true) });
        let whoami = Some(whoami(reached_echo, None));
        verdict(&Findings { whoami, ..talked(conversation(vec![silent])) })
    };
    expect(&lost(Some(true)), ReplyLost, Certain, &["got our line"]);
    expect(&lost(Some(false)), RequestLost, Likely, &["never got our line"]);
    expect(&lost(None), NoReply, Likely, &["did not reply"]);
}

#[test]
fn after_an_identical_line_a_later_failure_says_so() {
    let later = |what, result| {
        let exchanges = vec![exchange(What::Line, Answer::Identical), exchange(what, result)];
        verdict(&talked(conversation(exchanges)))
    };
    let lost = later(What::LongLine, Answer::Silent { acknowledged: Some(false) });
    expect(&lost, DataLost, Likely, &["Small packets pass", "MTU"]);
    let altered = later(What::BinaryLine, Answer::Altered { at: 128 });
    expect(&altered, Altered, Certain, &["A short line came back", "byte 129"]);
    let converted =
        Exchange { line_ends: Some(LineEnds::CrLfToLf), ..exchange(What::CrLf, Answer::LineEndings) };
    let judged = verdict(&talked(conversation(vec![exchange(What::Line, Answer::Identical), converted])));
    expect(&judged, Altered, Certain, &["line that ends with CR LF came back with LF in place of CR LF"]);
}

#[test]
fn of_an_unfinished_line_at_the_end_it_is_said_whether_it_came_back_and_what_did_not_happen_then() {
    let silent = Answer::Silent { acknowledged: Some(true) };
    let ended = |result, got_bytes| {
        let tail = Exchange { got_bytes, took_us: 1_000_000, ..exchange(What::HalfClose, result) };
        verdict(&talked(conversation(vec![exchange(What::Line, Answer::Identical), tail])))
    };
    for (result, got_bytes, words) in [
        (Answer::Closed, 0, "did not come back: a client that finishes first loses its tail"),
        (Answer::Closed, 9, "did not come back: a client that finishes first loses its tail"),
        (silent, 9, "did not come back in 1.0 s: a client that finishes first may lose its tail"),
        (silent, 24, "unfinished line at the end too. But it did not end its output in 1.0 s"),
        (Answer::Reset, 24, "unfinished line at the end too. But then it reset the connection"),
        (Answer::Reset, 0, "did not come back, and the connection was reset"),
    ] {
        let judged = ended(result, got_bytes);
        assert_eq!(judged.code, VerdictCode::Ok, "{judged:?}");
        assert!(judged.sentence.contains(words), "{words}: {judged:?}");
    }
    expect(
        &ended(Answer::Added { at: 24, bytes: 4 }, 28),
        Added,
        Certain,
        &["with 4 bytes that nobody sent"],
    );
    expect(
        &ended(Answer::Altered { at: 0 }, 24),
        Altered,
        Certain,
        &["an unfinished line at the end differs"],
    );
}

#[test]
fn a_connection_that_is_all_that_was_expected_is_fine_unless_it_ends_at_once() {
    let connected = |broke, greeting: Option<&str>| {
        let mut findings = talked(Conversation {
            broke,
            greeting: greeting.map(str::to_owned),
            recognised: greeting.map(|_| "SSH"),
            ..conversation(Vec::new())
        });
        findings.target.expect = Expect::Connect;
        verdict(&findings)
    };
    assert_eq!(connected(None, None).code, VerdictCode::Ok);
    assert!(connected(None, Some("SSH-2.0-x")).sentence.contains("It speaks SSH"));
    // Some services say one thing and end: daytime, qotd.
    assert_eq!(connected(Some(Broke::Closed), Some("x")).code, VerdictCode::Ok);
    expect(&connected(Some(Broke::Closed), None), ClosedEarly, Certain, &["closed it at once"]);
    expect(&connected(Some(Broke::Reset), None), Reset, Certain, &["does not prove"]);
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
        assert_eq!(judged.code, VerdictCode::Ok);
        assert!(
            judged.sentence.contains("192.168.1.10 was translated") && judged.sentence.contains(words),
            "{judged:?}"
        );
    }
    // From private to private nothing needs to be translated.
    let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    findings.addresses[0].address = "192.168.1.11:5151".parse().unwrap();
    findings.conversation.as_mut().unwrap().with = findings.addresses[0].address;
    assert!(!verdict(&findings).sentence.contains("NAT"));
}

#[test]
fn an_address_that_works_beside_one_that_does_not_is_fine_with_a_remark() {
    let mut six = silent(Some(true));
    six.address = "[2001:db8::10]:5151".parse().unwrap();
    let mut findings = talked(conversation(vec![exchange(What::Line, Answer::Identical)]));
    findings.addresses.push(six);
    let judged = verdict(&findings);
    assert_eq!(judged.code, VerdictCode::Ok);
    assert!(judged.sentence.contains("[2001:db8::10]:5151 does not work (no-answer)"), "{judged:?}");
    assert!(judged.next.is_empty());
}

#[test]
fn instances_are_counted_and_changes_between_them_are_not_stickiness() {
    let backends = |order: &[&str]| Backends {
        asked: 9,
        order: order.iter().map(|instance| (*instance).to_owned()).collect(),
        source_kept: 0,
        problem: None,
        took_us: 9,
    };
    let sticky = backends(&["a", "b", "b", "b"]);
    assert_eq!((sticky.counts(), sticky.changes()), (vec![("b", 3), ("a", 1)], 1));
    assert_eq!(backends(&["a", "b", "a", "b"]).changes(), 3);
    assert_eq!((backends(&[]).counts(), backends(&[]).changes()), (vec![], 0));
}
