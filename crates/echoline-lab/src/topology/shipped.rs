//! The topologies that come with the lab.

use super::{Topology, TopologyError};

/// A topology that comes with the lab.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// Its name, as `home`.
    pub name: &'static str,
    /// Its file; copy it to start one of your own.
    pub text: &'static str,
}

/// All of them, simplest first.
pub const SHIPPED: &[Shipped] = &[
    Shipped { name: "pair", text: include_str!("../../topologies/pair.toml") },
    Shipped { name: "home", text: include_str!("../../topologies/home.toml") },
    Shipped { name: "campus", text: include_str!("../../topologies/campus.toml") },
    Shipped { name: "double-nat", text: include_str!("../../topologies/double-nat.toml") },
    Shipped { name: "bad-link", text: include_str!("../../topologies/bad-link.toml") },
];

pub(super) fn load(name: &str) -> Result<Topology, TopologyError> {
    match SHIPPED.iter().find(|shipped| shipped.name == name) {
        Some(shipped) => Topology::parse(shipped.text, name),
        None => {
            let names: Vec<_> = SHIPPED.iter().map(|shipped| shipped.name).collect();
            let message = format!("no such topology: it is one of {}, or a FILE.toml", names.join(", "));
            // Nothing would be seen of a name that is empty.
            let file = if name.is_empty() { "``" } else { name };
            Err(TopologyError { file: file.to_owned(), line: 0, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_topology_is_sound_and_bears_its_name() {
        for shipped in SHIPPED {
            let topology = load(shipped.name).expect(shipped.name);
            assert_eq!(topology.name, shipped.name);
            assert!(topology.about.ends_with('.'), "{}", shipped.name);
        }
    }

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = load("hom").expect_err("hom is not shipped").to_string();
        assert_eq!(
            error,
            "hom: no such topology: it is one of pair, home, campus, double-nat, bad-link, or a FILE.toml"
        );
        assert!(
            load("").expect_err("nothing is not shipped").to_string().starts_with("``: no such topology")
        );
    }
}
