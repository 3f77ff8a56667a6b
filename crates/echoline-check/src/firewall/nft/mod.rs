//! The rules of nftables, as `nft --json list ruleset` prints them (libnftables-json(5)).

mod listing;
mod rule;

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::{Action, Base, Chain, Chains, Packet, Question, Truth, Way};
use crate::evidence::Stop;
use listing::Listing;
use rule::Reader;

/// The tables of the family (`ip`, `ip6`) that iptables-nft wrote in a way that only iptables can read.
pub(crate) fn tables_of_iptables<'a>(ruleset: &'a Value, family: &str) -> BTreeSet<&'a str> {
    let foreign = objects(ruleset, "rule").filter(|rule| speaks_xt(rule) && text(rule, "family") == family);
    foreign.map(|rule| text(rule, "table")).collect()
}

fn speaks_xt(rule: &Value) -> bool {
    rule["expr"].as_array().into_iter().flatten().any(|expr| expr.get("xt").is_some())
}

fn objects<'a>(ruleset: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    ruleset["nftables"].as_array().into_iter().flatten().filter_map(move |object| object.get(kind))
}

/// The chains that a packet meets. `listing` is what `nft -a list ruleset` prints: the rules as a person knows them.
///
/// Tables whose rules only iptables can read are left out.
pub(crate) fn parse(ruleset: &Value, listing: &str, packet: Packet<'_>, question: Question) -> Chains {
    let foreign: Vec<String> = objects(ruleset, "rule").filter(|rule| speaks_xt(rule)).map(table).collect();
    let listing = Listing::parse(listing);
    let mine = |object: &&Value| {
        let table = table(object);
        family_fits(text(object, "family"), packet)
            && !foreign.contains(&table)
            && !listing.dormant.contains(&table)
    };
    let sets = objects(ruleset, "set").chain(objects(ruleset, "map")).filter(mine);
    let sets = sets.map(|set| (format!("{} @{}", table(set), text(set, "name")), &set["elem"])).collect();
    let mut chains: Chains = objects(ruleset, "chain")
        .filter(mine)
        .map(|chain| {
            (
                key(chain, text(chain, "name")),
                Chain { base: base(chain, &listing, packet, question), rules: Vec::new() },
            )
        })
        .collect();
    for rule in objects(ruleset, "rule").filter(mine) {
        let chain = text(rule, "chain");
        let handle = rule["handle"].as_u64().unwrap_or_default();
        let shown = listing.rules.get(&(key(rule, chain), handle)).cloned();
        let reader = Reader { packet, sets: &sets, table: table(rule) };
        let shown =
            shown.unwrap_or_else(|| format!("rule {handle} of chain {chain} in table {}", table(rule)));
        if let Some(chain) = chains.get_mut(&key(rule, chain)) {
            chain.rules.extend(reader.rules(&rule["expr"], &shown));
        }
    }
    chains
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn table(object: &Value) -> String {
    let name = object.get("table").and_then(Value::as_str).unwrap_or_default();
    format!("{} {name}", text(object, "family"))
}

fn key(object: &Value, chain: &str) -> String {
    format!("{} {chain}", table(object))
}

fn family_fits(family: &str, packet: Packet<'_>) -> bool {
    match family {
        "ip" => packet.ipv4,
        "ip6" => !packet.ipv4,
        "inet" => true,
        "netdev" => packet.way == Way::In,
        _ => false,
    }
}

/// Where the kernel begins with this packet, if it does here.
fn base(chain: &Value, listing: &Listing, packet: Packet<'_>, question: Question) -> Option<Base> {
    let hook = chain["hook"].as_str()?;
    let here = match packet.way {
        Way::In if question == Question::Nat => hook == "prerouting",
        Way::In => matches!(hook, "ingress" | "prerouting" | "input"),
        Way::Out => matches!(hook, "output" | "postrouting" | "egress"),
    };
    let is_nat = text(chain, "type") == "nat";
    if !here || is_nat != (question == Question::Nat) {
        return None;
    }
    let met = match hook {
        "ingress" | "egress" => through(packet.interface, devices(chain, listing).as_deref()),
        _ => Truth::Yes,
    };
    // The hooks come one after the other, whatever the priorities are.
    let order = if matches!(hook, "ingress" | "prerouting" | "output") { 0 } else { 1 << 40 };
    let policy = if text(chain, "policy") == "drop" { Action::Stop(Stop::Drop) } else { Action::Accept };
    let name = format!("chain {} of nftables table {}", text(chain, "name"), table(chain));
    Some(Base { met, priority: order + chain["prio"].as_i64().unwrap_or_default(), policy, name })
}

fn devices(chain: &Value, listing: &Listing) -> Option<Vec<String>> {
    match &chain["dev"] {
        Value::String(device) => Some(vec![device.clone()]),
        Value::Array(devices) => devices.iter().map(|device| device.as_str().map(str::to_owned)).collect(),
        _ => listing.devices.get(&key(chain, text(chain, "name"))).cloned(),
    }
}

/// Does it pass one of the devices? Another name is no proof that it does not: a bridge or a VLAN lies on top of
/// others, and an address is also reached through other interfaces than its own.
fn through(interface: Option<&str>, devices: Option<&[String]>) -> Truth {
    let Some(devices) = devices else { return Truth::Perhaps };
    match interface {
        Some(interface) if devices.iter().any(|device| device == interface) => Truth::Yes,
        Some("lo") => Truth::No,
        _ if devices.iter().all(|device| device == "lo") => Truth::No,
        _ => Truth::Perhaps,
    }
}
