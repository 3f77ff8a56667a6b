//! Topologies as TOML. Keys keep their place in the file, so that every mistake is named with its line.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use toml::Spanned;

use super::{End, Interface, Kind, Link, Names, Network, Node, Topology, TopologyError, check};
use crate::link::LinkSettings;

type Table<T> = BTreeMap<Spanned<String>, T>;
type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    host: Table<Host>,
    #[serde(default)]
    router: Table<Router>,
    #[serde(default)]
    switch: Table<Switch>,
    #[serde(default)]
    link: Table<Cable>,
    #[serde(default)]
    names: NameTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Host {
    addresses: Vec<Text>,
    #[serde(default)]
    gateways: Vec<Text>,
    #[serde(default, rename = "in")]
    rules_in: Vec<Text>,
    #[serde(default, rename = "out")]
    rules_out: Vec<Text>,
    #[serde(default)]
    serve: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Router {
    interfaces: Table<Vec<Text>>,
    #[serde(default)]
    gateways: Vec<Text>,
    #[serde(default, rename = "in")]
    rules_in: Vec<Text>,
    #[serde(default, rename = "out")]
    rules_out: Vec<Text>,
    #[serde(default, rename = "through")]
    rules_through: Vec<Text>,
    #[serde(default)]
    serve: Vec<String>,
    nat: Option<Text>,
    firewall: Option<Text>,
    #[serde(default)]
    forward: Vec<Text>,
    #[serde(default)]
    hairpin: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cable {
    between: [Text; 2],
    mtu: Option<Spanned<u32>>,
    both: Option<Text>,
    there: Option<Text>,
    back: Option<Text>,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct NameTable {
    server: Option<Text>,
    #[serde(default)]
    records: Table<Vec<Text>>,
}

/// Turns byte offsets of one file into errors with a line.
pub(super) struct Source<'a> {
    text: &'a str,
    file: &'a str,
}

impl Source<'_> {
    fn error(&self, at: Option<usize>, message: impl Into<String>) -> TopologyError {
        let before = at.and_then(|at| self.text.get(..at));
        let line = before.map_or(0, |before| before.matches('\n').count() + 1);
        TopologyError { file: self.file.to_owned(), line, message: message.into() }
    }

    fn read<T: FromStr>(&self, text: &Text) -> Result<T, TopologyError>
    where
        T::Err: std::fmt::Display,
    {
        let value = text.get_ref();
        value.parse().map_err(|error: T::Err| self.error(Some(text.span().start), error.to_string()))
    }

    fn read_all<T: FromStr>(&self, texts: &[Text]) -> Result<Vec<T>, TopologyError>
    where
        T::Err: std::fmt::Display,
    {
        texts.iter().map(|text| self.read(text)).collect()
    }

    fn address(&self, text: &Text) -> Result<IpAddr, TopologyError> {
        text.get_ref().parse().map_err(|_| {
            self.error(Some(text.span().start), format!("`{}` is no IP address", text.get_ref()))
        })
    }
}

/// Where the parts of a topology stand in its file, for the checks that follow reading.
#[derive(Default)]
pub(super) struct Places {
    at: BTreeMap<String, usize>,
}

impl Places {
    fn put(&mut self, key: String, text: &Spanned<impl Sized>) {
        self.at.entry(key).or_insert(text.span().start);
    }

    pub(super) fn error(&self, source: &Source<'_>, key: &str, message: String) -> TopologyError {
        source.error(self.at.get(key).copied(), message)
    }
}

pub(super) fn parse(text: &str, file: &str) -> Result<Topology, TopologyError> {
    let source = Source { text, file };
    let raw: File = toml::from_str(text).map_err(|error| {
        source.error(error.span().map(|span| span.start), error.message().replace('\n', ", "))
    })?;
    let mut places = Places::default();
    let mut nodes = Vec::new();
    for (name, host) in &raw.host {
        nodes.push((name.span().start, host_node(&source, &mut places, name, host)?));
    }
    for (name, router) in &raw.router {
        nodes.push((name.span().start, router_node(&source, &mut places, name, router)?));
    }
    nodes.sort_by_key(|(at, _)| *at);
    let mut switches: Vec<_> = raw.switch.keys().collect();
    switches.sort_by_key(|name| name.span().start);
    for name in &switches {
        places.put(format!("node {}", name.get_ref()), name);
    }
    let mut cables: Vec<_> = raw.link.iter().collect();
    cables.sort_by_key(|(name, _)| name.span().start);
    let links = cables
        .into_iter()
        .map(|(name, cable)| link(&source, &mut places, &raw, name, cable))
        .collect::<Result<_, _>>()?;
    let topology = Topology {
        name: raw.name.clone(),
        about: raw.about.clone(),
        nodes: nodes.into_iter().map(|(_, node)| node).collect(),
        switches: switches.into_iter().map(|name| name.get_ref().clone()).collect(),
        links,
        names: names(&source, &mut places, &raw.names)?,
    };
    check::check(&topology).map_err(|mistake| places.error(&source, &mistake.key, mistake.message))?;
    Ok(topology)
}

fn interface(
    source: &Source<'_>,
    places: &mut Places,
    node: &str,
    name: &str,
    addresses: &[Text],
) -> Result<Interface, TopologyError> {
    let networks: Vec<Network> = source.read_all(addresses)?;
    for (network, text) in networks.iter().zip(addresses) {
        places.put(format!("address {node} {name} {}", network.address), text);
    }
    Ok(Interface { name: name.to_owned(), addresses: networks })
}

fn gateways(
    source: &Source<'_>,
    places: &mut Places,
    node: &str,
    texts: &[Text],
) -> Result<Vec<IpAddr>, TopologyError> {
    let mut addresses = Vec::new();
    for (position, text) in texts.iter().enumerate() {
        addresses.push(source.address(text)?);
        places.put(format!("gateway {node} {position}"), text);
    }
    Ok(addresses)
}

fn host_node(
    source: &Source<'_>,
    places: &mut Places,
    name: &Text,
    host: &Host,
) -> Result<Node, TopologyError> {
    let node = name.get_ref();
    places.put(format!("node {node}"), name);
    places.put(format!("interface {node} eth0"), name);
    Ok(Node {
        name: node.clone(),
        kind: Kind::Host,
        interfaces: vec![interface(source, places, node, "eth0", &host.addresses)?],
        gateways: gateways(source, places, node, &host.gateways)?,
        rules_in: source.read_all(&host.rules_in)?,
        rules_out: source.read_all(&host.rules_out)?,
        rules_through: Vec::new(),
        serve: host.serve.clone(),
        nat: None,
        firewall: None,
        forwards: Vec::new(),
        hairpin: false,
    })
}

fn router_node(
    source: &Source<'_>,
    places: &mut Places,
    name: &Text,
    router: &Router,
) -> Result<Node, TopologyError> {
    let node = name.get_ref();
    places.put(format!("node {node}"), name);
    let mut names: Vec<_> = router.interfaces.iter().collect();
    names.sort_by_key(|(name, _)| name.span().start);
    let mut interfaces = Vec::new();
    for (name, addresses) in names {
        places.put(format!("interface {node} {}", name.get_ref()), name);
        interfaces.push(interface(source, places, node, name.get_ref(), addresses)?);
    }
    for (key, text) in [("nat", &router.nat), ("firewall", &router.firewall)] {
        if let Some(text) = text {
            places.put(format!("{key} {node}"), text);
        }
    }
    for (position, text) in router.forward.iter().enumerate() {
        places.put(format!("forward {node} {position}"), text);
    }
    Ok(Node {
        name: node.clone(),
        kind: Kind::Router,
        interfaces,
        gateways: gateways(source, places, node, &router.gateways)?,
        rules_in: source.read_all(&router.rules_in)?,
        rules_out: source.read_all(&router.rules_out)?,
        rules_through: source.read_all(&router.rules_through)?,
        serve: router.serve.clone(),
        nat: router.nat.as_ref().map(|text| text.get_ref().clone()),
        firewall: router.firewall.as_ref().map(|text| text.get_ref().clone()),
        forwards: source.read_all(&router.forward)?,
        hairpin: router.hairpin,
    })
}

fn link(
    source: &Source<'_>,
    places: &mut Places,
    raw: &File,
    name: &Text,
    cable: &Cable,
) -> Result<Link, TopologyError> {
    places.put(format!("link {}", name.get_ref()), name);
    if let Some(mtu) = &cable.mtu {
        places.put(format!("mtu {}", name.get_ref()), mtu);
    }
    let end = |position: usize, places: &mut Places| {
        let text = &cable.between[position];
        places.put(format!("end {} {position}", name.get_ref()), text);
        match text.get_ref().split_once('.') {
            Some((node, interface)) => End::Interface { node: node.into(), interface: interface.into() },
            None if raw.switch.keys().any(|switch| switch.get_ref() == text.get_ref()) => {
                End::Switch(text.get_ref().clone())
            }
            None => End::Interface { node: text.get_ref().clone(), interface: "eth0".into() },
        }
    };
    let ends = [end(0, places), end(1, places)];
    let settings = |own: &Option<Text>| -> Result<LinkSettings, TopologyError> {
        let mut settings = LinkSettings::default();
        for text in [&cable.both, own].into_iter().flatten() {
            settings = settings
                .merge(text.get_ref())
                .map_err(|error| source.error(Some(text.span().start), error.to_string()))?;
        }
        Ok(settings)
    };
    Ok(Link {
        name: name.get_ref().clone(),
        ends,
        mtu: cable.mtu.as_ref().map_or(1500, |mtu| *mtu.get_ref()),
        settings: [settings(&cable.there)?, settings(&cable.back)?],
        seed: cable.seed,
    })
}

fn names(source: &Source<'_>, places: &mut Places, raw: &NameTable) -> Result<Names, TopologyError> {
    let mut names = Names::default();
    if let Some(server) = &raw.server {
        places.put("name server".into(), server);
        names.server = Some(server.get_ref().clone());
    }
    for (name, addresses) in &raw.records {
        let addresses = addresses.iter().map(|text| source.address(text)).collect::<Result<_, _>>()?;
        let name_text = name.get_ref().trim_end_matches('.').to_ascii_lowercase();
        places.put(format!("record {name_text}"), name);
        names.records.insert(name_text, addresses);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &str = r#"
name = "pair"
[host.left]
addresses = ["192.0.2.1/24"]
[host.right]
addresses = ["192.0.2.2/24"]
[link.wire]
between = ["left", "right"]
"#;

    #[test]
    fn a_topology_keeps_the_order_of_its_file() {
        let topology = parse(&PAIR.replace("left", "zebra"), "pair.toml").expect("a topology");
        let names: Vec<_> = topology.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["zebra", "right"]);
        assert_eq!(topology.links[0].mtu, 1500);
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let lan = r#"
name = "lan"
[switch.lan]
[host.a]
addresses = ["192.0.2.1/24"]
gateways = ["192.0.2.254"]
[router.r]
interfaces = { lan = ["192.0.2.254/24"] }
[link.a]
between = ["a", "lan"]
[link.r]
between = ["r.lan", "lan"]
"#;
        parse(lan, "lan.toml").expect("the example itself is sound");
        for (text, from, to, line, word) in [
            (PAIR, "2.2/24", "2.1/24", 6, "already the address of left"),
            (PAIR, "2.2/24", "2.2/33", 6, "above 32"),
            (PAIR, "2.2/24", "2.2", 6, "prefix"),
            (PAIR, "\"right\"]", "\"wrong\"]", 8, "no host, router or switch is called wrong"),
            (PAIR, "between", "mtu = 40\nbetween", 8, "68"),
            (PAIR, "between", "both = \"los=5%\"\nbetween", 8, "los"),
            (PAIR, "between", "colour = 1\nbetween", 8, "unknown field"),
            (PAIR, "[link.wire]", "gateways = [\"10.0.0.1\"]\n[link.wire]", 7, "not on any network of right"),
            (PAIR, "[host.right]", "[host.left]", 5, "duplicate key"),
            (PAIR, "[link.wire]", "[names]\nserver = \"up\"\n[link.wire]", 8, "up"),
            (PAIR, "[host.right]", "[host.Right_]", 5, "Right_"),
            (PAIR, "[link.wire]", "in = [\"drop tcp x\"]\n[link.wire]", 7, "`x`"),
            (lan, "[\"192.0.2.254\"]", "[\"192.0.2.254\", \"192.0.2.253\"]", 6, "two IPv4 gateways"),
            (lan, "between = [\"r.lan\", \"lan\"]", "between = [\"r.wan\", \"lan\"]", 12, "no interface wan"),
            (lan, "between = [\"r.lan\", \"lan\"]", "between = [\"a\", \"lan\"]", 12, "already"),
            (lan, "[link.a]", "nat = \"wan\"\n[link.a]", 9, "no interface wan"),
            (lan, "[link.a]", "forward = [\"80 b\"]\n[link.a]", 9, "b"),
            (lan, "[link.r]\nbetween = [\"r.lan\", \"lan\"]", "", 8, "not plugged"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(text, changed, "{from} is not in the text");
            let error = parse(&changed, "x.toml").expect_err(to);
            assert!(error.message.contains(word), "{to}: {error}");
            assert_eq!(error.line, line, "{to}: {error}");
        }
    }
}
