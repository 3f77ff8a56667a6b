//! A topology is a value: what a lab consists of, before anything is built.

mod check;
mod draw;
mod file;
mod rule;
mod shipped;
mod svg;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::link::LinkSettings;

pub(crate) use self::check::{WIRES, is_host_name};
pub use self::rule::{Action, Chain, Forward, Protocol, Reject, Rule};
pub use self::shipped::{SHIPPED, Shipped};

/// A small internet: hosts, routers, switches, the links between them, and the names they know.
#[derive(Debug, Clone, PartialEq)]
pub struct Topology {
    /// Short name, as `home`.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// Hosts and routers, in the order of the file.
    pub nodes: Vec<Node>,
    /// Names of the switches, in the order of the file.
    pub switches: Vec<String>,
    /// Every link, in the order of the file.
    pub links: Vec<Link>,
    /// Who answers for names, and with what.
    pub names: Names,
}

/// A machine of the lab: its own network stack, addresses, firewall and routes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Host name; also the name of its network namespace.
    pub name: String,
    /// Whether it passes on what is not addressed to it.
    pub kind: Kind,
    /// A host has one, `eth0`; a router has as many as it joins networks.
    pub interfaces: Vec<Interface>,
    /// Default routes, at most one for each family.
    pub gateways: Vec<IpAddr>,
    /// Rules for what arrives for this machine itself.
    pub rules_in: Vec<Rule>,
    /// Rules for what this machine itself sends.
    pub rules_out: Vec<Rule>,
    /// Rules for what a router passes on, before its firewall decides.
    pub rules_through: Vec<Rule>,
    /// What `echoline serve` runs here, as `echo=:5151`.
    pub serve: Vec<String>,
    /// The interface behind which all others hide: what leaves by it gets its address.
    pub nat: Option<String>,
    /// The interface from which only answers, and what is forwarded, may come in.
    pub firewall: Option<String>,
    /// Ports of the outer address that lead to a host inside.
    pub forwards: Vec<Forward>,
    /// Whether hosts inside reach a forwarded port by the outer address, too.
    pub hairpin: bool,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sends and receives for itself.
    Host,
    /// Also passes on what others send.
    Router,
}

/// A network interface of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Interface {
    /// Name inside the node, as `eth0`, `lan` or `wan`.
    pub name: String,
    /// Addresses with the length of their network's prefix.
    pub addresses: Vec<Network>,
}

/// A cable: joins an interface to a switch, or two interfaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// Name by which it is cut, impaired and watched.
    pub name: String,
    /// The first end and the second end.
    pub ends: [End; 2],
    /// Largest packet in bytes.
    pub mtu: u32,
    /// From the first end to the second, and back.
    pub settings: [LinkSettings; 2],
    /// Decides the fate of the nth frame.
    pub seed: u64,
}

/// Where a link ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At a switch.
    Switch(String),
    /// At an interface of a node.
    Interface {
        /// The node.
        node: String,
        /// Its interface.
        interface: String,
    },
}

/// The names of the lab.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Names {
    /// The host on which the name server answers.
    pub server: Option<String>,
    /// Addresses of each name, in lower case without a final dot. Every node also has `NODE.lab.test`.
    pub records: BTreeMap<String, Vec<IpAddr>>,
}

/// An address and the length of its network's prefix, as `192.168.1.10/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    /// The address itself, host bits included.
    pub address: IpAddr,
    /// How many leading bits name the network.
    pub prefix: u8,
}

/// A topology that cannot be built, and where it says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", place(.file, *.line), one_line(.message))]
pub struct TopologyError {
    /// The file, or the name of a shipped topology.
    pub file: String,
    /// The line, from 1; 0 if no line can be named.
    pub line: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

fn place(file: &str, line: usize) -> String {
    let file = one_line(file);
    if line == 0 { file } else { format!("{file}:{line}") }
}

/// What the file says may stand in a message, and a file may say anything.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() { line.extend(char.escape_default()) } else { line.push(char) }
    }
    line
}

impl Topology {
    /// Reads and checks a topology; `file` is what errors call it.
    ///
    /// ```
    /// use echoline_lab::Topology;
    ///
    /// let text = r#"
    /// name = "pair"
    /// about = "Two hosts and a cable."
    /// host.left.addresses = ["192.0.2.1/24"]
    /// host.right.addresses = ["192.0.2.1/24"]
    /// link.wire.between = ["left", "right"]
    /// "#;
    /// let error = Topology::parse(text, "pair.toml").unwrap_err();
    /// assert_eq!(error.to_string(), "pair.toml:5: 192.0.2.1 of right is already the address of left on the same network");
    /// ```
    ///
    /// # Errors
    /// The first mistake: form, unknown or double names, addresses that clash, gateways out of reach.
    pub fn parse(text: &str, file: &str) -> Result<Self, TopologyError> {
        file::parse(text, file)
    }

    /// The shipped topology of this name.
    ///
    /// # Errors
    /// Names the shipped ones if there is none of this name.
    pub fn shipped(name: &str) -> Result<Self, TopologyError> {
        shipped::load(name)
    }

    /// The node of this name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The link of this name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The link that an interface is plugged into.
    #[must_use]
    pub fn link_at(&self, node: &str, interface: &str) -> Option<&Link> {
        self.links.iter().find(|link| {
            link.ends.iter().any(
                |end| matches!(end, End::Interface { node: n, interface: i } if n == node && i == interface),
            )
        })
    }

    /// What a host asks for names: the addresses of the name server, none if the lab has none.
    #[must_use]
    pub fn name_servers(&self) -> Vec<IpAddr> {
        let server = self.names.server.as_deref().and_then(|name| self.node(name));
        server.map(|node| node.addresses().collect()).unwrap_or_default()
    }

    /// Every name and its addresses: `NODE.lab.test`, and the records of the file, which win.
    #[must_use]
    pub fn all_names(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let mut all: BTreeMap<String, Vec<IpAddr>> = self
            .nodes
            .iter()
            .map(|node| (format!("{}.lab.test", node.name), node.addresses().collect()))
            .collect();
        all.extend(self.names.records.clone());
        all
    }
}

impl Node {
    /// Every address of every interface.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.interfaces.iter().flat_map(|interface| interface.addresses.iter().map(|network| network.address))
    }

    /// The interface of this name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }
}

impl Network {
    /// Whether an address lies in this network.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => {
                let drop = 32 - u32::from(self.prefix.min(32));
                u32::from(ours).checked_shr(drop) == u32::from(other).checked_shr(drop)
            }
            (IpAddr::V6(ours), IpAddr::V6(other)) => {
                let drop = 128 - u32::from(self.prefix.min(128));
                u128::from(ours).checked_shr(drop) == u128::from(other).checked_shr(drop)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no address with a prefix, such as 192.168.1.10/24 or 2001:db8::10/64");
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix.parse().map_err(|_| wrong())?;
        if prefix > longest {
            return Err(format!("the prefix of `{text}` is above {longest}"));
        }
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Link {
    /// Which of the ends is at an interface; the first, if both are.
    #[must_use]
    pub fn interface_end(&self) -> usize {
        usize::from(!matches!(self.ends[0], End::Interface { .. }))
    }
}

impl End {
    /// The switch or node that it belongs to.
    #[must_use]
    pub fn owner(&self) -> &str {
        match self {
            Self::Switch(name) | Self::Interface { node: name, .. } => name,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(name) => f.write_str(name),
            Self::Interface { node, interface } if interface == "eth0" => f.write_str(node),
            Self::Interface { node, interface } => write!(f, "{node}.{interface}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Router => "router",
        })
    }
}
