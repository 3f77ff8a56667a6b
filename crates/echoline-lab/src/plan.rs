//! From a topology to the commands that build it: pure, so that it can be read, tested and explained.

use std::net::IpAddr;

use crate::topology::{End, Kind, Link, Node, Topology, WIRES};

/// Interfaces of nodes count from 2.
const FIRST_INDEX: usize = 1000;

/// Everything that builds a topology, in order.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// `ip` lines of the lab itself: namespaces and cables.
    pub(crate) cables: Vec<String>,
    /// What each namespace is told, `wires` first; they do not depend on each other.
    pub(crate) places: Vec<Place>,
}

/// What one namespace is told.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) name: String,
    /// Kernel settings, as `net/ipv4/ip_forward`.
    pub(crate) settings: Vec<(String, &'static str)>,
    /// `ip` lines.
    pub(crate) ip: Vec<String>,
    /// An nftables ruleset, empty if none is needed.
    pub(crate) nft: String,
}

/// The interface in `wires` that leads to an end of a link.
pub(crate) fn port(link: &Link, end: usize) -> String {
    format!("{}.{}", link.name, ["a", "b"][end])
}

/// The index of [`port`], for the nth link.
pub(crate) fn index(number: usize, end: usize) -> usize {
    FIRST_INDEX + 2 * number + end
}

/// The interface that joins the far side of an impaired link to its switch.
pub(crate) fn inner_port(link: &Link) -> String {
    format!("{}.c", link.name)
}

/// The bridge that a link's frames cross while nothing impairs it.
pub(crate) fn bridge(link: &Link) -> String {
    let switch = link.ends.iter().find_map(|end| match end {
        End::Switch(name) => Some(name.clone()),
        End::Interface { .. } => None,
    });
    switch.unwrap_or_else(|| format!("{}.br", link.name))
}

pub(crate) fn plan(topology: &Topology) -> Plan {
    let mut plan = Plan::default();
    plan.cables.push(format!("netns add {WIRES}"));
    plan.cables.extend(topology.nodes.iter().map(|node| format!("netns add {}", node.name)));
    for (number, link) in topology.links.iter().enumerate() {
        for (position, end) in link.ends.iter().enumerate() {
            if let End::Interface { node, interface } = end {
                let (port, mtu) = (port(link, position), link.mtu);
                // The kernel reports a carrier at once only where the two ends differ in their index (and else
                // up to a second later, in which a bridge drops): so ours are of their own range.
                let index = index(number, position);
                plan.cables.push(format!(
                    "link add {port} index {index} netns {WIRES} mtu {mtu} \
                     type veth peer name {interface} netns {node} mtu {mtu}"
                ));
            }
        }
    }
    plan.places.push(wires(topology));
    plan.places.extend(topology.nodes.iter().map(place));
    plan
}

/// Switches are bridges; so is a cable between two interfaces, as long as nothing impairs it.
fn wires(topology: &Topology) -> Place {
    let mut place = Place { name: WIRES.into(), ..Place::default() };
    // Bridged frames must not meet the packet filter of the machine, nor may a switch speak for itself.
    for family in ["ip", "ip6", "arp"] {
        place.settings.push((format!("net/bridge/bridge-nf-call-{family}tables"), "0"));
    }
    place.settings.push(("net/ipv6/conf/default/disable_ipv6".into(), "1"));
    let cables =
        topology.links.iter().filter(|link| link.ends.iter().all(|end| !matches!(end, End::Switch(_))));
    for bridge in topology.switches.iter().cloned().chain(cables.map(bridge)) {
        place.ip.push(format!("link add {bridge} type bridge forward_delay 0 mcast_snooping 0"));
        place.ip.push(format!("link set {bridge} up"));
    }
    for link in &topology.links {
        for (position, end) in link.ends.iter().enumerate() {
            if matches!(end, End::Interface { .. }) {
                place.ip.push(format!("link set {} master {} up", port(link, position), bridge(link)));
            }
        }
    }
    place
}

fn place(node: &Node) -> Place {
    let mut place = Place { name: node.name.clone(), ..Place::default() };
    // Rejections are answered each time, and addresses are usable at once.
    for (setting, value) in [
        ("net/ipv4/icmp_ratelimit", "0"),
        ("net/ipv6/icmp/ratelimit", "0"),
        ("net/ipv6/conf/all/accept_dad", "0"),
    ] {
        place.settings.push((setting.into(), value));
    }
    for interface in &node.interfaces {
        // The kernel checks addresses for doubles unless both `all` and the interface say no.
        place.settings.push((format!("net/ipv6/conf/{}/accept_dad", interface.name), "0"));
        place.settings.push((format!("net/ipv6/conf/{}/accept_ra", interface.name), "0"));
    }
    if node.kind == Kind::Router {
        place.settings.push(("net/ipv4/ip_forward".into(), "1"));
        place.settings.push(("net/ipv6/conf/all/forwarding".into(), "1"));
    }
    place.ip.push("link set lo up".into());
    for interface in &node.interfaces {
        let name = &interface.name;
        for network in &interface.addresses {
            let nodad = if network.address.is_ipv6() { " nodad" } else { "" };
            place.ip.push(format!("addr add {network} dev {name}{nodad}"));
        }
        place.ip.push(format!("link set {name} up"));
    }
    for gateway in &node.gateways {
        let all = if gateway.is_ipv6() { "::/0" } else { "default" };
        place.ip.push(format!("route add {all} via {gateway}"));
    }
    if needs_rules(node) {
        place.nft = ruleset(node);
    }
    place
}

fn needs_rules(node: &Node) -> bool {
    let own = !node.rules_in.is_empty() || !node.rules_out.is_empty() || !node.rules_through.is_empty();
    own || node.nat.is_some() || node.firewall.is_some()
}

/// The nftables ruleset of a node, as a person would write it.
///
/// Forwards are not in it: they name addresses of other nodes (see [`forward_rules`]).
pub(crate) fn ruleset(node: &Node) -> String {
    let mut text = String::from("table inet lab {\n");
    let mut chain = |name: &str, hook: &str, policy: &str, lines: Vec<String>| {
        text.push_str(&format!("  chain {name} {{\n    type {hook}; policy {policy};\n"));
        for line in lines {
            text.push_str(&format!("    {line}\n"));
        }
        text.push_str("  }\n");
    };
    let own =
        |rules: &[crate::topology::Rule]| rules.iter().map(crate::topology::Rule::nft).collect::<Vec<_>>();
    chain("input", "filter hook input priority filter", "accept", own(&node.rules_in));
    chain("output", "filter hook output priority filter", "accept", own(&node.rules_out));
    if node.kind == Kind::Router {
        let mut lines = own(&node.rules_through);
        if let Some(outside) = &node.firewall {
            lines.insert(0, "ct state established,related accept".into());
            lines.insert(1, "ct state invalid drop".into());
            lines.push(format!("iifname != \"{outside}\" accept"));
            lines.push("ct status dnat accept".into());
        }
        let policy = if node.firewall.is_some() { "drop" } else { "accept" };
        chain("forward", "filter hook forward priority filter", policy, lines);
    }
    if let Some(outside) = &node.nat {
        chain("pre", "nat hook prerouting priority dstnat", "accept", Vec::new());
        let masquerade = format!("oifname \"{outside}\" meta nfproto ipv4 masquerade");
        let hairpin = format!("oifname != \"{outside}\" ct status dnat masquerade");
        let lines = if node.hairpin { vec![masquerade, hairpin] } else { vec![masquerade] };
        chain("post", "nat hook postrouting priority srcnat", "accept", lines);
    }
    text.push_str("}\n");
    text
}

/// The rules that lead a port of a router's outer addresses to a host inside.
pub(crate) fn forward_rules(router: &Node, port: u16, target: IpAddr, target_port: u16) -> Vec<String> {
    let outside = router.nat.as_deref().and_then(|name| router.interface(name));
    let outer = outside.into_iter().flat_map(|interface| &interface.addresses).map(|network| network.address);
    outer
        .filter(IpAddr::is_ipv4)
        .map(|outer| format!("ip daddr {outer} tcp dport {port} dnat ip to {target}:{target_port}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_becomes_the_commands_a_person_would_type() {
        let topology = Topology::shipped("home").expect("shipped");
        let plan = plan(&topology);
        let cable = "link add laptop.a index 1000 netns wires mtu 1500 type veth peer name eth0 netns laptop mtu 1500";
        assert!(plan.cables.iter().any(|line| line == cable), "{:#?}", plan.cables);
        let laptop = plan.places.iter().find(|place| place.name == "laptop").expect("laptop");
        assert_eq!(
            laptop.ip,
            [
                "link set lo up",
                "addr add 192.168.1.10/24 dev eth0",
                "addr add 2001:db8:1::10/64 dev eth0 nodad",
                "link set eth0 up",
                "route add default via 192.168.1.1",
                "route add ::/0 via 2001:db8:1::1",
            ]
        );
        assert_eq!(laptop.nft, "", "a host without rules starts no nft");
    }

    #[test]
    fn a_home_router_masquerades_and_lets_only_answers_in() {
        let topology = Topology::shipped("home").expect("shipped");
        let text = ruleset(topology.node("router").expect("router"));
        assert!(text.contains("oifname \"wan\" meta nfproto ipv4 masquerade"), "{text}");
        assert!(text.contains("hook forward priority filter; policy drop;"), "{text}");
        let answers = text.find("established,related accept").expect("answers pass");
        let inside = text.find("iifname != \"wan\" accept").expect("inside may begin");
        assert!(answers < inside, "{text}");
    }

    #[test]
    fn a_forward_matches_the_outer_address_so_that_hairpin_works() {
        let topology = Topology::shipped("home").expect("shipped");
        let router = topology.node("router").expect("router");
        let rules = forward_rules(router, 5151, "192.168.1.11".parse().expect("address"), 80);
        assert_eq!(rules, ["ip daddr 203.0.113.2 tcp dport 5151 dnat ip to 192.168.1.11:80"]);
    }
}
