//! Small rule sets, each with something that is easily taken for something else.

use super::*;

/// As nft 1.0.6 prints it.
fn case(name: &str, packet: Packet<'_>, question: Question) -> Fate {
    let cases: Value = serde_json::from_str(include_str!("../samples/nft-cases.json")).unwrap();
    let case = &cases[name];
    let of = |packet| parse_nft(&case["json"], case["text"].as_str().unwrap(), packet, question);
    let chains = of(packet);
    fate(&if may_untrack(&chains) { of(Packet { tracked: false, ..packet }) } else { chains })
}

#[test]
fn a_rule_that_meets_only_floods_crowds_or_some_senders_stops_nobody_for_certain() {
    let of = |name| case(name, to_port(5151), Question::Filter);
    let flood = "tcp dport 5151 add @flood { ip saddr limit rate over 10/second } drop";
    assert_eq!(of("floods are dropped"), depends(flood));
    let crowd = "tcp dport 5151 add @flood { ip saddr ct count over 20 } reject with icmp port-unreachable";
    assert_eq!(of("crowds are rejected"), depends(crowd));
    let limited = |packet| case("a set of limits", packet, Question::Filter);
    assert_eq!(limited(from("10.0.0.1", 5151)), depends("ip saddr @flood drop"));
    assert_eq!(limited(from("10.0.0.2", 5151)), Fate::Passes);
    // What counts alone is no condition, but for a packet that has no such address.
    assert_eq!(of("senders are counted"), dropped("tcp dport 5151 add @flood { ip saddr counter } drop"));
    let ipv6 = Packet { ipv4: false, ..to_port(5151) };
    assert_eq!(case("senders are counted", ipv6, Question::Filter), Fate::Passes);
    // Who goes to a chain that decides nothing is at the end of this one, before the rule that drops.
    assert_eq!(of("some go to an empty chain"), depends("ip saddr 10.0.0.0/8 goto lan"));
    assert_eq!(case("some go to an empty chain", from("11.0.0.1", 5151), Question::Filter), dropped("drop"));
}

#[test]
fn a_chain_of_a_device_meets_what_comes_in_there_alone() {
    let on = |name, interface| case(name, Packet { interface, ..to_port(5151) }, Question::Filter);
    let some = || depends("chain i of nftables table netdev f");
    for (name, interface, expected) in [
        ("another device", Some("d1"), dropped("tcp dport 5151 drop")),
        // An address of one interface is reached through others, too.
        ("another device", Some("d0"), some()),
        ("another device", Some("lo"), Fate::Passes),
        ("another device", None, some()),
        ("two devices", Some("d0"), dropped("tcp dport 5151 drop")),
        ("two devices", Some("d2"), some()),
        ("loopback as a device", Some("d0"), Fate::Passes),
        ("loopback as a device", None, Fate::Passes),
    ] {
        assert_eq!(on(name, interface), expected, "{name}, {interface:?}");
    }
    // As later versions say it, and as one that says nothing leaves it open.
    let of = |dev: Value| {
        let mut chain = json!({ "family": "inet", "table": "t", "name": "c", "type": "filter", "hook": "ingress",
                                "prio": 0, "policy": "drop" });
        chain["dev"] = dev;
        let ruleset = json!({ "nftables": [{ "chain": chain }] });
        let packet = Packet { interface: Some("eth0"), ..to_port(1) };
        fate(&parse_nft(&ruleset, "", packet, Question::Filter))
    };
    let policy = dropped("chain c of nftables table inet t: what no rule accepts is dropped");
    assert_eq!((of(json!("eth0")), of(json!(["eth1", "eth0"]))), (policy.clone(), policy));
    assert_eq!(of(json!("lo")), Fate::Passes);
    assert_eq!(of(Value::Null), depends("chain c of nftables table inet t"));
}

#[test]
fn a_dormant_table_is_off_and_what_is_not_tracked_has_no_known_state() {
    assert_eq!(case("dormant", to_port(5151), Question::Filter), Fate::Passes);
    let some = depends("ct state established,untracked accept");
    assert_eq!(case("untracked", to_port(5151), Question::Filter), some);
    let policy = dropped("chain input of nftables table inet f: what no rule accepts is dropped");
    assert_eq!(case("untracked", to_port(5152), Question::Filter), policy);

    let raw = "-P PREROUTING ACCEPT\n-A PREROUTING -p tcp -m tcp --dport 5151 -j CT --notrack\n";
    assert!(may_untrack(&iptables_chains("raw", raw, to_port(5151))));
    assert!(!may_untrack(&iptables_chains("raw", raw, to_port(5152))));
    let helper = "-A PREROUTING -p tcp -j CT --helper ftp\n";
    assert!(!may_untrack(&iptables_chains("raw", helper, to_port(5151))));
    let accept = "-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT";
    let filter = format!("-P INPUT DROP\n{accept}\n");
    let untracked = Packet { tracked: false, ..to_port(5151) };
    assert_eq!(iptables("filter", &filter, untracked), depends(accept));
}

#[test]
fn a_list_of_flags_means_any_of_them() {
    let of = |name| case(name, to_port(5151), Question::Filter);
    assert_eq!((of("any flag"), of("neither flag")), (Fate::Passes, Fate::Passes));
    let policy = dropped("chain input of nftables table inet f: what no rule accepts is dropped");
    assert_eq!(of("no such flag"), policy);
}

#[test]
fn the_default_of_a_verdict_map_is_met_where_no_other_element_is() {
    let of = |name| case(name, to_port(5151), Question::Filter);
    let rule = "ct state vmap { established : accept, related : accept, * : drop }";
    assert_eq!(of("a default"), dropped(rule));
    assert_eq!(of("a default for others"), Fate::Passes);
    assert_eq!(of("a default behind one that goes on"), Fate::Passes);
}

#[test]
fn a_port_that_a_map_of_protocols_and_ports_names_is_led_elsewhere_and_no_other_is() {
    let of = |port| case("node ports", to_port(port), Question::Nat);
    assert_eq!(of(30_080), rejected("meta l4proto tcp dnat to 10.0.0.7:80"));
    assert_eq!(of(30_081), Fate::Passes);
}

#[test]
fn every_table_of_iptables_is_met_and_the_hops_and_the_senders_port_are_not_known() {
    let of = |table, rules: &str| iptables(table, rules, to_port(5151));
    let drop = |chain| format!("-A {chain} -p tcp -m tcp --dport 5151 -j DROP");
    for (table, chain) in
        [("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "INPUT"), ("security", "INPUT")]
    {
        let rules = format!("-P {chain} ACCEPT\n{}\n", drop(chain));
        assert_eq!(of(table, &rules), dropped(&drop(chain)), "{table} {chain}");
        let out = Packet { way: Way::Out, ..to_port(5151) };
        assert_eq!(iptables(table, &rules, out), Fate::Passes, "{table} {chain}");
    }
    // Each table has chains of its own, and all of them decide.
    let drop = "-P INPUT ACCEPT\n-N x\n-A x -j DROP\n-A INPUT -j x\n";
    let mut chains = iptables_chains("mangle", drop, to_port(1));
    chains.extend(iptables_chains(
        "filter",
        "-P INPUT ACCEPT\n-N x\n-A x -j ACCEPT\n-A INPUT -j x\n",
        to_port(1),
    ));
    assert_eq!(fate(&chains), dropped("-A x -j DROP"));
    let hops = "-A INPUT -p tcp -m tcp --dport 5151 -m hl --hl-eq 255 -j ACCEPT";
    assert_eq!(of("filter", &format!("-P INPUT DROP\n{hops}\n")), depends(hops));
    let either = "-A INPUT -p tcp -m multiport --ports 5151,5152 -j ACCEPT";
    let either = |port| iptables("filter", &format!("-P INPUT DROP\n{either}\n"), to_port(port));
    assert_eq!(either(5151), Fate::Passes);
    assert!(matches!(either(5153), Fate::Depends(_)));
    // What changes a packet decides nothing.
    assert_eq!(of("mangle", "-P PREROUTING ACCEPT\n-A PREROUTING -j DSCP --set-dscp 0x08\n"), Fate::Passes);
}
