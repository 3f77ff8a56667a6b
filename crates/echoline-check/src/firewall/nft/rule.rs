//! One rule of nftables: is it about the packet, and what does it do?

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use super::text;
use crate::evidence::Stop;
use crate::firewall::network::Network;
use crate::firewall::rules::{Action, Packet, Rule, Truth, Way, interface_is};

/// What is known of the packet about one property.
enum Known {
    Number(u64),
    /// One of these names stands for it.
    Name(&'static [&'static str]),
    Interface(Option<String>),
    Address(Option<IpAddr>),
    /// Of several properties at once.
    Several(Vec<Known>),
    /// This packet has no such thing, so no condition about it is met.
    Absent,
    Unknown,
}

/// Reads the rules of one table.
pub(super) struct Reader<'a> {
    pub(super) packet: Packet<'a>,
    /// The elements of each set and map, by table and name.
    pub(super) sets: &'a HashMap<String, &'a Value>,
    pub(super) table: String,
}

impl Reader<'_> {
    /// One rule; a verdict map becomes one for each of its entries.
    pub(super) fn rules(&self, exprs: &Value, shown: &str) -> Vec<Rule> {
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
                "set" | "map" => applies = applies.and(self.update(value)),
                "notrack" => rule(applies, Action::Untrack),
                "counter" | "log" | "mangle" | "flow" | "ct helper" | "ct timeout" | "comment" => {}
                _ => rule(applies, action(kind, value, &self.table)),
            }
        }
        rules
    }

    /// `add @flood { ip saddr limit rate over 10/second }`: does the rule go on behind it?
    fn update(&self, statement: &Value) -> Truth {
        let element = &statement["elem"];
        let key = element.get("elem").map_or(element, |element| &element["val"]);
        let only_counts = match &statement["stmt"] {
            Value::Null => true,
            Value::Array(parts) => parts.iter().all(|part| part.get("counter").is_some()),
            _ => false,
        };
        match self.known(key) {
            Known::Absent => Truth::No,
            _ if only_counts => Truth::Yes,
            _ => Truth::Perhaps,
        }
    }

    fn matches(&self, condition: &Value) -> Truth {
        let (left, right) = (&condition["left"], &condition["right"]);
        if let Some(truth) = flags(condition["op"].as_str().unwrap_or_default(), left, right) {
            return truth;
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

    fn known(&self, left: &Value) -> Known {
        if let Some(payload) = left.get("payload") {
            return self.payload(text(payload, "protocol"), text(payload, "field"));
        }
        if let Some(meta) = left.get("meta") {
            return self.meta(text(meta, "key"));
        }
        if let Some(parts) = left.get("concat").and_then(Value::as_array) {
            let parts: Vec<Known> = parts.iter().map(|part| self.known(part)).collect();
            let absent = parts.iter().any(|part| matches!(part, Known::Absent));
            return if absent { Known::Absent } else { Known::Several(parts) };
        }
        if let Some(ct) = left.get("ct") {
            return match text(ct, "key") {
                // Its state is then "untracked", or another rule decides which.
                _ if !self.packet.tracked => Known::Unknown,
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
                // An element of a set with a time limit, a comment or a condition of its own.
                Some(("elem", value)) => {
                    let own = ["limit", "quota", "ct count"].iter().any(|kind| value.get(kind).is_some());
                    self.is(known, &value["val"]).and(if own { Truth::Perhaps } else { Truth::Yes })
                }
                Some(("concat", values)) => self.are(known, values),
                Some(("range", bounds)) => in_range(known, bounds),
                Some(("prefix", prefix)) => in_prefix(known, prefix),
                _ => Truth::Perhaps,
            },
            single => equals(known, single),
        }
    }

    fn are(&self, known: &Known, values: &Value) -> Truth {
        match (known, values.as_array()) {
            (Known::Absent, _) => Truth::No,
            (Known::Several(parts), Some(values)) if parts.len() == values.len() => {
                parts.iter().zip(values).fold(Truth::Yes, |all, (part, value)| all.and(self.is(part, value)))
            }
            _ => Truth::Perhaps,
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
        let (defaults, named): (Vec<&Value>, Vec<&Value>) =
            entries.iter().partition(|entry| is_default(&entry[0]));
        let mut found: Vec<_> = named.into_iter().map(one).collect();
        let named = found.iter().fold(Truth::No, |any, (condition, _)| any.or(*condition));
        found.extend(
            defaults.into_iter().map(one).map(|(condition, action)| (condition.and(named.not()), action)),
        );
        found
    }
}

/// `*`, which is met where no other element is.
fn is_default(element: &Value) -> bool {
    element == "*" || element["elem"]["val"] == "*"
}

/// `tcp flags & (fin|syn|rst|ack) == syn`, `tcp flags syn,ack`: a new connection has SYN alone.
fn flags(op: &str, left: &Value, right: &Value) -> Option<Truth> {
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
    let exactly = Truth::of(if has_syn { wanted == ["syn"] } else { wanted.is_empty() });
    let any = Truth::of(has_syn && wanted.iter().any(|name| name == "syn"));
    Some(match op {
        "==" => exactly,
        "!=" => exactly.not(),
        "in" => any,
        "!" => any.not(),
        _ => Truth::Perhaps,
    })
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
        (Known::Absent, _) => Truth::No,
        (_, Value::String(value)) if value == "*" => Truth::Yes,
        (Known::Number(is), Value::Number(value)) => Truth::of(value.as_u64() == Some(*is)),
        (Known::Name(names), Value::String(value)) => Truth::of(names.contains(&value.as_str())),
        (Known::Name(names), Value::Bool(value)) => Truth::of(names.contains(&value.to_string().as_str())),
        // 6 is TCP (RFC 9293), for whoever writes protocols as numbers.
        (Known::Name(names), Value::Number(value)) => match value.as_u64() {
            Some(6) => Truth::of(names.contains(&"tcp")),
            _ => Truth::of(!names.contains(&"tcp")).and(Truth::Perhaps),
        },
        (Known::Interface(interface), Value::String(value)) => interface_is(interface.as_deref(), value, '*'),
        (Known::Address(Some(is)), Value::String(value)) => {
            value.parse::<IpAddr>().map_or(Truth::Perhaps, |value| Truth::of(value == *is))
        }
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
    let address = text(prefix, "addr").parse::<IpAddr>();
    match (known, address, prefix["len"].as_u64()) {
        (Known::Address(Some(is)), Ok(address), Some(bits)) => {
            Truth::of(Network { address, bits }.contains(*is))
        }
        (Known::Absent, ..) => Truth::No,
        _ => Truth::Perhaps,
    }
}
