//! What ufw is told to do, from its files (ufw(8)): what a person configured, where the kernel's rules show how.

use super::network::Network;
use super::rules::Packet;

/// The files, as far as this user may read them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    /// /etc/ufw/ufw.conf
    pub(crate) conf: String,
    /// /etc/default/ufw
    pub(crate) defaults: String,
    /// /etc/ufw/user.rules or user6.rules; `None`: not readable, as usual without root.
    pub(crate) rules: Option<String>,
}

/// What ufw does with what comes in on the port, in words; `None` if it is off or not there.
pub(crate) fn judge(files: &Files, packet: Packet<'_>) -> Option<String> {
    if setting(&files.conf, "ENABLED")?.eq_ignore_ascii_case("yes") {
        let default = match setting(&files.defaults, "DEFAULT_INPUT_POLICY").as_deref() {
            Some("ACCEPT") => "allows",
            Some("REJECT") => "rejects",
            _ => "denies",
        };
        let Some(rules) = &files.rules else {
            return Some(format!("ufw is on and {default} what no rule names; its rules only root may read"));
        };
        let about = rules.lines().filter_map(|line| line.strip_prefix("### tuple ### "));
        let first = about.filter_map(|tuple| rule(tuple, packet)).next();
        return Some(match first {
            Some(said) => format!("ufw is on, and its rule is: {said}"),
            None => {
                format!("ufw is on, no rule of it is about this port, and it {default} what no rule names")
            }
        });
    }
    None
}

/// `NAME=value`, `NAME="value"`; remarks begin with #.
fn setting(text: &str, name: &str) -> Option<String> {
    let value = text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// `ACTION PROTOCOL DPORT DST SPORT SRC [DAPP SAPP] DIRECTION`, as ufw writes a rule of its own, in words if it is about
/// what comes in on the port.
fn rule(tuple: &str, packet: Packet<'_>) -> Option<String> {
    let tuple = tuple.split(" comment=").next()?;
    let words: Vec<&str> = tuple.split_whitespace().collect();
    let [action, protocol, ports, to, _, from, rest @ ..] = words.as_slice() else { return None };
    let direction = rest.last().copied().unwrap_or("in");
    let comes_in = direction == "in" || direction.starts_with("in_");
    let is_routed = action.starts_with("route:");
    if !comes_in || is_routed || !matches!(*protocol, "tcp" | "any") || !covers(ports, packet.port) {
        return None;
    }
    let everybody = |network: &str| matches!(network, "0.0.0.0/0" | "::/0" | "any");
    if let Some(own) = packet.to.filter(|_| !everybody(to))
        && !Network::parse(to).is_some_and(|network| network.contains(own))
    {
        return None;
    }
    let action = action.split('_').next()?;
    let on = direction.strip_prefix("in_").map_or_else(String::new, |interface| format!(" on {interface}"));
    let whom = if everybody(from) { "anybody".to_owned() } else { (*from).to_owned() };
    let what = if *ports == "any" { "every port".to_owned() } else { format!("port {ports}") };
    Some(format!("{action} {what}{on} from {whom}"))
}

fn covers(ports: &str, port: u16) -> bool {
    ports == "any"
        || ports.split(',').any(|part| {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            matches!((first.parse::<u16>(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&port))
        })
}
