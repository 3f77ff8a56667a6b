//! What `nft --stateless --handle list ruleset` prints, where the JSON lacks it: nft 1.0.6 gives neither the devices of a
//! chain nor the flags of a table there.

use std::collections::{HashMap, HashSet};

#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Each rule as nft prints it, by its chain and handle.
    pub(super) rules: HashMap<(String, u64), String>,
    /// The tables that are switched off (`flags dormant`).
    pub(super) dormant: HashSet<String>,
    /// Of each chain that is asked about these devices alone.
    pub(super) devices: HashMap<String, Vec<String>>,
}

impl Listing {
    pub(super) fn parse(listing: &str) -> Self {
        let mut found = Self::default();
        let (mut table, mut chain) = (String::new(), None);
        for line in listing.lines().map(str::trim) {
            let Some((line, handle)) = line.rsplit_once(" # handle ") else {
                if line == "}" {
                    chain = None;
                }
                found.property(line, &table, chain.as_ref());
                continue;
            };
            let words: Vec<&str> = line.split_whitespace().collect();
            match (words.as_slice(), &chain) {
                (["table", family, name, "{"], _) => table = format!("{family} {name}"),
                (["chain", name, "{"], _) => chain = Some(format!("{table} {name}")),
                (_, Some(chain)) => {
                    if let Ok(handle) = handle.parse() {
                        found.rules.insert((chain.clone(), handle), line.to_owned());
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// A line that is no rule: of a chain, or of the table.
    fn property(&mut self, line: &str, table: &str, chain: Option<&String>) {
        let flags = line.strip_prefix("flags ").unwrap_or_default();
        if flags.split(',').any(|flag| flag.trim() == "dormant") {
            self.dormant.insert(table.to_owned());
        }
        let devices = line
            .strip_prefix("type ")
            .and_then(|line| line.split_once(" device")?.1.split_once(" priority "));
        if let (Some(chain), Some((devices, _))) = (chain, devices) {
            // `device "lo"`, or `devices = { d0, lo }`.
            let names =
                devices.split([' ', ',', '{', '}', '=', '"']).filter(|name| !matches!(*name, "" | "s"));
            self.devices.insert(chain.clone(), names.map(str::to_owned).collect());
        }
    }
}
