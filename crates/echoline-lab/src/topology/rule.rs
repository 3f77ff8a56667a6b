//! Firewall rules and forwards: as a user writes them, and as nftables text.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::Network;

/// Where a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// What arrives for the machine itself.
    In,
    /// What the machine itself sends.
    Out,
    /// What a router passes on.
    Through,
}

/// A firewall rule, as `drop tcp 5151` or `reject=host-unreachable tcp 80 from 192.168.1.0/24`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What happens to a packet that matches.
    pub action: Action,
    /// Which protocol matches.
    pub protocol: Protocol,
    /// Destination ports, both included; `None` is all.
    pub ports: Option<(u16, u16)>,
    /// Source that matches.
    pub from: Option<Network>,
    /// Destination that matches.
    pub to: Option<Network>,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Lets it pass.
    Accept,
    /// Takes it away without a word.
    Drop,
    /// Takes it away and says so.
    Reject(Reject),
}

/// How a rejected packet is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reject {
    /// With a TCP reset, as a closed port would.
    Reset,
    /// ICMP port unreachable.
    Port,
    /// ICMP host unreachable (IPv6: address unreachable).
    Host,
    /// ICMP communication administratively prohibited.
    Admin,
    /// ICMP net unreachable (IPv6: no route).
    Net,
}

/// The protocol that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Every one.
    All,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP and ICMPv6.
    Icmp,
}

/// A port of a router's outer address that leads to a host inside, as `5151 desktop` or `80 desktop:8080`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The port of the outer address.
    pub port: u16,
    /// The host inside.
    pub host: String,
    /// The port there.
    pub host_port: u16,
}

impl FromStr for Chain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "in" => Ok(Self::In),
            "out" => Ok(Self::Out),
            "through" => Ok(Self::Through),
            _ => Err(format!("`{text}` is no direction: in, out or through")),
        }
    }
}

impl Chain {
    /// Name of the nftables chain.
    #[must_use]
    pub fn nft(self) -> &'static str {
        match self {
            Self::In => "input",
            Self::Out => "output",
            Self::Through => "forward",
        }
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_words(text.split_whitespace())
    }
}

impl Rule {
    /// Reads a rule from its words.
    ///
    /// # Errors
    /// The word that is none of a rule, or why the rule makes no sense.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut words = words.into_iter().peekable();
        let action = words.next().ok_or("an empty rule: try `drop tcp 5151`")?.parse()?;
        let protocol = match words.next() {
            Some("tcp") => Protocol::Tcp,
            Some("udp") => Protocol::Udp,
            Some("icmp") => Protocol::Icmp,
            Some("all") | None => Protocol::All,
            Some(word) => return Err(format!("`{word}` is no protocol: tcp, udp, icmp or all")),
        };
        let mut rule = Self { action, protocol, ports: None, from: None, to: None };
        if let Some(word) = words.next_if(|word| !matches!(*word, "from" | "to")) {
            rule.ports = Some(parse_ports(word)?);
        }
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{word}` wants an address after it"))?;
            match word {
                "from" => rule.from = Some(parse_network(value)?),
                "to" => rule.to = Some(parse_network(value)?),
                _ => {
                    return Err(format!(
                        "`{word}` is not understood: a rule is ACTION PROTOCOL [PORT] [from NET] [to NET]"
                    ));
                }
            }
        }
        rule.check()?;
        Ok(rule)
    }

    fn check(&self) -> Result<(), String> {
        if self.ports.is_some() && !matches!(self.protocol, Protocol::Tcp | Protocol::Udp) {
            return Err("only tcp and udp have ports".into());
        }
        if self.action == Action::Reject(Reject::Reset) && self.protocol != Protocol::Tcp {
            return Err("only tcp can be reset".into());
        }
        match (self.from, self.to) {
            (Some(from), Some(to)) if from.address.is_ipv4() != to.address.is_ipv4() => {
                Err("`from` and `to` are of different families".into())
            }
            _ => Ok(()),
        }
    }

    /// The rule as one line of nftables, for a table of family `inet`.
    #[must_use]
    pub fn nft(&self) -> String {
        let mut parts = Vec::new();
        for (field, network) in [("saddr", self.from), ("daddr", self.to)] {
            if let Some(network) = network {
                let family = if network.address.is_ipv4() { "ip" } else { "ip6" };
                parts.push(format!("{family} {field} {network}"));
            }
        }
        let ports = self.ports.map(|(first, last)| match first == last {
            true => format!("{first}"),
            false => format!("{first}-{last}"),
        });
        match (self.protocol, ports) {
            (Protocol::Tcp, Some(ports)) => parts.push(format!("tcp dport {ports}")),
            (Protocol::Udp, Some(ports)) => parts.push(format!("udp dport {ports}")),
            (Protocol::Tcp, None) => parts.push("meta l4proto tcp".into()),
            (Protocol::Udp, None) => parts.push("meta l4proto udp".into()),
            (Protocol::Icmp, _) => parts.push("meta l4proto { icmp, ipv6-icmp }".into()),
            (Protocol::All, _) => {}
        }
        parts.push(match self.action {
            Action::Accept => "accept".into(),
            Action::Drop => "drop".into(),
            Action::Reject(Reject::Reset) => "reject with tcp reset".into(),
            Action::Reject(Reject::Port) => "reject with icmpx port-unreachable".into(),
            Action::Reject(Reject::Host) => "reject with icmpx host-unreachable".into(),
            Action::Reject(Reject::Admin) => "reject with icmpx admin-prohibited".into(),
            Action::Reject(Reject::Net) => "reject with icmpx no-route".into(),
        });
        parts.join(" ")
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "accept" => Self::Accept,
            "drop" => Self::Drop,
            "reject" | "reject=port-unreachable" => Self::Reject(Reject::Port),
            "reject=reset" => Self::Reject(Reject::Reset),
            "reject=host-unreachable" => Self::Reject(Reject::Host),
            "reject=admin-prohibited" => Self::Reject(Reject::Admin),
            "reject=net-unreachable" => Self::Reject(Reject::Net),
            _ => {
                return Err(format!(
                    "`{text}` is no action: accept, drop, reject, reject=reset, reject=port-unreachable, \
                     reject=host-unreachable, reject=net-unreachable or reject=admin-prohibited"
                ));
            }
        })
    }
}

fn parse_ports(text: &str) -> Result<(u16, u16), String> {
    let wrong = |_| format!("`{text}` is no port from 1 to 65535, nor a range such as 5000-5009");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let ports: (u16, u16) = (first.parse().map_err(wrong)?, last.parse().map_err(wrong)?);
    if ports.0 == 0 || ports.1 < ports.0 {
        return Err(format!("`{text}` is no port from 1 to 65535, nor a range such as 5000-5009"));
    }
    Ok(ports)
}

fn parse_network(text: &str) -> Result<Network, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Network { address, prefix: if address.is_ipv4() { 32 } else { 128 } });
    }
    text.parse()
}

impl FromStr for Forward {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (port, host) = text.split_once(char::is_whitespace).ok_or_else(|| no_forward(text))?;
        Self::new(port, host.trim())
    }
}

fn no_forward(text: &str) -> String {
    format!("`{text}` is no forward: PORT HOST or PORT HOST:PORT, such as `5151 desktop`")
}

impl Forward {
    /// Reads a forward from its two words: `80`, and `desktop` or `desktop:8080`.
    ///
    /// # Errors
    /// They are no port and no host.
    pub fn new(port: &str, host: &str) -> Result<Self, String> {
        let wrong = || no_forward(format!("{port} {host}").trim());
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let (host, host_port) = match host.split_once(':') {
            Some((host, host_port)) => (host, host_port.parse().map_err(|_| wrong())?),
            None => (host, port),
        };
        if port == 0 || host_port == 0 || host.is_empty() || host.contains(char::is_whitespace) {
            return Err(wrong());
        }
        Ok(Self { port, host: host.to_owned(), host_port })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Drop => "drop",
            Self::Reject(Reject::Port) => "reject",
            Self::Reject(Reject::Reset) => "reject=reset",
            Self::Reject(Reject::Host) => "reject=host-unreachable",
            Self::Reject(Reject::Admin) => "reject=admin-prohibited",
            Self::Reject(Reject::Net) => "reject=net-unreachable",
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::All => "all",
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Icmp => "icmp",
        };
        write!(f, "{} {protocol}", self.action)?;
        match self.ports {
            Some((first, last)) if first == last => write!(f, " {first}")?,
            Some((first, last)) => write!(f, " {first}-{last}")?,
            None => {}
        }
        for (word, network) in [("from", self.from), ("to", self.to)] {
            if let Some(network) = network {
                write!(f, " {word} {network}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == self.host_port {
            write!(f, "{} {}", self.port, self.host)
        } else {
            write!(f, "{} {}:{}", self.port, self.host, self.host_port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_written_and_becomes_one_nft_line() {
        for (text, nft) in [
            ("drop tcp 5151", "tcp dport 5151 drop"),
            ("reject tcp 5151", "tcp dport 5151 reject with icmpx port-unreachable"),
            ("reject=reset tcp 1-9", "tcp dport 1-9 reject with tcp reset"),
            ("accept udp from 10.0.0.0/8", "ip saddr 10.0.0.0/8 meta l4proto udp accept"),
            ("drop all to 2001:db8::1/128", "ip6 daddr 2001:db8::1/128 drop"),
        ] {
            let rule: Rule = text.parse().expect(text);
            assert_eq!(rule.nft(), nft);
            assert_eq!(rule.to_string(), text);
        }
    }

    #[test]
    fn a_rule_that_makes_no_sense_says_which_word() {
        for (text, word) in [
            ("", "empty"),
            ("block tcp", "`block`"),
            ("drop sctp", "`sctp`"),
            ("drop tcp 0", "`0`"),
            ("drop tcp 9-1", "`9-1`"),
            ("drop icmp 5", "ports"),
            ("reject=reset udp 5", "reset"),
            ("drop tcp 5 from", "`from`"),
            ("drop tcp 5 from 10.0.0.1 to ::1", "families"),
        ] {
            let error = text.parse::<Rule>().expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_forward_names_a_port_and_a_host() {
        let forward: Forward = "80 desktop:8080".parse().expect("a forward");
        assert_eq!((forward.port, forward.host.as_str(), forward.host_port), (80, "desktop", 8080));
        assert_eq!(forward.to_string(), "80 desktop:8080");
        for wrong in ["80", "0 desktop", "80 a b", "x desktop", "80 :1"] {
            assert!(wrong.parse::<Forward>().is_err(), "{wrong}");
        }
    }
}
