//! A topology as a drawing in text: a tree from the switch that most hangs on, then links, names and rules.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{End, Kind, Node, Topology};

/// One thing of the tree, with what hangs on it.
pub(super) struct Branch<'a> {
    pub(super) thing: Thing<'a>,
    /// The link that leads here, with the end that is here.
    pub(super) by: Option<(&'a str, &'a End)>,
    pub(super) below: Vec<Branch<'a>>,
}

#[derive(Clone, Copy)]
pub(super) enum Thing<'a> {
    Node(&'a Node),
    Switch(&'a str),
}

impl Topology {
    /// The drawing, a screen wide, with addresses, links, names and rules.
    #[must_use]
    pub fn drawing(&self) -> String {
        let mut text = format!("{}: {}\n\n", self.name, self.about);
        for tree in self.trees() {
            draw(&mut text, &tree, "", "");
        }
        // Writing to a string cannot fail.
        let _ = self.write_links(&mut text).and_then(|()| self.write_names(&mut text));
        let _ = self.write_rules(&mut text);
        text
    }

    /// Every part once, as trees: more than one where parts are not joined.
    pub(super) fn trees(&self) -> Vec<Branch<'_>> {
        let mut seen = BTreeSet::new();
        let mut trees = Vec::new();
        let mut roots: Vec<&str> = self.root().into_iter().collect();
        roots.extend(self.switches.iter().map(String::as_str));
        roots.extend(self.nodes.iter().map(|node| node.name.as_str()));
        for root in roots {
            if seen.insert(root.to_owned()) {
                trees.push(self.branch(root, None, &mut seen));
            }
        }
        trees
    }

    /// The switch of the name server: in most networks what others call the internet.
    fn root(&self) -> Option<&str> {
        let server = self.names.server.as_deref()?;
        let links = self.links.iter().filter(|link| link.ends.iter().any(|end| end.owner() == server));
        links.flat_map(|link| &link.ends).find_map(|end| match end {
            End::Switch(name) => Some(name.as_str()),
            End::Interface { .. } => None,
        })
    }

    fn branch<'a>(
        &'a self,
        name: &str,
        by: Option<(&'a str, &'a End)>,
        seen: &mut BTreeSet<String>,
    ) -> Branch<'a> {
        let thing = match self.node(name) {
            Some(node) => Thing::Node(node),
            None => Thing::Switch(self.switches.iter().find(|switch| *switch == name).map_or("", |s| s)),
        };
        let mut below = Vec::new();
        for link in &self.links {
            let [a, b] = &link.ends;
            let other = match (a.owner() == name, b.owner() == name) {
                (true, false) => b,
                (false, true) => a,
                _ => continue,
            };
            if seen.insert(other.owner().to_owned()) {
                below.push(self.branch(other.owner(), Some((&link.name, other)), seen));
            }
        }
        Branch { thing, by, below }
    }

    fn write_links(&self, text: &mut String) -> std::fmt::Result {
        text.push('\n');
        let mut head = "links";
        for link in &self.links {
            let [a, b] = &link.ends;
            write!(text, "{head:<8}{:<10} {a} - {b}", link.name)?;
            head = "";
            if link.mtu != 1500 {
                write!(text, "  mtu={}", link.mtu)?;
            }
            match &link.settings {
                [there, back] if there == back && there.is_clean() => {}
                [there, back] if there == back => write!(text, "  {there}")?,
                [there, back] => write!(text, "  there: {there}; back: {back}")?,
            }
            text.push('\n');
        }
        Ok(())
    }

    fn write_names(&self, text: &mut String) -> std::fmt::Result {
        let Some(server) = &self.names.server else { return writeln!(text, "names   none") };
        let mut head = "names";
        for (name, addresses) in &self.names.records {
            writeln!(text, "{head:<8}{name:<16} {}", join(addresses))?;
            head = "";
        }
        writeln!(text, "{head:<8}HOST.lab.test    each host's own addresses; {server} answers")
    }

    fn write_rules(&self, text: &mut String) -> std::fmt::Result {
        let mut head = "rules";
        for node in &self.nodes {
            for rule in rules(node) {
                writeln!(text, "{head:<8}{:<10} {rule}", node.name)?;
                head = "";
            }
        }
        Ok(())
    }
}

/// What a node does to packets, a sentence each.
pub(super) fn rules(node: &Node) -> Vec<String> {
    let mut all = Vec::new();
    for (chain, rules) in [("in", &node.rules_in), ("out", &node.rules_out), ("through", &node.rules_through)]
    {
        all.extend(rules.iter().map(|rule| format!("{chain}: {rule}")));
    }
    if let Some(outside) = &node.firewall {
        all.push(format!("by {outside} only answers come in, and what is forwarded"));
    }
    if let Some(outside) = &node.nat {
        all.push(format!("what leaves by {outside} over IPv4 gets the address of {outside}"));
    }
    all.extend(node.forwards.iter().map(|forward| format!("forward {forward}")));
    all
}

fn join(addresses: &[std::net::IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn draw(text: &mut String, branch: &Branch<'_>, first: &str, rest: &str) {
    let arrives = match branch.by {
        Some((_, End::Interface { interface, .. })) => Some(interface.as_str()),
        _ => None,
    };
    match branch.thing {
        Thing::Switch(name) => {
            let _ = writeln!(text, "{first}[{name}]");
        }
        Thing::Node(node) => {
            let shown = |name: &str| if node.kind == Kind::Host { String::new() } else { format!("{name} ") };
            // The interface that the eye arrives by stands first.
            let mut interfaces: Vec<_> = node.interfaces.iter().collect();
            interfaces.sort_by_key(|interface| Some(interface.name.as_str()) != arrives);
            let parts: Vec<_> = interfaces
                .iter()
                .map(|interface| {
                    let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
                    format!("{}{}", shown(&interface.name), addresses.join(" "))
                })
                .collect();
            let _ = write!(text, "{first}{:<8} {}", node.name, parts.join(" | "));
            for word in words(node) {
                let _ = write!(text, "  ({word})");
            }
            text.push('\n');
        }
    }
    for (number, next) in branch.below.iter().enumerate() {
        let (corner, bar) =
            if number + 1 == branch.below.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw(text, next, &format!("{rest}{corner}"), &format!("{rest}{bar}"));
    }
}

/// What a node is for, in words.
pub(super) fn words(node: &Node) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(node.nat.as_ref().map(|_| "NAT".to_owned()));
    words.extend(node.firewall.as_ref().map(|_| "firewall".to_owned()));
    if !node.serve.is_empty() {
        words.push(format!("serves {}", node.serve.join(" ")));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_of_home_shows_every_host_once_behind_its_router() {
        let text = Topology::shipped("home").expect("shipped").drawing();
        let tree = "\
[internet]
├─ router   wan 203.0.113.2/24 2001:db8::2/64 | lan 192.168.1.1/24 2001:db8:1::1/64  (NAT)  (firewall)
│  └─ [lan]
│     ├─ laptop   192.168.1.10/24 2001:db8:1::10/64
│     └─ desktop  192.168.1.11/24 2001:db8:1::11/64  (serves echo=:5151)
├─ server   203.0.113.10/24 2001:db8::10/64  (serves echo=:5151)
└─ dns      203.0.113.53/24 2001:db8::53/64
";
        assert!(text.contains(tree), "{text}");
        assert!(text.contains("echo.lab.test    203.0.113.10 2001:db8::10"), "{text}");
    }

    #[test]
    fn every_shipped_topology_draws_all_its_parts() {
        for shipped in super::super::SHIPPED {
            let topology = Topology::shipped(shipped.name).expect("shipped");
            let text = topology.drawing();
            for name in
                topology.nodes.iter().map(|node| &node.name).chain(topology.links.iter().map(|l| &l.name))
            {
                assert!(text.contains(name), "{name} in {text}");
            }
        }
    }
}
