//! This machine's firewall, as far as this user may read it.

use std::fs;
use std::io::ErrorKind;
use std::time::Instant;

use serde_json::Value;

use crate::cancel::Cancel;
use crate::evidence::{Firewall, Ruling, Word};
use crate::firewall::{
    Chains, Fate, IptablesTable, Packet, Question, UfwFiles, Way, fate, judge_ufw, may_untrack,
    parse_iptables, parse_nft, tables_of_iptables,
};
use crate::probe::command::{self, NoAnswer};

/// Everything that was read, once for both families.
pub(super) struct Rules {
    nft: Result<Nft, NoAnswer>,
    /// Of IPv4 and IPv6; empty: nothing points at iptables, so it was not asked.
    iptables: [Result<Vec<IptablesTable>, NoAnswer>; 2],
    ufw: [UfwFiles; 2],
}

struct Nft {
    ruleset: Value,
    /// As a person reads it.
    listing: String,
}

/// Reads the rules, and changes nothing: iptables is asked only where its rules are, since asking may load its modules.
pub(super) fn read(until: Instant, cancel: &Cancel) -> Rules {
    let nft = command::ask("nft", &["--json", "list", "ruleset"], until, cancel).and_then(|text| {
        let ruleset = serde_json::from_str(&text).map_err(|_| NoAnswer::Refused)?;
        let listing = command::ask("nft", &["--stateless", "--handle", "list", "ruleset"], until, cancel)?;
        Ok(Nft { ruleset, listing })
    });
    let iptables =
        [("iptables", "ip", "/proc/net/ip_tables_names"), ("ip6tables", "ip6", "/proc/net/ip6_tables_names")]
            .map(|(program, family, names)| {
                let mut tables = legacy(program, names, until, cancel)?;
                tables.extend(in_nft(&nft, program, family, until, cancel)?);
                Ok(tables)
            });
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let ufw = ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"].map(|rules| UfwFiles {
        conf: read("/etc/ufw/ufw.conf"),
        defaults: read("/etc/default/ufw"),
        rules: fs::read_to_string(rules).ok(),
    });
    Rules { nft, iptables, ufw }
}

/// The tables of iptables' own kind, which a file names; asking for another one would make it.
fn legacy(
    program: &str,
    names: &str,
    until: Instant,
    cancel: &Cancel,
) -> Result<Vec<IptablesTable>, NoAnswer> {
    let names = match fs::read_to_string(names) {
        Ok(names) => names,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(_) => return Err(NoAnswer::Refused),
    };
    let own = format!("{program}-legacy");
    let ask_one = |name: &str| match ask(&own, name, until, cancel) {
        Err(NoAnswer::NotInstalled) => ask(program, name, until, cancel),
        answer => answer,
    };
    names.lines().map(ask_one).collect()
}

/// The tables of iptables' other kind, which stand among those of nft.
fn in_nft(
    nft: &Result<Nft, NoAnswer>,
    program: &str,
    family: &str,
    until: Instant,
    cancel: &Cancel,
) -> Result<Vec<IptablesTable>, NoAnswer> {
    let own = format!("{program}-nft");
    match nft {
        Ok(nft) => tables_of_iptables(&nft.ruleset, family)
            .into_iter()
            .map(|name| ask(&own, name, until, cancel))
            .collect(),
        // Nothing says which there are: what it has mostly.
        Err(NoAnswer::NotInstalled) => {
            ["filter", "nat"].map(|name| ask(program, name, until, cancel)).into_iter().collect()
        }
        Err(NoAnswer::Refused | NoAnswer::Slow) => Ok(Vec::new()),
    }
}

fn ask(program: &str, name: &str, until: Instant, cancel: &Cancel) -> Result<IptablesTable, NoAnswer> {
    let rules = command::ask(program, &["-t", name, "-S"], until, cancel)?;
    Ok(IptablesTable { program: program.to_owned(), name: name.to_owned(), rules })
}

impl Rules {
    /// What becomes of such a connection.
    pub(super) fn judge(&self, packet: Packet<'_>) -> Firewall {
        let iptables = &self.iptables[usize::from(!packet.ipv4)];
        let mut read = Vec::new();
        if self.nft.is_ok() {
            read.push("nftables".into());
        }
        if iptables.as_ref().is_ok_and(|tables| !tables.is_empty()) {
            read.push("iptables".into());
        }
        let unread = match (&self.nft, iptables) {
            // Its rules are there and cannot be read.
            (_, Err(why @ (NoAnswer::Refused | NoAnswer::Slow))) | (Err(why), _) => Some(*why),
            // Rules of iptables in the tables of nft, and no iptables to read them.
            (Ok(_), Err(NoAnswer::NotInstalled)) => Some(NoAnswer::NotInstalled),
            (Ok(_), Ok(_)) => None,
        };
        let ruling = match (unread, fate(&self.chains(packet, Question::Filter))) {
            (Some(_), Fate::Passes | Fate::Depends(_)) => None,
            (_, Fate::Passes) => Some(Ruling::Passes),
            (_, Fate::Stopped(how, rule)) => Some(Ruling::Stopped { how, rule }),
            (_, Fate::Depends(rule)) => Some(Ruling::Depends { rule }),
        };
        let unreadable = unread.map(|why| {
            Word::from(match why {
                NoAnswer::NotInstalled => "nft is not installed, so rules that only it can read may be there",
                NoAnswer::Slow => "reading the rules took too long",
                NoAnswer::Refused => "the rules are not readable without root",
            })
        });
        let ufw = judge_ufw(&self.ufw[usize::from(!packet.ipv4)], packet);
        let led_elsewhere = match fate(&self.chains(packet, Question::Nat)) {
            Fate::Stopped(_, rule) | Fate::Depends(rule) if packet.way == Way::In => Some(rule),
            _ => None,
        };
        let family = if packet.ipv4 { "IPv4" } else { "IPv6" };
        let family = family.into();
        Firewall { family, read, ruling, unreadable, led_elsewhere, ufw }
    }

    /// The chains of all that was read. Whether it is tracked is known once they are there.
    fn chains(&self, packet: Packet<'_>, question: Question) -> Chains {
        let of = |packet: Packet<'_>| {
            let mut chains = match &self.nft {
                Ok(Nft { ruleset, listing }) => parse_nft(ruleset, listing, packet, question),
                Err(_) => Chains::new(),
            };
            for table in self.iptables[usize::from(!packet.ipv4)].iter().flatten() {
                chains.extend(parse_iptables(table, packet, question));
            }
            chains
        };
        let chains = of(packet);
        if may_untrack(&chains) { of(Packet { tracked: false, ..packet }) } else { chains }
    }

    /// The rule that stops such a connection, whatever is not known of it.
    pub(super) fn against(&self, packet: Packet<'_>) -> Option<String> {
        match self.judge(packet).ruling? {
            Ruling::Stopped { rule, .. } => Some(rule),
            Ruling::Passes | Ruling::Depends { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::evidence::Stop;

    const DROP: &str = "-A PREROUTING -p tcp -m tcp --dport 80 -j DROP";

    fn rules(iptables: Result<Vec<IptablesTable>, NoAnswer>) -> Rules {
        let nft = Nft { ruleset: json!({ "nftables": [] }), listing: String::new() };
        Rules { nft: Ok(nft), iptables: [iptables, Ok(Vec::new())], ufw: Default::default() }
    }

    fn table(name: &str, rules: &str) -> IptablesTable {
        let (program, name) = ("iptables-legacy".to_owned(), name.to_owned());
        IptablesTable { program, name, rules: rules.to_owned() }
    }

    fn to(port: u16) -> Packet<'static> {
        Packet { way: Way::In, ipv4: true, port, from: None, to: None, interface: None, tracked: true }
    }

    #[test]
    fn every_table_that_was_read_decides_and_one_that_was_not_leaves_it_open() {
        let mangle = table("mangle", &format!("-P PREROUTING ACCEPT\n{DROP}\n"));
        let filter = || table("filter", "-P INPUT ACCEPT\n");
        let read = rules(Ok(vec![filter(), mangle]));
        let by = Ruling::Stopped { how: Stop::Drop, rule: DROP.to_owned() };
        assert_eq!(read.judge(to(80)).ruling, Some(by));
        assert_eq!(read.judge(to(81)).ruling, Some(Ruling::Passes));
        assert_eq!(read.judge(to(81)).read, ["nftables", "iptables"]);
        assert_eq!(read.judge(Packet { ipv4: false, ..to(80) }).read, ["nftables"]);
        for why in [NoAnswer::NotInstalled, NoAnswer::Refused, NoAnswer::Slow] {
            let judged = rules(Err(why)).judge(to(80));
            assert!(judged.ruling.is_none() && judged.unreadable.is_some(), "{judged:?}");
        }
    }

    #[test]
    fn a_connection_that_one_table_keeps_untracked_has_no_known_state_in_another() {
        let untrack = "-A PREROUTING -p tcp -m tcp --dport 80 -j CT --notrack";
        let accept = "-A INPUT -m conntrack --ctstate UNTRACKED -j ACCEPT";
        let raw = table("raw", &format!("-P PREROUTING ACCEPT\n{untrack}\n"));
        let read = rules(Ok(vec![raw, table("filter", &format!("-P INPUT DROP\n{accept}\n"))]));
        assert_eq!(read.judge(to(80)).ruling, Some(Ruling::Depends { rule: accept.to_owned() }));
        assert!(matches!(read.judge(to(81)).ruling, Some(Ruling::Stopped { .. })));
    }

    #[test]
    fn a_rule_is_against_a_connection_only_where_it_stops_it_for_certain() {
        let against = |rule: &str| {
            rules(Ok(vec![table("filter", &format!("-P INPUT ACCEPT\n{rule}\n"))])).against(to(80))
        };
        assert_eq!(against("-A INPUT -j DROP"), Some("-A INPUT -j DROP".to_owned()));
        assert_eq!(against("-A INPUT -m limit --limit 5/sec -j DROP"), None);
    }

    #[test]
    fn iptables_is_asked_for_the_tables_that_are_there_and_for_no_other() {
        let until = Instant::now() + Duration::from_secs(20);
        assert_eq!(legacy("no-such-iptables", "/no/such/file", until, &Cancel::new()), Ok(Vec::new()));
        let ruleset = json!({ "nftables": [
            { "rule": { "family": "ip", "table": "mangle", "expr": [{ "xt": { "type": "match", "name": "tos" } }] } },
            { "rule": { "family": "ip", "table": "mine", "expr": [{ "drop": null }] } } ] });
        let nft = Ok(Nft { ruleset, listing: String::new() });
        assert_eq!(
            in_nft(&nft, "no-such-iptables", "ip", until, &Cancel::new()),
            Err(NoAnswer::NotInstalled)
        );
        assert_eq!(in_nft(&nft, "no-such-iptables", "ip6", until, &Cancel::new()), Ok(Vec::new()));
    }
}
