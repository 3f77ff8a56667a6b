//! This machine's firewall, as far as this user may read it.

use super::command::{self, NoAnswer};
use crate::check::findings::{Firewall, Ruling};
use crate::check::firewall::{
    Chains, Fate, Packet, Question, UfwFiles, Way, fate, is_iptables, judge_ufw, parse_iptables, parse_nft,
};
use serde_json::Value;
use std::fs;
use std::time::Instant;

/// Everything that was read, once for both families.
pub(super) struct Rules {
    /// As JSON, and as a person reads it.
    nft: Result<(Value, String), NoAnswer>,
    /// IPv4 and IPv6, the tables filter and nat; `None`: not asked, as nothing points at iptables.
    iptables: [Option<Result<[String; 2], NoAnswer>>; 2],
    ufw: [UfwFiles; 2],
}

/// Reads the rules, and changes nothing: iptables is asked only where its rules are, since asking may load its modules.
pub(super) fn read(until: Instant) -> Rules {
    let ask = |program: &str, arguments: &[&str]| command::ask(program, arguments, until);
    let nft = ask("nft", &["--json", "list", "ruleset"]).and_then(|text| {
        let ruleset = serde_json::from_str(&text).map_err(|_| NoAnswer::Refused)?;
        let listing = ask("nft", &["--stateless", "--handle", "list", "ruleset"])?;
        Ok((ruleset, listing))
    });
    // The tables of iptables' own kind; asking for another one would make it.
    let legacy = |file: &str| -> Vec<String> {
        fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
    };
    let written = match &nft {
        Ok((ruleset, _)) => is_iptables(ruleset),
        Err(NoAnswer::NotInstalled) => true,
        Err(NoAnswer::Refused | NoAnswer::Slow) => false,
    };
    let families = [("iptables", "/proc/net/ip_tables_names"), ("ip6tables", "/proc/net/ip6_tables_names")];
    let both = |program: &str, has_nat: bool| {
        let nat = if has_nat { ask(program, &["-t", "nat", "-S"])? } else { String::new() };
        Ok([ask(program, &["-S"])?, nat])
    };
    let iptables = families.map(|(program, names)| {
        let tables = legacy(names);
        let has = |table: &str| tables.iter().any(|name| name == table);
        match (has("filter"), written) {
            (true, _) => {
                let found = both(&format!("{program}-legacy"), has("nat"));
                Some(if found == Err(NoAnswer::NotInstalled) { both(program, has("nat")) } else { found })
            }
            (false, true) => Some(both(program, true)),
            (false, false) => None,
        }
    });
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let ufw = ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"].map(|rules| UfwFiles {
        conf: read("/etc/ufw/ufw.conf"),
        defaults: read("/etc/default/ufw"),
        rules: fs::read_to_string(rules).ok(),
    });
    Rules { nft, iptables, ufw }
}

impl Rules {
    /// What becomes of such a connection.
    pub(super) fn judge(&self, packet: Packet<'_>) -> Firewall {
        let (mut chains, mut nat) = (Chains::new(), Chains::new());
        let mut read = Vec::new();
        let mut unread = None;
        match &self.nft {
            Ok((ruleset, listing)) => {
                chains.extend(parse_nft(ruleset, listing, packet, Question::Filter));
                nat.extend(parse_nft(ruleset, listing, packet, Question::Nat));
                read.push("nftables");
            }
            Err(why) => unread = Some(*why),
        }
        match &self.iptables[usize::from(!packet.ipv4)] {
            Some(Ok([filter, of_nat])) => {
                chains.extend(parse_iptables(filter, packet, Question::Filter));
                nat.extend(parse_iptables(of_nat, packet, Question::Nat));
                read.push("iptables");
            }
            // Its rules are there and cannot be read.
            Some(Err(why @ (NoAnswer::Refused | NoAnswer::Slow))) => unread = Some(*why),
            // Rules of iptables in the tables of nft, and no iptables to read them.
            Some(Err(NoAnswer::NotInstalled)) => unread = unread.or(Some(NoAnswer::NotInstalled)),
            None => {}
        }
        let ruling = match (unread, fate(&chains)) {
            (Some(_), Fate::Passes | Fate::Depends(_)) => None,
            (_, Fate::Passes) => Some(Ruling::Passes),
            (_, Fate::Stopped(how, rule)) => Some(Ruling::Stopped { how, rule }),
            (_, Fate::Depends(rule)) => Some(Ruling::Depends { rule }),
        };
        let unreadable = unread.map(|why| match why {
            NoAnswer::NotInstalled => "nft is not installed, so rules that only it can read may be there",
            NoAnswer::Slow => "reading the rules took too long",
            NoAnswer::Refused => "the rules are not readable without root",
        });
        let ufw = judge_ufw(&self.ufw[usize::from(!packet.ipv4)], packet);
        let led_elsewhere = match fate(&nat) {
            Fate::Stopped(_, rule) | Fate::Depends(rule) if packet.way == Way::In => Some(rule),
            _ => None,
        };
        let family = if packet.ipv4 { "IPv4" } else { "IPv6" };
        Firewall { family, read, ruling, unreadable, led_elsewhere, ufw }
    }

    /// The rule that stops, or may stop, such a connection.
    pub(super) fn against(&self, packet: Packet<'_>) -> Option<String> {
        match self.judge(packet).ruling? {
            Ruling::Passes => None,
            Ruling::Stopped { rule, .. } | Ruling::Depends { rule } => Some(rule),
        }
    }
}
