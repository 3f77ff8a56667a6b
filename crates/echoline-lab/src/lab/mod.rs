//! A lab that runs.

mod apply;
mod cables;
mod servers;

use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::apply::Tools;
use self::cables::Cables;
use self::servers::Servers;
use crate::change::{Change, NamesChange};
use crate::enter::Inside;
use crate::error::LabError;
use crate::names::{NameServer, Zone};
use crate::place;
use crate::plan;
use crate::topology::{Chain, End, Forward, Kind, Link, Network, Node, Rule, Topology};
use crate::watch::{Port, Watch};

pub use self::apply::Explain;

/// A small internet that runs until it is dropped, or the process ends.
///
/// One at a time in a process: namespaces are named after hosts.
pub struct Lab {
    topology: Topology,
    tools: Tools,
    state: Mutex<State>,
}

/// How a lab is built.
#[derive(Default)]
pub struct Options {
    /// Told each command as it is applied, in the form in which a person would type it.
    pub explain: Option<Explain>,
    /// The `echoline` program: it runs as the servers of the topology, and hosts find it on their PATH. Without it,
    /// no server runs.
    pub program: Option<PathBuf>,
}

/// What changes while the lab runs. Fields end in this order: servers first.
#[derive(Default)]
struct State {
    servers: Servers,
    names: Option<NameServer>,
    cables: Cables,
    /// Forwards of each router, those of the topology included: they follow a change of the outer address.
    forwards: Vec<(String, Forward)>,
    /// Addresses that replaced those of the topology.
    moved: Vec<(String, String, Network)>,
}

impl Lab {
    /// Builds a topology in the namespaces of this process, with its names and servers.
    ///
    /// # Errors
    /// Tools that are missing, commands that fail, servers that do not start; each with what was said.
    pub fn build(_inside: &Inside, topology: &Topology, options: Options) -> Result<Self, LabError> {
        let tools = Tools::new(options.explain)?;
        // From here on, dropping the lab takes back what was built so far.
        let lab = Self { topology: topology.clone(), tools, state: Mutex::default() };
        lab.tools.apply(&plan::plan(topology))?;
        place::write_files(topology)?;
        let mut state = lab.state();
        state.cables = Cables::start(topology, &lab.tools)?;
        for node in &topology.nodes {
            for forward in &node.forwards {
                lab.add_forward(&mut state, node, forward)?;
            }
        }
        state.names = lab.start_names()?;
        if let Some(program) = &options.program {
            servers::offer(program)?;
            state.servers = Servers::start(topology, program)?;
        }
        drop(state);
        Ok(lab)
    }

    fn start_names(&self) -> Result<Option<NameServer>, LabError> {
        let Some(node) = self.topology.names.server.as_deref().and_then(|name| self.topology.node(name))
        else {
            return Ok(None);
        };
        let addresses: Vec<_> = node.addresses().collect();
        let zone = Zone { records: self.topology.all_names(), ..Zone::default() };
        let started = place::on(&node.name, || NameServer::start(&addresses, zone))?;
        started.map(Some).map_err(|e| LabError::io(format!("start the name server on {}", node.name), e))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a change leaves at worst that change undone.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The topology that was built.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Runs a job on a fresh thread of a host. Sockets that it makes stay that host's, wherever they are used.
    ///
    /// Names resolve as outside the lab: glibc reads its configuration once a process. Use [`Lab::spawn`] for them.
    ///
    /// # Errors
    /// No such host.
    pub fn on<T: Send>(&self, host: &str, job: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        place::on(&self.known(host)?.name, job)
    }

    /// Starts a command on a host: its network, its host name, its names.
    ///
    /// # Errors
    /// No such host; a command that cannot be started.
    pub fn spawn(&self, host: &str, command: &mut Command) -> Result<Child, LabError> {
        place::spawn(&self.known(host)?.name, command)
    }

    /// Changes the lab while it runs; returns the commands that did it, as a person would type them.
    ///
    /// # Errors
    /// Names that the lab does not have, and commands that fail.
    pub fn change(&self, change: &Change) -> Result<Vec<String>, LabError> {
        let mut state = self.state();
        self.tools.take_applied();
        self.apply(&mut state, change)?;
        Ok(self.tools.take_applied())
    }

    fn apply(&self, state: &mut State, change: &Change) -> Result<(), LabError> {
        match change {
            Change::Link { name, to } => state.cables.change(name, to, &self.tools),
            Change::Firewall { host, rule } => self.change_firewall(state, self.known(host)?, rule.as_ref()),
            Change::Forward { router, forward } => self.add_forward(state, self.known(router)?, forward),
            Change::Address { node, interface, address } => {
                self.change_address(state, self.known(node)?, interface, *address)
            }
            Change::Names(names) => change_names(state, names),
        }
    }

    fn change_firewall(
        &self,
        state: &State,
        node: &Node,
        rule: Option<&(Chain, Rule)>,
    ) -> Result<(), LabError> {
        match rule {
            Some((Chain::Through, _)) if node.kind == Kind::Host => {
                Err(LabError::BadChange(format!("{} is no router: nothing passes through it", node.name)))
            }
            Some((chain, rule)) => {
                let chain = chain.nft();
                // Adding a chain that exists changes nothing, its policy neither.
                let text = format!(
                    "add table inet lab\nadd chain inet lab {chain} \
                     {{ type filter hook {chain} priority filter; }}\ninsert rule inet lab {chain} {}\n",
                    rule.nft()
                );
                self.tools.nft(&node.name, &text)
            }
            None => {
                let text = format!("add table inet lab\ndelete table inet lab\n{}", plan::ruleset(node));
                self.tools.nft(&node.name, &text)?;
                let own = state.forwards.iter().filter(|(router, _)| *router == node.name);
                own.clone().try_for_each(|(_, forward)| self.apply_forward(state, node, forward))
            }
        }
    }

    fn add_forward(&self, state: &mut State, router: &Node, forward: &Forward) -> Result<(), LabError> {
        self.apply_forward(state, router, forward)?;
        state.forwards.push((router.name.clone(), forward.clone()));
        Ok(())
    }

    fn apply_forward(&self, state: &State, router: &Node, forward: &Forward) -> Result<(), LabError> {
        if router.nat.is_none() {
            return Err(LabError::BadChange(format!(
                "{} translates no addresses: `nat` is not set",
                router.name
            )));
        }
        let host = self.known(&forward.host)?;
        let Some(target) = host.addresses().find(std::net::IpAddr::is_ipv4) else {
            return Err(LabError::BadChange(format!("{} has no IPv4 address to forward to", host.name)));
        };
        let router = &state.as_it_is(router);
        let rules = plan::forward_rules(router, forward.port, target, forward.host_port);
        let text: String = rules.iter().map(|rule| format!("add rule inet lab pre {rule}\n")).collect();
        self.tools.nft(&router.name, &text)
    }

    fn change_address(
        &self,
        state: &mut State,
        node: &Node,
        interface: &str,
        address: Network,
    ) -> Result<(), LabError> {
        if node.interface(interface).is_none() {
            let known = node.interfaces.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(LabError::Unknown { what: "interface", name: interface.into(), known });
        }
        let (family, all) = if address.address.is_ipv4() { ("-4", "default") } else { ("-6", "::/0") };
        let nodad = if address.address.is_ipv6() { " nodad" } else { "" };
        let flush = if family == "-4" { "0.0.0.0/0" } else { "::/0" };
        let mut lines = vec![
            format!("addr flush dev {interface} to {flush} scope global"),
            format!("addr add {address} dev {interface}{nodad}"),
        ];
        // The route went with the address that it used.
        let gateway = node.gateways.iter().find(|gateway| address.contains(**gateway));
        lines.extend(gateway.map(|gateway| format!("route replace {all} via {gateway}")));
        self.tools.ip(&node.name, &lines)?;
        state.moved.push((node.name.clone(), interface.to_owned(), address));
        if node.nat.as_deref() == Some(interface) {
            self.tools.nft(&node.name, "flush chain inet lab pre\n")?;
            let own = state.forwards.iter().filter(|(router, _)| *router == node.name);
            own.clone().try_for_each(|(_, forward)| self.apply_forward(state, node, forward))?;
        }
        Ok(())
    }

    /// Hears what passes these links; without names, those at routers, or else all.
    ///
    /// # Errors
    /// No link of that name.
    pub fn watch(&self, links: &[String]) -> Result<Watch, LabError> {
        Watch::start(self.ports(links)?)
    }

    /// Where links are heard: at the end that leads to an interface, before any impairment of what it sends.
    pub(crate) fn ports(&self, links: &[String]) -> Result<Vec<Port>, LabError> {
        let all = &self.topology.links;
        let at_router = |link: &&Link| {
            let router =
                |end: &End| self.topology.node(end.owner()).is_some_and(|node| node.kind == Kind::Router);
            link.ends.iter().any(router)
        };
        let chosen: Vec<&Link> = match links {
            [] if all.iter().any(|link| at_router(&link)) => all.iter().filter(at_router).collect(),
            [] => all.iter().collect(),
            names => {
                let known = || all.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(", ");
                let find = |name: &String| {
                    let unknown = || LabError::Unknown { what: "link", name: name.clone(), known: known() };
                    self.topology.link(name).ok_or_else(unknown)
                };
                names.iter().map(find).collect::<Result<_, _>>()?
            }
        };
        let port =
            |link: &Link| Port { link: link.name.clone(), interface: plan::port(link, link.interface_end()) };
        Ok(chosen.into_iter().map(port).collect())
    }

    fn known(&self, host: &str) -> Result<&Node, LabError> {
        self.topology.node(host).ok_or_else(|| {
            let known: Vec<_> = self.topology.nodes.iter().map(|node| node.name.as_str()).collect();
            LabError::Unknown { what: "host", name: host.into(), known: known.join(", ") }
        })
    }
}

impl State {
    /// A node with the addresses that it has by now.
    fn as_it_is(&self, node: &Node) -> Node {
        let mut node = node.clone();
        for (_, interface, address) in self.moved.iter().filter(|(name, ..)| *name == node.name) {
            if let Some(interface) = node.interfaces.iter_mut().find(|i| i.name == *interface) {
                interface.addresses.retain(|old| old.address.is_ipv4() != address.address.is_ipv4());
                interface.addresses.push(*address);
            }
        }
        node
    }
}

fn change_names(state: &State, change: &NamesChange) -> Result<(), LabError> {
    let Some(names) = &state.names else {
        return Err(LabError::BadChange("this lab has no name server".into()));
    };
    let mut zone = names.zone();
    match change {
        NamesChange::Manner(manner) => zone.manner = *manner,
        NamesChange::Delay(delay) => zone.delay = *delay,
        NamesChange::Set(name, addresses) => {
            zone.records.insert(name.clone(), addresses.clone());
        }
        NamesChange::Remove(name) => {
            if zone.records.remove(name).is_none() {
                let known = zone.records.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(LabError::Unknown { what: "name", name: name.clone(), known });
            }
        }
    }
    Ok(())
}

impl Drop for Lab {
    fn drop(&mut self) {
        *self.state() = State::default();
        place::forget(&self.topology);
    }
}
