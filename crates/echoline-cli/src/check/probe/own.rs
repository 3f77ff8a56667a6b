//! What belongs to this machine: its addresses, and the ports on which its programs listen.

use if_addrs::get_if_addrs;
use procfs::net::{TcpState, tcp, tcp6};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

/// Is it an address of this machine?
pub(super) fn is_own(ip: IpAddr) -> bool {
    // A connection to "any" goes to this machine itself.
    ip.is_loopback()
        || ip.is_unspecified()
        || get_if_addrs().is_ok_and(|interfaces| interfaces.iter().any(|interface| interface.ip() == ip))
}

/// Does a program of this machine listen there? `None` where the system does not show it.
pub(super) fn listens(address: SocketAddr) -> Option<bool> {
    let tables: Vec<_> = [tcp(), tcp6()].into_iter().flatten().collect();
    if tables.is_empty() {
        return None;
    }
    let listening = tables.into_iter().flatten().filter(|entry| entry.state == TcpState::Listen);
    let wanted = address.ip().to_canonical();
    Some(listening.map(|entry| entry.local_address).any(|held| {
        let ip = held.ip().to_canonical();
        // An IPv6 "any" usually takes IPv4 too.
        let any = ip.is_unspecified() && (ip.is_ipv6() || wanted.is_ipv4());
        held.port() == address.port() && (ip == wanted || any)
    }))
}

/// Rules that drop or reject what goes out, as nft prints them; empty where nft is missing or may not say (it needs
/// root). They are evidence beside the kernel's own, so nothing is parsed but the chain that a line stands in.
pub(super) fn rules() -> Vec<String> {
    let listed = Command::new("nft").args(["--stateless", "list", "ruleset"]).stdin(Stdio::null()).output();
    listed.map(|listed| output_rules(&String::from_utf8_lossy(&listed.stdout))).unwrap_or_default()
}

/// How many are shown.
const MAX_RULES: usize = 8;

fn output_rules(ruleset: &str) -> Vec<String> {
    let mut rules = Vec::new();
    let mut output = false;
    for line in ruleset.lines().map(str::trim) {
        if line.starts_with("type ") {
            output = line.contains("hook output");
            if output && line.contains("policy drop") {
                rules.push("policy drop".to_owned());
            }
        } else if line == "}" {
            output = false;
        } else if output && line.split_whitespace().any(|word| matches!(word, "drop" | "reject")) {
            rules.push(line.to_owned());
        }
    }
    rules.truncate(MAX_RULES);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_of_chains_for_what_goes_out_are_shown() {
        let ruleset = "table inet lab {\n\tchain input {\n\t\ttype filter hook input priority filter; policy accept;\n\
                       \t\ttcp dport 22 drop\n\t}\n\tchain output {\n\t\ttype filter hook output priority filter; \
                       policy accept;\n\t\ttcp dport 5151 drop\n\t\ttcp dport 80 accept\n\t}\n}\n";
        assert_eq!(output_rules(ruleset), ["tcp dport 5151 drop"]);
        assert_eq!(output_rules(""), [""; 0]);
    }

    #[test]
    fn a_listener_of_this_process_is_seen_and_its_end_too() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(listens(address), Some(true));
        drop(listener);
        assert_eq!(listens(address), Some(false));
    }
}
