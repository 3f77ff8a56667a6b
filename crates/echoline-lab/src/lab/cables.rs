//! Links while the lab runs: each crosses a bridge of the kernel until something is to happen to its frames.

use std::collections::BTreeMap;

use super::apply::Tools;
use crate::change::LinkChange;
use crate::error::LabError;
use crate::link::{Direction, Forwarder, ForwarderConfig, LinkSettings, offload_off};
use crate::place;
use crate::plan::{self, bridge, inner_port, port};
use crate::topology::{End, Link, Topology, WIRES};

/// The state of every link.
#[derive(Default)]
pub(crate) struct Cables {
    links: BTreeMap<String, Cable>,
}

struct Cable {
    link: Link,
    number: usize,
    settings: [LinkSettings; 2],
    /// Joins the two ends in place of the bridge, as long as settings ask for it.
    forwarder: Option<Forwarder>,
    cut: bool,
}

impl Cables {
    /// Takes over links that were built as bridged ones, and impairs those whose settings say so.
    pub(crate) fn start(topology: &Topology, tools: &Tools) -> Result<Self, LabError> {
        let mut cables = Self::default();
        for (number, link) in topology.links.iter().enumerate() {
            let settings = link.settings.clone();
            let mut cable = Cable { link: link.clone(), number, settings, forwarder: None, cut: false };
            cable.settle(tools)?;
            cables.links.insert(link.name.clone(), cable);
        }
        Ok(cables)
    }

    pub(crate) fn change(&mut self, name: &str, to: &LinkChange, tools: &Tools) -> Result<(), LabError> {
        let known = self.links.keys().cloned().collect::<Vec<_>>().join(", ");
        let unknown = || LabError::Unknown { what: "link", name: name.into(), known };
        let cable = self.links.get_mut(name).ok_or_else(unknown)?;
        match to {
            LinkChange::Cut => cable.set_cut(true, tools),
            LinkChange::Mend => cable.set_cut(false, tools),
            LinkChange::Mtu(mtu) => cable.set_mtu(*mtu, tools),
            LinkChange::Settings { there, back, settings } => {
                for (position, wanted) in [there, back].into_iter().enumerate() {
                    if *wanted {
                        settings.iter().for_each(|setting| cable.settings[position].apply(setting));
                    }
                }
                cable.settle(tools)
            }
        }
    }
}

impl Cable {
    /// Makes the link behave as its settings say.
    fn settle(&mut self, tools: &Tools) -> Result<(), LabError> {
        let clean = self.settings.iter().all(LinkSettings::is_clean);
        match &self.forwarder {
            None if clean => Ok(()),
            None => self.splice(tools),
            // A cut is the forwarder's by now, and stays with it.
            Some(_) if clean && !self.cut => self.unsplice(tools),
            Some(forwarder) => {
                forwarder.set(Direction::AToB, self.settings[0].clone());
                forwarder.set(Direction::BToA, self.settings[1].clone());
                Ok(())
            }
        }
    }

    /// Gives the ends back to their bridge.
    fn unsplice(&mut self, tools: &Tools) -> Result<(), LabError> {
        self.forwarder = None;
        let link = &self.link;
        let line = |(position, end): (usize, &End)| match end {
            End::Interface { .. } => format!("link set {} master {}", port(link, position), bridge(link)),
            End::Switch(_) => format!("link del {}", port(link, position)),
        };
        let lines: Vec<_> = link.ends.iter().enumerate().map(line).collect();
        tools.ip(WIRES, &lines)
    }

    /// Takes the ends off their bridge and joins them by a program of ours.
    fn splice(&mut self, tools: &Tools) -> Result<(), LabError> {
        let link = &self.link;
        let ports = [port(link, 0), port(link, 1)];
        let mut lines = Vec::new();
        for (position, end) in link.ends.iter().enumerate() {
            match end {
                End::Interface { .. } => lines.push(format!("link set {} nomaster", ports[position])),
                End::Switch(switch) => {
                    let (outer, inner) = (&ports[position], inner_port(link));
                    let (index, mtu) = (plan::index(self.number, position), link.mtu);
                    lines.push(format!(
                        "link add {outer} index {index} mtu {mtu} type veth peer name {inner} mtu {mtu}"
                    ));
                    lines.push(format!("link set {outer} up"));
                    lines.push(format!("link set {inner} master {switch} up"));
                }
            }
        }
        tools.ip(WIRES, &lines)?;
        for end in &link.ends {
            let (where_to, interface) = match end {
                End::Interface { node, interface } => (node.as_str(), interface.clone()),
                End::Switch(_) => (WIRES, inner_port(link)),
            };
            // Frames that a program carries must be whole: no checksum is left for the hardware to finish.
            place::on(where_to, || offload_off(&interface))?
                .map_err(|e| LabError::io(format!("switch offloads of {interface} on {where_to} off"), e))?;
        }
        let [a, b] = ports;
        let config = ForwarderConfig { a, b, settings: self.settings.clone(), seed: link.seed };
        let started = place::on(WIRES, || Forwarder::start(config))?;
        let forwarder = started.map_err(|e| LabError::io(format!("carry the link {}", link.name), e))?;
        forwarder.cut(self.cut);
        self.forwarder = Some(forwarder);
        Ok(())
    }

    /// A cut link takes every frame and passes none on, as a cable cut far away does.
    fn set_cut(&mut self, cut: bool, tools: &Tools) -> Result<(), LabError> {
        self.cut = cut;
        if let Some(forwarder) = &self.forwarder {
            forwarder.cut(cut);
            return self.settle(tools);
        }
        let port = port(&self.link, self.link.interface_end());
        let line = match cut {
            true => format!("link set {port} nomaster"),
            false => format!("link set {port} master {}", bridge(&self.link)),
        };
        tools.ip(WIRES, &[line])
    }

    fn set_mtu(&mut self, mtu: u32, tools: &Tools) -> Result<(), LabError> {
        for end in &self.link.ends {
            if let End::Interface { node, interface } = end {
                tools.ip(node, &[format!("link set {interface} mtu {mtu}")])?;
            }
        }
        Ok(())
    }
}
