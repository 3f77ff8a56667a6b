//! What must hold before a topology is built. Each mistake carries the key of the place to blame.

use std::collections::BTreeMap;

use super::{End, Interface, Kind, Link, Node, Topology};

/// Names end up as interface names of at most 15 bytes, with `.br` behind them.
const LONGEST_NAME: usize = 12;
/// Enough for any lesson, and few enough to be built at once.
const MOST_NODES: usize = 64;
const MOST_LINKS: usize = 128;
/// The namespace that holds switches and cables.
pub(crate) const WIRES: &str = "wires";

pub(super) struct Mistake {
    pub(super) key: String,
    pub(super) message: String,
}

type Outcome = Result<(), Mistake>;

fn wrong(key: impl Into<String>, message: impl Into<String>) -> Outcome {
    Err(Mistake { key: key.into(), message: message.into() })
}

pub(super) fn check(topology: &Topology) -> Outcome {
    if topology.nodes.is_empty() || topology.nodes.len() > MOST_NODES || topology.links.len() > MOST_LINKS {
        let most = format!("a lab has 1 to {MOST_NODES} hosts and routers and at most {MOST_LINKS} links");
        return wrong("", most);
    }
    check_names(topology)?;
    check_links(topology)?;
    check_addresses(topology)?;
    for node in &topology.nodes {
        check_gateways(node)?;
        check_router(topology, node)?;
    }
    check_records(topology)
}

fn check_names(topology: &Topology) -> Outcome {
    let mut seen = BTreeMap::new();
    let nodes = topology.nodes.iter().map(|node| (&node.name, "node"));
    let switches = topology.switches.iter().map(|name| (name, "switch"));
    for (name, kind) in nodes.chain(switches) {
        if seen.insert(name, kind).is_some() {
            return wrong(format!("node {name}"), format!("{name} is already the name of another"));
        }
        check_name(&format!("node {name}"), name)?;
    }
    for link in &topology.links {
        check_name(&format!("link {}", link.name), &link.name)?;
    }
    for node in &topology.nodes {
        for interface in &node.interfaces {
            check_name(&format!("interface {} {}", node.name, interface.name), &interface.name)?;
        }
    }
    Ok(())
}

fn check_name(key: &str, name: &str) -> Outcome {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || name.len() > LONGEST_NAME || !name.chars().all(letter) || name == WIRES || name == "lo" {
        return wrong(
            key,
            format!(
                "{name} cannot be a name: 1 to {LONGEST_NAME} of a-z, 0-9 and -, a letter first, not {WIRES} or lo"
            ),
        );
    }
    Ok(())
}

fn check_links(topology: &Topology) -> Outcome {
    let mut used = BTreeMap::new();
    for link in &topology.links {
        for (position, end) in link.ends.iter().enumerate() {
            let key = format!("end {} {position}", link.name);
            match end {
                End::Switch(_) => {}
                End::Interface { node, interface } => {
                    let Some(found) = topology.node(node) else {
                        return wrong(key, format!("no host, router or switch is called {node}"));
                    };
                    if found.interface(interface).is_none() {
                        let names: Vec<_> = found.interfaces.iter().map(|i| i.name.as_str()).collect();
                        let message =
                            format!("{node} has no interface {interface}; it has {}", names.join(", "));
                        return wrong(key, message);
                    }
                    if let Some(other) = used.insert((node, interface), &link.name) {
                        return wrong(key, format!("{end} is already plugged into the link {other}"));
                    }
                }
            }
        }
        check_cable(link)?;
    }
    for node in &topology.nodes {
        for interface in &node.interfaces {
            check_ipv6_fits(topology, node, interface)?;
            if !used.contains_key(&(&node.name, &interface.name)) {
                let key = format!("interface {} {}", node.name, interface.name);
                return wrong(
                    key,
                    format!("{} of {} is not plugged into any link", interface.name, node.name),
                );
            }
        }
    }
    Ok(())
}

fn check_cable(link: &Link) -> Outcome {
    if matches!(&link.ends, [End::Switch(_), End::Switch(_)]) {
        // A loop of switches would multiply frames without end.
        return wrong(
            format!("link {}", link.name),
            "a link joins an interface to a switch or to another interface",
        );
    }
    if !(68..=65_535).contains(&link.mtu) {
        return wrong(
            format!("mtu {}", link.name),
            format!("an MTU of {} is not in 68 to 65535 bytes", link.mtu),
        );
    }
    Ok(())
}

/// A link of less than 1280 bytes carries no IPv6 (RFC 8200, section 5); the kernel refuses the address.
fn check_ipv6_fits(topology: &Topology, node: &Node, interface: &Interface) -> Outcome {
    let narrow = topology.link_at(&node.name, &interface.name).filter(|link| link.mtu < 1280);
    match narrow {
        Some(link) if interface.addresses.iter().any(|network| network.address.is_ipv6()) => {
            let message =
                format!("{} has an IPv6 address here, and IPv6 needs an MTU of at least 1280", node.name);
            wrong(format!("mtu {}", link.name), message)
        }
        _ => Ok(()),
    }
}

/// The same address twice is a mistake within one network only: every home may use 192.168.1.0/24.
fn check_addresses(topology: &Topology) -> Outcome {
    let mut seen: BTreeMap<(String, std::net::IpAddr), &str> = BTreeMap::new();
    for node in &topology.nodes {
        for interface in &node.interfaces {
            let segment = segment(topology, node, &interface.name);
            for network in &interface.addresses {
                let key = format!("address {} {} {}", node.name, interface.name, network.address);
                let address = network.address;
                if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
                    return wrong(key, format!("{address} cannot be the address of an interface"));
                }
                if let Some(other) = seen.insert((segment.clone(), address), &node.name) {
                    let name = &node.name;
                    let message =
                        format!("{address} of {name} is already the address of {other} on the same network");
                    return wrong(key, message);
                }
            }
        }
    }
    Ok(())
}

/// The switch that an interface is joined to, or its link if that leads to another interface.
fn segment(topology: &Topology, node: &Node, interface: &str) -> String {
    let Some(link) = topology.link_at(&node.name, interface) else { return String::new() };
    let switch = link.ends.iter().find_map(|end| match end {
        End::Switch(name) => Some(format!("switch {name}")),
        End::Interface { .. } => None,
    });
    switch.unwrap_or_else(|| format!("link {}", link.name))
}

fn check_gateways(node: &Node) -> Outcome {
    for (position, gateway) in node.gateways.iter().enumerate() {
        let key = format!("gateway {} {position}", node.name);
        if node.gateways[..position].iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
            let family = if gateway.is_ipv4() { "IPv4" } else { "IPv6" };
            return wrong(key, format!("{} has two {family} gateways; a default route has one", node.name));
        }
        let reached = |network: &super::Network| network.contains(*gateway) && network.address != *gateway;
        if !node.interfaces.iter().any(|interface| interface.addresses.iter().any(reached)) {
            let message = format!("the gateway {gateway} is not on any network of {}", node.name);
            return wrong(key, message);
        }
    }
    Ok(())
}

fn check_router(topology: &Topology, node: &Node) -> Outcome {
    for (what, interface) in [("nat", &node.nat), ("firewall", &node.firewall)] {
        if let Some(interface) = interface
            && node.interface(interface).is_none()
        {
            return wrong(
                format!("{what} {}", node.name),
                format!("{} has no interface {interface}", node.name),
            );
        }
    }
    for (position, forward) in node.forwards.iter().enumerate() {
        let key = format!("forward {} {position}", node.name);
        let Some(target) = topology.node(&forward.host) else {
            return wrong(key, format!("no host is called {}", forward.host));
        };
        if !target.addresses().any(|address| address.is_ipv4()) {
            return wrong(key, format!("{} has no IPv4 address to forward to", forward.host));
        }
        if node.nat.is_none() {
            return wrong(key, format!("{} forwards nothing without `nat`", node.name));
        }
    }
    debug_assert!(node.kind == Kind::Router || node.forwards.is_empty());
    Ok(())
}

fn check_records(topology: &Topology) -> Outcome {
    if let Some(server) = &topology.names.server
        && topology.node(server).is_none()
    {
        return wrong("name server", format!("no host is called {server}"));
    }
    for name in topology.names.records.keys() {
        if !is_host_name(name) {
            return wrong(format!("record {name}"), format!("`{name}` is no host name"));
        }
    }
    Ok(())
}

/// As much as a name server can answer for: labels of letters, digits, `-` and `_` (RFC 1035, section 2.3.4: sizes).
pub(crate) fn is_host_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    name.len() <= 253 && name.split('.').all(label)
}
