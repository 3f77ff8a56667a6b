//! The rules of nftables, as `nft --json list ruleset` prints them (libnftables-json(5)).

use super::{Action, Base, Chain, Chains, Packet, Question, Rule, Stop, Truth, Way};
use serde_json::Value;
use std::collections::HashMap;
use std::net::IpAddr;

/// Are some of the rules written by iptables-nft in a way that only iptables can read?
pub(in crate::check) fn is_iptables(ruleset: &Value) -> bool {
    objects(ruleset, "rule").any(speaks_xt)
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
pub(in crate::check) fn parse(
    ruleset: &Value,
    listing: &str,
    packet: Packet<'_>,
    question: Question,
) -> Chains {
    let foreign: Vec<String> = objects(ruleset, "rule").filter(|rule| speaks_xt(rule)).map(table).collect();
    let mine =
        |object: &&Value| family_fits(text(object, "family"), packet) && !foreign.contains(&table(object));
    let sets = objects(ruleset, "set").chain(objects(ruleset, "map")).filter(mine);
    let sets = sets.map(|set| (format!("{} @{}", table(set), text(set, "name")), &set["elem"])).collect();
    let texts = texts(listing);
    let mut chains: Chains = objects(ruleset, "chain")
        .filter(mine)
        .map(|chain| {
            (
                key(chain, text(chain, "name")),
                Chain { base: base(chain, packet, question), rules: Vec::new() },
            )
        })
        .collect();
    for rule in objects(ruleset, "rule").filter(mine) {
        let chain = text(rule, "chain");
        let handle = rule["handle"].as_u64().unwrap_or_default();
        let shown = texts.get(&(key(rule, chain), handle)).cloned();
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
fn base(chain: &Value, packet: Packet<'_>, question: Question) -> Option<Base> {
    let hook = chain["hook"].as_str()?;
    let met = match packet.way {
        Way::In if question == Question::Nat => hook == "prerouting",
        Way::In => matches!(hook, "ingress" | "prerouting" | "input"),
        Way::Out => matches!(hook, "output" | "postrouting" | "egress"),
    };
    let kind = if question == Question::Nat { "nat" } else { "filter" };
    if !met || text(chain, "type") != kind {
        return None;
    }
    // The hooks come one after the other, whatever the priorities are.
    let order = if matches!(hook, "ingress" | "prerouting" | "output") { 0 } else { 1 << 40 };
    let policy = if text(chain, "policy") == "drop" { Action::Stop(Stop::Drop) } else { Action::Accept };
    let name = format!("chain {} of nftables table {}", text(chain, "name"), table(chain));
    Some(Base { priority: order + chain["prio"].as_i64().unwrap_or_default(), policy, name })
}

/// Each rule as nft prints it, by its chain and handle.
fn texts(listing: &str) -> HashMap<(String, u64), String> {
    let mut texts = HashMap::new();
    let (mut table, mut chain) = (String::new(), None);
    for line in listing.lines().map(str::trim) {
        let Some((line, handle)) = line.rsplit_once(" # handle ") else {
            if line == "}" {
                chain = None;
            }
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), &chain) {
            (["table", family, name, "{"], _) => table = format!("{family} {name}"),
            (["chain", name, "{"], _) => chain = Some(format!("{table} {name}")),
            (_, Some(chain)) => {
                if let Ok(handle) = handle.parse() {
                    texts.insert((chain.clone(), handle), line.to_owned());
                }
            }
            _ => {}
        }
    }
    texts
}

/// What is known of the packet about one property.
enum Known {
    Number(u64),
    /// One of these names stands for it.
    Name(&'static [&'static str]),
    Interface(Option<String>),
    Address(Option<IpAddr>),
    /// This packet has no such thing, so no condition about it is met.
    Absent,
    Unknown,
}

/// Reads the rules of one table.
struct Reader<'a> {
    packet: Packet<'a>,
    sets: &'a HashMap<String, &'a Value>,
    table: String,
}

impl Reader<'_> {
    /// One rule; a verdict map becomes one for each of its entries.
    fn rules(&self, exprs: &Value, shown: &str) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut applies = Truth::Yes;
        let mut rule = |applies, action| rules.push(Rule { applies, action, text: shown.to_owned() });
        for expr in exprs.as_array().into_iter().flatten() {
            let Some((kind, value)) = expr.as_object().and_then(|fields| fields.iter().next()) else {
                continue;
            };
            match kind.as_str() {
                "match" => applies = applies.and(self.matches(value)),
                "vmap" => {
                    for (condition, action) in self.verdict_map(value) {
                        rule(applies.and(condition), action);
                    }
                }
                "limit" | "quota" | "ct count" | "meter" => applies = applies.and(Truth::Perhaps),
                "counter" | "log" | "mangle" | "notrack" | "flow" | "ct helper" | "ct timeout" | "set"
                | "map" | "comment" => {}
                _ => rule(applies, action(kind, value, &self.table)),
            }
        }
        rules
    }

    fn matches(&self, condition: &Value) -> Truth {
        let (left, right) = (&condition["left"], &condition["right"]);
        if let Some(truth) = self.flags(left, right) {
            return if condition["op"] == "!=" { truth.not() } else { truth };
        }
        let known = self.known(left);
        // Of what is not there, nothing is true, not even that it is something else.
        if matches!(known, Known::Absent) {
            return Truth::No;
        }
        match condition["op"].as_str() {
            Some("==" | "in") => self.is(&known, right),
            Some("!=") => self.is(&known, right).not(),
            Some(op) => match (&known, right.as_u64()) {
                (Known::Number(is), Some(bound)) => match op {
                    "<" => Truth::of(*is < bound),
                    ">" => Truth::of(*is > bound),
                    "<=" => Truth::of(*is <= bound),
                    ">=" => Truth::of(*is >= bound),
                    _ => Truth::Perhaps,
                },
                _ => Truth::Perhaps,
            },
            None => Truth::Perhaps,
        }
    }

    /// `tcp flags & (fin|syn|rst|ack) == syn`: a new connection has SYN alone.
    fn flags(&self, left: &Value, right: &Value) -> Option<Truth> {
        let masked = left.get("&").and_then(Value::as_array);
        let (of, mask) = masked.map_or((left, None), |parts| (&parts[0], parts.get(1)));
        if of["payload"]["protocol"] != "tcp" || of["payload"]["field"] != "flags" {
            return None;
        }
        let names = |value: &Value| match value {
            Value::String(name) => Some(vec![name.clone()]),
            Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        let Some(wanted) = names(right) else { return Some(Truth::Perhaps) };
        let has_syn = match mask.map(names) {
            None => true,
            Some(Some(mask)) => mask.iter().any(|name| name == "syn"),
            Some(None) => return Some(Truth::Perhaps),
        };
        Some(Truth::of(if has_syn { wanted == ["syn"] } else { wanted.is_empty() }))
    }

    fn known(&self, left: &Value) -> Known {
        if let Some(payload) = left.get("payload") {
            return self.payload(text(payload, "protocol"), text(payload, "field"));
        }
        if let Some(meta) = left.get("meta") {
            return self.meta(text(meta, "key"));
        }
        if let Some(ct) = left.get("ct") {
            return match text(ct, "key") {
                "state" => Known::Name(&["new"]),
                "direction" => Known::Name(&["original"]),
                _ => Known::Unknown,
            };
        }
        match left.get("fib") {
            Some(fib) if fib["result"] == "type" && fib["flags"][0] == "daddr" => match self.packet.way {
                Way::In => Known::Name(&["local"]),
                Way::Out => Known::Unknown,
            },
            // "Is there a way back to the sender?" An honest one has it.
            Some(fib) if fib["result"] == "oif" && fib["flags"][0] == "saddr" => Known::Name(&["true"]),
            _ => Known::Unknown,
        }
    }

    fn payload(&self, protocol: &str, field: &str) -> Known {
        let Packet { ipv4, port, from, to, .. } = self.packet;
        match (protocol, field) {
            ("ip", _) if !ipv4 => Known::Absent,
            ("ip6", _) if ipv4 => Known::Absent,
            ("tcp" | "th", "dport") => Known::Number(port.into()),
            ("ip", "protocol") | ("ip6", "nexthdr") => Known::Name(&["tcp"]),
            ("ip" | "ip6", "saddr") => Known::Address(from),
            ("ip" | "ip6", "daddr") => Known::Address(to),
            ("tcp" | "th" | "ip" | "ip6" | "ether" | "vlan", _) => Known::Unknown,
            _ => Known::Absent,
        }
    }

    fn meta(&self, key: &str) -> Known {
        let interface = || Known::Interface(self.packet.interface.map(str::to_owned));
        match (key, self.packet.way) {
            ("l4proto", _) => Known::Name(&["tcp"]),
            ("nfproto", _) => Known::Name(if self.packet.ipv4 { &["ipv4"] } else { &["ipv6"] }),
            ("protocol", _) => Known::Name(if self.packet.ipv4 { &["ip"] } else { &["ip6"] }),
            ("pkttype", Way::In) => Known::Name(&["host", "unicast"]),
            ("iif" | "iifname", Way::In) | ("oif" | "oifname", Way::Out) => interface(),
            ("iif" | "iifname", Way::Out) | ("oif" | "oifname", Way::In) => Known::Absent,
            _ => Known::Unknown,
        }
    }

    /// Is it that value, or one of them?
    fn is(&self, known: &Known, right: &Value) -> Truth {
        let any = |values: &mut dyn Iterator<Item = &Value>| {
            values.fold(Truth::No, |found, value| found.or(self.is(known, value)))
        };
        match right {
            Value::Array(values) => any(&mut values.iter()),
            Value::String(name) if name.starts_with('@') => {
                match self.sets.get(&format!("{} {name}", self.table)) {
                    Some(elements) => any(&mut elements.as_array().into_iter().flatten()),
                    None => Truth::Perhaps,
                }
            }
            Value::Object(fields) => match fields.iter().next().map(|(kind, value)| (kind.as_str(), value)) {
                Some(("set", value)) => any(&mut value.as_array().into_iter().flatten()),
                // An element of a set with a time limit or a comment.
                Some(("elem", value)) => self.is(known, &value["val"]),
                Some(("range", bounds)) => in_range(known, bounds),
                Some(("prefix", prefix)) => in_prefix(known, prefix),
                _ => Truth::Perhaps,
            },
            single => equals(known, single),
        }
    }

    /// Each entry with its condition and what it does.
    fn verdict_map(&self, map: &Value) -> Vec<(Truth, Action)> {
        let known = self.known(&map["key"]);
        let data = &map["data"];
        let entries = match data.as_str() {
            Some(name) => self.sets.get(&format!("{} {name}", self.table)).copied(),
            None => data.get("set"),
        };
        let Some(entries) = entries.and_then(Value::as_array) else {
            return vec![(Truth::Perhaps, Action::Unknown)];
        };
        let one = |entry: &Value| {
            let verdict = entry[1].as_object().and_then(|fields| fields.iter().next());
            let action = verdict.map_or(Action::Unknown, |(kind, value)| action(kind, value, &self.table));
            (self.is(&known, &entry[0]), action)
        };
        entries.iter().map(one).collect()
    }
}

fn action(kind: &str, value: &Value, table: &str) -> Action {
    let target = || format!("{table} {}", text(value, "target"));
    match kind {
        "accept" => Action::Accept,
        "drop" => Action::Stop(Stop::Drop),
        "reject" | "dnat" | "redirect" => Action::Stop(Stop::Reject),
        "jump" => Action::Jump(target()),
        "goto" => Action::Goto(target()),
        "return" => Action::Return,
        "continue" => Action::Continue,
        _ => Action::Unknown,
    }
}

fn equals(known: &Known, value: &Value) -> Truth {
    match (known, value) {
        (Known::Number(is), Value::Number(value)) => Truth::of(value.as_u64() == Some(*is)),
        (Known::Name(names), Value::String(value)) => Truth::of(names.contains(&value.as_str())),
        (Known::Name(names), Value::Bool(value)) => Truth::of(names.contains(&value.to_string().as_str())),
        // 6 is TCP (RFC 9293), for whoever writes protocols as numbers.
        (Known::Name(names), Value::Number(value)) => match value.as_u64() {
            Some(6) => Truth::of(names.contains(&"tcp")),
            _ => Truth::of(!names.contains(&"tcp")).and(Truth::Perhaps),
        },
        (Known::Interface(interface), Value::String(value)) => {
            super::interface_is(interface.as_deref(), value, '*')
        }
        (Known::Address(Some(is)), Value::String(value)) => {
            value.parse::<IpAddr>().map_or(Truth::Perhaps, |value| Truth::of(value == *is))
        }
        (Known::Absent, _) => Truth::No,
        _ => Truth::Perhaps,
    }
}

fn in_range(known: &Known, bounds: &Value) -> Truth {
    match (known, bounds[0].as_u64(), bounds[1].as_u64()) {
        (Known::Number(is), Some(first), Some(last)) => Truth::of((first..=last).contains(is)),
        (Known::Absent, ..) => Truth::No,
        _ => Truth::Perhaps,
    }
}

fn in_prefix(known: &Known, prefix: &Value) -> Truth {
    let network = text(prefix, "addr").parse::<IpAddr>();
    match (known, network, prefix["len"].as_u64()) {
        (Known::Address(Some(is)), Ok(network), Some(bits)) => {
            Truth::of(super::in_network(*is, network, bits))
        }
        (Known::Absent, ..) => Truth::No,
        _ => Truth::Perhaps,
    }
}
