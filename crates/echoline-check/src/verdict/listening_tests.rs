//! Every verdict about the serving side, from findings written down by hand.

use echoline_diagnosis::{Code, code};

use super::*;
use crate::evidence::{Connect, HolderProcess, Knock, Queue, Wanted};

fn listener(address: &str) -> Listener {
    Listener {
        address: address.parse().unwrap(),
        ipv6_only: Some(false),
        queue: Queue { waiting: 0, may_wait: Some(128) },
        interface: None,
        uid: 1000,
        processes: vec![HolderProcess { pid: 7, name: "srv".to_owned(), is_stopped: false }],
    }
}

fn knock(address: &str, ended: Ended, taken: Option<bool>) -> Knock {
    let connect = Connect { source: None, ended, os_error: None, icmp: None, requests: None, took_us: 100 };
    Knock { address: address.parse().unwrap(), connect, taken }
}

fn firewall(ruling: Option<Ruling>) -> Firewall {
    let unreadable = ruling.is_none().then(|| "the rules are not readable without root".into());
    Firewall {
        family: "IPv4".into(),
        read: vec!["nftables".into()],
        ruling,
        unreadable,
        led_elsewhere: None,
        ufw: None,
    }
}

/// Of a machine with one address beside loopback, on which these sockets listen.
fn findings(sockets: Vec<Listener>) -> ListenFindings {
    let place = |address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        let served = sockets.iter().any(|listener| listener.serves(address.ip()));
        let kind = AddressKind::of(address.ip()).as_str().into();
        Place { address, kind, interface: None, who: "somebody".to_owned(), served }
    };
    let places =
        vec![place("127.0.0.1:80"), place("192.168.1.10:80"), place("[::1]:80"), place("[2001:db8::1]:80")];
    let served = places.iter().filter(|place| place.served);
    let knocks =
        served.map(|place| knock(&place.address.to_string(), Ended::Connected, Some(true))).collect();
    ListenFindings {
        asked: ":80".to_owned(),
        wanted: Wanted { port: 80, addresses: Vec::new(), ipv4: true, ipv6: true, for_others: true },
        unreadable: None,
        sockets: Some(sockets),
        places,
        knocks,
        firewalls: vec![firewall(Some(Ruling::Passes))],
        router: None,
        interrupted: false,
    }
}

fn steps(findings: &ListenFindings) -> Vec<String> {
    verdict(findings).steps().iter().map(ToString::to_string).collect()
}

fn everywhere() -> ListenFindings {
    findings(vec![listener("0.0.0.0:80"), listener("[::]:80")])
}

fn expect(findings: &ListenFindings, code: Option<Code>, certainty: Certainty, words: &[&str]) {
    let verdict = verdict(findings);
    let expected = code.unwrap_or(code::OK);
    assert_eq!((verdict.code(), verdict.certainty()), (expected, certainty), "{verdict:?}");
    for word in words {
        assert!(verdict.to_string().contains(word), "{word} in {verdict:?}");
    }
    if let Some(code) = code {
        assert_eq!(verdict.steps().last().unwrap().to_string(), format!("echoline explain {code}"));
        assert!(verdict.steps().len() >= 2, "{verdict:?}");
    }
}

#[test]
fn a_server_that_all_reach_is_fine_and_one_of_a_single_family_is_with_a_remark() {
    expect(
        &everywhere(),
        None,
        Certain,
        &["srv (process 7) listens on 0.0.0.0:80 and [::]:80", "keeps others out"],
    );
    let ipv4 = findings(vec![listener("0.0.0.0:80")]);
    expect(&ipv4, None, Certain, &["It is not there for IPv6"]);
    let ipv6 = findings(vec![Listener { ipv6_only: Some(true), ..listener("[::]:80") }]);
    expect(&ipv6, None, Certain, &["It is not there for IPv4", "IPV6_V6ONLY"]);
    let both = findings(vec![listener("[::]:80")]);
    assert!(!verdict(&both).to_string().contains("not there"), "a socket of [::] takes IPv4 too");
}

#[test]
fn nobody_and_loopback_alone_are_told_apart_from_a_wrong_address_or_family() {
    expect(&findings(Vec::new()), Some(code::NOT_LISTENING), Certain, &["Nothing listens on port 80"]);
    let loopback = findings(vec![listener("127.0.0.1:80"), listener("[::1]:80")]);
    expect(
        &loopback,
        Some(code::LOOPBACK_ONLY),
        Certain,
        &["Only this machine itself", "everybody else is refused"],
    );
    let mut meant = loopback;
    (meant.wanted.for_others, meant.firewalls) = (false, Vec::new());
    expect(&meant, None, Certain, &["takes connections"]);
    let mut elsewhere = findings(vec![listener("10.0.0.1:80")]);
    elsewhere.wanted.addresses = vec!["192.168.1.10".parse().unwrap()];
    expect(
        &elsewhere,
        Some(code::NOT_LISTENING),
        Certain,
        &["on 192.168.1.10: srv (process 7) listens on 10.0.0.1:80"],
    );
    let mut ipv4 = findings(vec![Listener { ipv6_only: Some(true), ..listener("[::]:80") }]);
    (ipv4.wanted.ipv6, ipv4.places) = (false, Vec::new());
    expect(&ipv4, Some(code::NOT_LISTENING), Certain, &["for IPv4", "IPV6_V6ONLY"]);
}

#[test]
fn a_port_that_a_rule_leads_elsewhere_needs_no_program_here() {
    let rule = "tcp dport 80 dnat to 10.0.0.7:80";
    let led = |sockets| ListenFindings {
        firewalls: vec![Firewall { led_elsewhere: Some(rule.to_owned()), ..firewall(Some(Ruling::Passes)) }],
        ..findings(sockets)
    };
    let nobody = led(Vec::new());
    expect(&nobody, None, CannotTell, &["to another place (NAT)", rule, "Nothing on this machine itself"]);
    assert!(
        verdict(&nobody).steps()[0].to_string().contains("from another machine: echoline check ADDRESS 80")
    );
    let loopback = led(vec![listener("127.0.0.1:80")]);
    expect(&loopback, None, CannotTell, &[rule, "Only this machine itself", "127.0.0.1:80"]);
}

#[test]
fn rules_that_cannot_be_read_may_lead_a_port_elsewhere_where_nothing_listens() {
    let unread = ListenFindings { firewalls: vec![firewall(None)], ..findings(Vec::new()) };
    expect(&unread, Some(code::NOT_LISTENING), Likely, &["(NAT) cannot be told: the rules are not readable"]);
    assert!(steps(&unread).contains(&"sudo echoline check --listen :80".to_owned()));
    // What is meant for this machine alone, no rule for others leads away.
    let alone = ListenFindings { firewalls: Vec::new(), ..findings(Vec::new()) };
    expect(&alone, Some(code::NOT_LISTENING), Certain, &[]);
}

#[test]
fn a_program_that_takes_nothing_is_seen_by_its_state_its_queue_or_our_own_connection() {
    let mut stopped = everywhere();
    for listener in stopped.sockets.iter_mut().flatten() {
        listener.processes[0].is_stopped = true;
    }
    expect(&stopped, Some(code::NOT_ACCEPTING), Certain, &["srv (process 7)", "is stopped"]);
    let one_of_two_is_stopped = {
        let mut listener = listener("0.0.0.0:80");
        listener.processes.push(HolderProcess { pid: 8, name: "srv".to_owned(), is_stopped: true });
        findings(vec![listener])
    };
    expect(&one_of_two_is_stopped, None, Certain, &["process 7 and 1 more"]);
    let queue = |waiting| {
        findings(vec![Listener { queue: Queue { waiting, may_wait: Some(5) }, ..listener("[::]:80") }])
    };
    expect(
        &queue(6),
        Some(code::NOT_ACCEPTING),
        Certain,
        &["6 wait in its queue, which has room for 5", "silence"],
    );
    expect(&queue(5), None, Certain, &[]);
    let mut left = everywhere();
    left.knocks[0].taken = Some(false);
    expect(&left, Some(code::NOT_ACCEPTING), Likely, &["had not taken it"]);
}

#[test]
fn the_firewall_decides_for_others_as_far_as_it_can_be_read() {
    let with = |ruling| ListenFindings { firewalls: vec![firewall(ruling)], ..everywhere() };
    let stopped = |how| Some(Ruling::Stopped { how, rule: "tcp dport 80 drop".to_owned() });
    expect(
        &with(stopped(Stop::Drop)),
        Some(code::LOCAL_FIREWALL),
        Certain,
        &["drops what others send", "tcp dport 80 drop"],
    );
    expect(&with(stopped(Stop::Reject)), Some(code::LOCAL_FIREWALL), Certain, &["rejects what others send"]);
    let some = Some(Ruling::Depends { rule: "ip saddr 10.0.0.0/8 accept".to_owned() });
    expect(&with(some), None, Likely, &["some and not others: ip saddr 10.0.0.0/8 accept"]);
    expect(&with(None), None, CannotTell, &["cannot be told: the rules are not readable without root"]);
    let ufw = Firewall { ufw: Some("ufw is on and denies what no rule names".to_owned()), ..firewall(None) };
    let told = ListenFindings { firewalls: vec![ufw], ..everywhere() };
    expect(&told, None, CannotTell, &["without root (ufw is on and denies what no rule names)"]);
    assert_eq!(steps(&with(None)), ["sudo echoline check --listen :80"]);
    // What is led elsewhere never meets the rules for this machine.
    let rule = Some("tcp dport 80 dnat to 172.17.0.2:80".to_owned());
    let led = ListenFindings {
        firewalls: vec![Firewall { led_elsewhere: rule, ..firewall(stopped(Stop::Drop)) }],
        ..everywhere()
    };
    expect(&led, None, Likely, &["to another place (NAT): tcp dport 80 dnat to 172.17.0.2:80"]);
    // One family of two is kept out.
    let mut half = everywhere();
    half.firewalls.push(Firewall { family: "IPv6".into(), ..firewall(stopped(Stop::Drop)) });
    expect(&half, Some(code::LOCAL_FIREWALL), Certain, &["over IPv6"]);
    // ufw has a command of its own.
    let ufw = Firewall { ufw: Some("ufw is on".to_owned()), ..firewall(stopped(Stop::Drop)) };
    let ufw = ListenFindings { firewalls: vec![ufw], ..everywhere() };
    assert_eq!(steps(&ufw)[0], "allow it: sudo ufw allow 80/tcp");
}

#[test]
fn a_machine_that_does_not_reach_itself_has_a_rule_that_says_so() {
    let all = |ended| {
        let mut findings = everywhere();
        for knock in &mut findings.knocks {
            (knock.connect.ended, knock.taken) = (ended, None);
        }
        findings
    };
    expect(&all(Ended::Refused), Some(code::LOCAL_FIREWALL), Likely, &["is refused"]);
    expect(
        &all(Ended::NoAnswer),
        Some(code::LOCAL_FIREWALL),
        CannotTell,
        &["gets no answer", "or the program"],
    );
    let mut one = everywhere();
    one.knocks[0].connect.ended = Ended::NoAnswer;
    expect(&one, None, Certain, &["own connection to 127.0.0.1:80 does not work"]);
}

#[test]
fn what_cannot_be_read_and_a_system_that_shows_nothing_say_so() {
    let problem = Diagnosis::new(code::ADDRESS_NOT_AVAILABLE, "192.0.2.7 belongs to no interface")
        .next("see which addresses there are");
    let unreadable = ListenFindings { unreadable: Some(problem), ..everywhere() };
    expect(&unreadable, Some(code::ADDRESS_NOT_AVAILABLE), Certain, &["192.0.2.7"]);
    let blind = ListenFindings { sockets: None, ..everywhere() };
    expect(&blind, Some(code::SYSTEM), CannotTell, &["no table of sockets"]);
}
