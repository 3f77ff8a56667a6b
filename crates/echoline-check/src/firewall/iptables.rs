//! The rules of iptables and ip6tables, as `iptables -S` prints them (iptables(8), iptables-extensions(8)).

use std::net::IpAddr;

use super::network::Network;
use super::rules::{Action, Base, Chains, Packet, Question, Rule, Truth, Way, interface_is};
use crate::evidence::Stop;

/// One of its tables, as it prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Who prints it: two kinds of iptables may each have a table of that name.
    pub(crate) program: String,
    /// filter, nat, mangle, raw or security.
    pub(crate) name: String,
    pub(crate) rules: String,
}

/// The chains of one table that a packet meets.
pub(crate) fn parse(table: &Table, packet: Packet<'_>, question: Question) -> Chains {
    let key = |chain: &str| format!("{} {} {chain}", table.program, table.name);
    let mut chains = Chains::new();
    for line in table.rules.lines() {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["-P", chain, policy] => {
                let policy = if *policy == "ACCEPT" { Action::Accept } else { Action::Stop(Stop::Drop) };
                let base = order(&table.name, chain, packet.way, question).map(|priority| Base {
                    met: Truth::Yes,
                    priority,
                    policy,
                    name: match table.name.as_str() {
                        "filter" => format!("chain {chain} of iptables"),
                        name => format!("chain {chain} of iptables table {name}"),
                    },
                });
                chains.entry(key(chain)).or_default().base = base;
            }
            ["-N", chain] => drop(chains.entry(key(chain)).or_default()),
            ["-A", chain, rest @ ..] => {
                let mut rule = rule(rest, line, packet);
                if let Action::Jump(to) | Action::Goto(to) = &mut rule.action {
                    *to = key(to);
                }
                chains.entry(key(chain)).or_default().rules.push(rule);
            }
            _ => {}
        }
    }
    chains
}

/// When the kernel comes to a chain of a table, if it does: the hooks one after the other, and in each the tables
/// (linux/netfilter_ipv4.h).
fn order(table: &str, chain: &str, way: Way, question: Question) -> Option<i64> {
    if (table == "nat") != (question == Question::Nat) {
        return None;
    }
    let hook = match (way, chain) {
        (Way::In, "PREROUTING") | (Way::Out, "OUTPUT") => 0,
        (Way::In, "INPUT") | (Way::Out, "POSTROUTING") if question == Question::Filter => 1 << 40,
        _ => return None,
    };
    let priority = match table {
        "raw" => -300,
        "mangle" => -150,
        "nat" => -100,
        "security" => 50,
        _ => 0,
    };
    Some(hook + priority)
}

/// As a shell splits a line: quotes keep a comment together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for letter in line.trim().chars() {
        let word = words.len() - 1;
        match letter {
            _ if escaped => {
                words[word].push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words[word].push(letter),
        }
    }
    words
}

fn rule(words: &[&str], line: &str, packet: Packet<'_>) -> Rule {
    let mut applies = Truth::Yes;
    let mut action = Action::Continue;
    let mut at = 0;
    let mut module = "";
    while at < words.len() {
        let negated = words[at] == "!";
        let option = words.get(at + usize::from(negated)).copied().unwrap_or_default();
        let first = at + usize::from(negated) + 1;
        let end =
            words[first.min(words.len())..].iter().position(|word| word.starts_with('-') || *word == "!");
        let end = end.map_or(words.len(), |end| first + end);
        let values = &words[first.min(end)..end];
        let value = values.first().copied().unwrap_or_default();
        at = end;
        match option {
            "-m" => {
                module = value;
                applies = applies.and(of_module(module));
            }
            "-j" => {
                action = target(value, &words[at..]);
                // What follows is about the target.
                break;
            }
            "-g" => action = Action::Goto(value.to_owned()),
            _ => {
                let truth = condition(option, values, module, packet);
                applies = applies.and(if negated { truth.not() } else { truth });
            }
        }
    }
    Rule { applies, action, text: line.to_owned() }
}

/// What the name of a module alone says about a new TCP connection.
fn of_module(module: &str) -> Truth {
    match module {
        "tcp" | "conntrack" | "state" | "multiport" | "comment" | "addrtype" | "mark" => Truth::Yes,
        "udp" | "icmp" | "icmp6" | "ipv6-icmp" | "sctp" | "dccp" | "esp" | "ah" | "rt" => Truth::No,
        // Limits, sets, owners and whatever else: it depends.
        _ => Truth::Perhaps,
    }
}

fn target(name: &str, options: &[&str]) -> Action {
    match name {
        "ACCEPT" => Action::Accept,
        "DROP" => Action::Stop(Stop::Drop),
        "REJECT" | "DNAT" | "REDIRECT" | "NETMAP" => Action::Stop(Stop::Reject),
        "RETURN" => Action::Return,
        "NOTRACK" => Action::Untrack,
        "CT" if options.contains(&"--notrack") => Action::Untrack,
        "LOG" | "NFLOG" | "ULOG" | "MARK" | "CONNMARK" | "SET" | "TRACE" | "AUDIT" | "CT" | "TCPMSS"
        | "SECMARK" | "CONNSECMARK" | "TOS" | "DSCP" | "ECN" | "TTL" | "HL" | "CLASSIFY" | "CHECKSUM"
        | "TCPOPTSTRIP" | "TEE" => Action::Continue,
        "QUEUE" | "NFQUEUE" | "TARPIT" => Action::Unknown,
        chain => Action::Jump(chain.to_owned()),
    }
}

fn condition(option: &str, values: &[&str], module: &str, packet: Packet<'_>) -> Truth {
    let value = values.first().copied().unwrap_or_default();
    let Packet { way, port, from, to, interface, tracked, .. } = packet;
    match option {
        "-p" => Truth::of(matches!(value, "tcp" | "6" | "all" | "0")),
        "--dport" | "--dports" | "--destination-port" => one_of_ports(value, port),
        // Or that of the sender.
        "--ports" => one_of_ports(value, port).or(Truth::Perhaps),
        "--sport" | "--sports" => Truth::Perhaps,
        "-i" if way == Way::In => interface_is(interface, value, '+'),
        "-o" if way == Way::Out => interface_is(interface, value, '+'),
        "-i" | "-o" => Truth::No,
        "-s" => in_networks(from, value),
        "-d" => in_networks(to, value),
        "--ctstate" | "--state" if !tracked => Truth::Perhaps,
        "--ctstate" | "--state" => Truth::of(value.split(',').any(|state| state == "NEW")),
        "--dst-type" if way == Way::In => {
            Truth::of(value.split(',').any(|kind| matches!(kind, "LOCAL" | "UNICAST")))
        }
        "--syn" => Truth::Yes,
        // Of a new connection, SYN alone is set.
        "--tcp-flags" => {
            let wanted = values.get(1).copied().unwrap_or_default();
            let looks_at_syn = matches!(value, "ALL") || value.split(',').any(|flag| flag == "SYN");
            Truth::of(wanted == if looks_at_syn { "SYN" } else { "NONE" })
        }
        "--comment" => Truth::Yes,
        _ if module == "comment" => Truth::Yes,
        _ => Truth::Perhaps,
    }
}

fn one_of_ports(list: &str, port: u16) -> Truth {
    let one = |part: &str| match part.split_once(':') {
        None => part.parse::<u16>().map_or(Truth::Perhaps, |only| Truth::of(only == port)),
        Some((first, last)) => {
            let bound = |text: &str, open| if text.is_empty() { Some(open) } else { text.parse().ok() };
            match (bound(first, 0), bound(last, u16::MAX)) {
                (Some(first), Some(last)) => Truth::of((first..=last).contains(&port)),
                _ => Truth::Perhaps,
            }
        }
    };
    list.split(',').fold(Truth::No, |found, part| found.or(one(part)))
}

fn in_networks(address: Option<IpAddr>, list: &str) -> Truth {
    let one = |part: &str| {
        let Some(network) = Network::parse(part) else { return Truth::Perhaps };
        match address {
            _ if network.bits == 0 => Truth::Yes,
            None => Truth::Perhaps,
            Some(address) => Truth::of(network.contains(address)),
        }
    };
    list.split(',').fold(Truth::No, |found, part| found.or(one(part)))
}
