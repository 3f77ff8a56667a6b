//! Rules as the tools print them (in `samples`, from nft 1.0.6, iptables 1.8.9 and ufw 0.36.2), and what becomes of a
//! connection.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::rules::{Action, Base, Chain, Rule, Truth};
use super::*;
use crate::evidence::Stop;

const NFT: &str = include_str!("samples/nft.json");
const NFT_LISTING: &str = include_str!("samples/nft.txt");
const IPTABLES: &str = include_str!("samples/iptables.txt");
const UFW_IPTABLES: &str = include_str!("samples/ufw-iptables.txt");

fn to_port(port: u16) -> Packet<'static> {
    Packet { way: Way::In, ipv4: true, port, from: None, to: None, interface: None, tracked: true }
}

fn iptables(table: &str, rules: &str, packet: Packet<'_>) -> Fate {
    fate(&iptables_chains(table, rules, packet))
}

fn iptables_chains(table: &str, rules: &str, packet: Packet<'_>) -> Chains {
    let question = if table == "nat" { Question::Nat } else { Question::Filter };
    let (program, name) = ("iptables".to_owned(), table.to_owned());
    parse_iptables(&IptablesTable { program, name, rules: rules.to_owned() }, packet, question)
}

fn from(address: &str, port: u16) -> Packet<'static> {
    let from: IpAddr = address.parse().unwrap();
    Packet { from: Some(from), ipv4: from.is_ipv4(), ..to_port(port) }
}

fn nft(packet: Packet<'_>) -> Fate {
    fate(&parse_nft(&serde_json::from_str(NFT).unwrap(), NFT_LISTING, packet, Question::Filter))
}

fn dropped(by: &str) -> Fate {
    Fate::Stopped(Stop::Drop, by.to_owned())
}

fn rejected(by: &str) -> Fate {
    Fate::Stopped(Stop::Reject, by.to_owned())
}

fn depends(on: &str) -> Fate {
    Fate::Depends(on.to_owned())
}

#[test]
fn the_rules_of_nft_decide_by_port_set_map_and_sender() {
    let last = || rejected("reject with icmpx admin-prohibited");
    let some = "ip saddr @good tcp dport 5151 accept";
    for (packet, expected) in [
        (to_port(22), Fate::Passes),
        (to_port(8005), Fate::Passes),
        (to_port(8011), last()),
        (to_port(443), Fate::Passes),
        // The map leads to a chain that accepts a user's own packets, and comes back for all others.
        (to_port(444), depends("meta skuid 0 accept")),
        (to_port(5151), depends(some)),
        (from("10.9.8.7", 5151), Fate::Passes),
        (from("192.168.1.5", 5151), Fate::Passes),
        (from("192.168.1.6", 5151), last()),
        (from("2001:db8::1", 5151), last()),
        (from("fe80::1", 5151), Fate::Passes),
        (to_port(53), Fate::Passes),
        // Another protocol's port of that number.
        (to_port(5353), last()),
        (to_port(5152), depends("tcp dport 5152 limit rate 5/second accept")),
    ] {
        assert_eq!(nft(packet), expected, "{packet:?}");
    }
    // What goes out meets none of these chains.
    assert_eq!(nft(Packet { way: Way::Out, ..to_port(8011) }), Fate::Passes);
}

#[test]
fn the_rules_of_iptables_decide_and_what_a_chain_leaves_open_goes_on_in_the_one_before() {
    let last = || rejected("-A foo -p tcp -j REJECT --reject-with tcp-reset");
    for (packet, expected) in [
        (to_port(22), Fate::Passes),
        (to_port(443), Fate::Passes),
        (to_port(8010), Fate::Passes),
        (to_port(8011), last()),
        (to_port(5151), depends("-A INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 5151 -j ACCEPT")),
        (from("10.0.0.1", 5151), Fate::Passes),
        (from("11.0.0.1", 5151), last()),
    ] {
        assert_eq!(iptables("filter", IPTABLES, packet), expected, "{packet:?}");
    }
    let without_foo = IPTABLES.lines().filter(|line| !line.contains(" foo ")).collect::<Vec<_>>().join("\n");
    let policy = dropped("chain INPUT of iptables: what no rule accepts is dropped");
    assert_eq!(iptables("filter", &without_foo, to_port(1)), policy);
}

#[test]
fn the_rules_that_ufw_writes_do_what_ufw_says() {
    let policy = || dropped("chain INPUT of iptables: what no rule accepts is dropped");
    for (packet, expected) in [
        (to_port(22), Fate::Passes),
        (to_port(6005), Fate::Passes),
        (to_port(5155), policy()),
        (from("10.0.0.1", 5151), Fate::Passes),
        (from("192.168.1.1", 5151), policy()),
        (to_port(5153), dropped("-A ufw-user-input -p tcp -m tcp --dport 5153 -j DROP")),
        (Packet { interface: Some("eth0"), ..to_port(5154) }, Fate::Passes),
        (Packet { interface: Some("wlan0"), ..to_port(5154) }, policy()),
        (Packet { way: Way::Out, ..to_port(5155) }, Fate::Passes),
    ] {
        assert_eq!(iptables("filter", UFW_IPTABLES, packet), expected, "{packet:?}");
    }
    for (packet, rule) in
        [(to_port(5151), "10.0.0.0/8"), (to_port(5152), "ufw-user-limit"), (to_port(5154), "eth0")]
    {
        let found = iptables("filter", UFW_IPTABLES, packet);
        assert!(matches!(&found, Fate::Depends(by) if by.contains(rule)), "{packet:?}: {found:?}");
    }
}

#[test]
fn tables_that_only_iptables_can_read_are_left_to_it() {
    let mixed: Value = serde_json::from_str(include_str!("samples/iptables.json")).unwrap();
    assert_eq!(tables_of_iptables(&mixed, "ip").into_iter().collect::<Vec<_>>(), ["filter"]);
    assert!(tables_of_iptables(&mixed, "ip6").is_empty());
    assert!(tables_of_iptables(&serde_json::from_str(NFT).unwrap(), "ip").is_empty());
    assert_eq!(parse_nft(&mixed, "", to_port(5155), Question::Filter), Chains::new());
}

#[test]
fn a_ruleset_without_rules_lets_everything_in() {
    assert_eq!(fate(&parse_nft(&json!({ "nftables": [] }), "", to_port(1), Question::Filter)), Fate::Passes);
    assert_eq!(fate(&parse_nft(&Value::Null, "", to_port(1), Question::Filter)), Fate::Passes);
    assert_eq!(iptables("filter", "-P INPUT ACCEPT\n-P OUTPUT DROP\n", to_port(1)), Fate::Passes);
}

fn chain(rules: &[(Truth, Action, &str)]) -> Chain {
    let rule = |(applies, action, text): &(Truth, Action, &str)| Rule {
        applies: *applies,
        action: action.clone(),
        text: (*text).to_owned(),
    };
    Chain { base: None, rules: rules.iter().map(rule).collect() }
}

fn base(priority: i64, rules: &[(Truth, Action, &str)], policy: Action) -> Chain {
    Chain {
        base: Some(Base { met: Truth::Yes, priority, policy, name: format!("chain {priority}") }),
        ..chain(rules)
    }
}

#[test]
fn what_is_unknown_matters_only_where_it_leads_to_something_else() {
    use Action::{Accept, Goto, Jump, Return, Stop as Halt, Unknown};
    use Truth::{Perhaps, Yes};
    let one = |rules: &[(Truth, Action, &str)]| {
        let other = chain(&[(Perhaps, Halt(Stop::Drop), "banned")]);
        let back = chain(&[(Yes, Return, "back"), (Yes, Halt(Stop::Drop), "never")]);
        fate(&Chains::from([
            ("in".to_owned(), base(0, rules, Accept)),
            ("other".to_owned(), other),
            ("back".to_owned(), back),
        ]))
    };
    assert_eq!(one(&[(Perhaps, Accept, "some"), (Yes, Accept, "all")]), Fate::Passes);
    assert_eq!(one(&[(Perhaps, Halt(Stop::Drop), "a"), (Yes, Halt(Stop::Reject), "b")]), dropped("a"));
    assert_eq!(one(&[(Perhaps, Halt(Stop::Drop), "a")]), depends("a"));
    assert_eq!(one(&[(Yes, Jump("other".to_owned()), "jump")]), depends("banned"));
    assert_eq!(one(&[(Yes, Jump("back".to_owned()), "jump"), (Yes, Halt(Stop::Drop), "b")]), dropped("b"));
    assert_eq!(one(&[(Yes, Goto("back".to_owned()), "go"), (Yes, Halt(Stop::Drop), "b")]), Fate::Passes);
    assert_eq!(one(&[(Perhaps, Return, "r"), (Yes, Halt(Stop::Drop), "b")]), depends("r"));
    assert_eq!(one(&[(Yes, Unknown, "queue num 1")]), depends("queue num 1"));
    assert_eq!(one(&[(Yes, Jump("nowhere".to_owned()), "jump")]), depends("jump"));
}

#[test]
fn every_chain_in_turn_must_let_it_pass() {
    let drop = |rule| [(Truth::Yes, Action::Stop(Stop::Drop), rule)];
    let accept = [(Truth::Yes, Action::Accept, "yes")];
    let chains = Chains::from([
        ("a".to_owned(), base(0, &accept, Action::Accept)),
        ("b".to_owned(), base(10, &drop("late"), Action::Accept)),
    ]);
    assert_eq!(fate(&chains), dropped("late"));
    let chains = Chains::from([("a".to_owned(), base(-5, &[], Action::Stop(Stop::Drop)))]);
    assert_eq!(fate(&chains), dropped("chain -5: what no rule accepts is dropped"));
}

#[test]
fn chains_that_jump_in_a_circle_or_without_end_are_given_up() {
    let jump = |to: &str| (Truth::Perhaps, Action::Jump(to.to_owned()), "round");
    let mut chains = Chains::from([("x".to_owned(), base(0, &[jump("x"), jump("x")], Action::Accept))]);
    assert_eq!(fate(&chains), depends("round"));
    for level in 0..40 {
        let next = format!("{}", level + 1);
        chains.insert(format!("{level}"), chain(&[jump(&next), jump(&next), jump(&next)]));
    }
    chains.insert("x".to_owned(), base(0, &[jump("0")], Action::Accept));
    assert_eq!(fate(&chains), depends("round"));
}

#[test]
fn ufw_is_told_in_its_own_words() {
    let files = |enabled: &str, rules: Option<&str>| UfwFiles {
        conf: format!("# ENABLED=no\nENABLED={enabled}\nLOGLEVEL=low\n"),
        defaults: "IPV6=yes\nDEFAULT_INPUT_POLICY=\"DROP\"\n".to_owned(),
        rules: rules.map(str::to_owned),
    };
    let on = files("yes", Some(include_str!("samples/ufw.rules")));
    for (packet, expected) in [
        (to_port(22), "ufw is on, and its rule is: allow port 22 from anybody"),
        (to_port(5151), "ufw is on, and its rule is: allow port 5151 from 10.0.0.0/8"),
        (to_port(5152), "ufw is on, and its rule is: limit port 5152 from anybody"),
        (to_port(5153), "ufw is on, and its rule is: deny port 5153 from anybody"),
        (to_port(5154), "ufw is on, and its rule is: allow port 5154 on eth0 from anybody"),
        (to_port(6010), "ufw is on, and its rule is: allow port 6000:6010 from anybody"),
        (to_port(99), "ufw is on, no rule of it is about this port, and it denies what no rule names"),
        (to_port(98), "ufw is on, no rule of it is about this port, and it denies what no rule names"),
    ] {
        assert_eq!(judge_ufw(&on, packet).as_deref(), Some(expected));
    }
    let unreadable = judge_ufw(&files("yes", None), to_port(22)).unwrap();
    assert_eq!(unreadable, "ufw is on and denies what no rule names; its rules only root may read");
    assert_eq!(judge_ufw(&files("no", None), to_port(22)), None);
    assert_eq!(judge_ufw(&UfwFiles::default(), to_port(22)), None);
}

#[test]
fn a_published_port_of_a_container_is_seen_to_be_led_elsewhere() {
    // As docker writes it.
    let docker = "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-P OUTPUT ACCEPT\n-P POSTROUTING ACCEPT\n-N DOCKER\n\
                  -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER\n\
                  -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER\n\
                  -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
                  -A DOCKER -i docker0 -j RETURN\n\
                  -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80\n";
    let of = |packet| iptables("nat", docker, packet);
    let eth0 = |port| Packet { interface: Some("eth0"), ..to_port(port) };
    let rule = "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80";
    assert_eq!(of(eth0(8080)), rejected(rule));
    assert_eq!(of(eth0(8081)), Fate::Passes);
    assert_eq!(of(Packet { interface: Some("docker0"), ..to_port(8080) }), Fate::Passes);

    let nft = json!({ "nftables": [
        { "table": { "family": "ip", "name": "n", "handle": 1 } },
        { "chain": { "family": "ip", "table": "n", "name": "pre", "handle": 1, "type": "nat", "hook": "prerouting",
                     "prio": -100, "policy": "accept" } },
        { "rule": { "family": "ip", "table": "n", "chain": "pre", "handle": 2, "expr": [
            { "match": { "op": "==", "left": { "payload": { "protocol": "tcp", "field": "dport" } }, "right": 80 } },
            { "redirect": { "port": 8080 } } ] } } ] });
    let of = |port, question| fate(&parse_nft(&nft, "", to_port(port), question));
    assert_eq!(of(80, Question::Nat), rejected("rule 2 of chain pre in table ip n"));
    assert_eq!((of(81, Question::Nat), of(80, Question::Filter)), (Fate::Passes, Fate::Passes));
}

mod cases;
