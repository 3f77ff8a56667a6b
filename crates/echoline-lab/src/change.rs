//! Changes of a running lab, in the words of the command line; scenarios use the same words.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::link::{self, LinkSettings};
use crate::names::Manner;
use crate::topology::{Chain, Forward, Network, Rule, is_host_name};

/// A change of a running lab.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// `link NAME cut`, `link NAME mend`, `link NAME mtu=576`, `link NAME [there|back] loss=5% delay=20ms`.
    Link {
        /// The link.
        name: String,
        /// What happens to it.
        to: LinkChange,
    },
    /// `firewall HOST in|out|through RULE`: the rule goes before all others. `firewall HOST clear` takes back every
    /// such rule.
    Firewall {
        /// The host or router.
        host: String,
        /// `None` clears.
        rule: Option<(Chain, Rule)>,
    },
    /// `forward ROUTER 5151 desktop`.
    Forward {
        /// The router.
        router: String,
        /// Which port leads where.
        forward: Forward,
    },
    /// `address ROUTER.wan 203.0.113.77/24`: the interface's IPv4 or IPv6 address becomes this one.
    Address {
        /// The host or router.
        node: String,
        /// Its interface.
        interface: String,
        /// The new address.
        address: Network,
    },
    /// `names silent|answer|servfail|refused`, `names delay=2s`, `names set NAME ADDRESS...`, `names remove NAME`.
    Names(NamesChange),
}

/// What becomes of a link.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkChange {
    /// Nothing passes any more.
    Cut,
    /// It passes again.
    Mend,
    /// Largest packet in bytes, on both ends.
    Mtu(u32),
    /// Settings of one way or both, in the words of [`LinkSettings`]; the rest stays.
    Settings {
        /// From the first end to the second.
        there: bool,
        /// And back.
        back: bool,
        /// As `loss=5% delay=20ms`.
        words: String,
    },
}

/// What becomes of the name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamesChange {
    /// How it answers.
    Manner(Manner),
    /// How long it takes.
    Delay(Duration),
    /// The addresses of a name.
    Set(String, Vec<IpAddr>),
    /// The name is unknown from now on.
    Remove(String),
}

const CHANGES: &str = "a change is `link NAME ...`, `firewall HOST ...`, `forward ROUTER PORT HOST`, \
                       `address NODE.INTERFACE NETWORK` or `names ...`";

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, rest) = first_word(text);
        let (name, words) = first_word(rest);
        if name.is_empty() {
            return Err(CHANGES.into());
        }
        match what {
            "link" => Ok(Self::Link { name: name.into(), to: words.parse()? }),
            "firewall" => firewall(name, words),
            "forward" => Ok(Self::Forward { router: name.into(), forward: words.parse()? }),
            "address" => {
                let (node, interface) = name.split_once('.').unwrap_or((name, "eth0"));
                Ok(Self::Address { node: node.into(), interface: interface.into(), address: words.parse()? })
            }
            "names" => Ok(Self::Names(rest.parse()?)),
            _ => Err(format!("`{}` is no change: {CHANGES}", what.escape_debug())),
        }
    }
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn firewall(host: &str, words: &str) -> Result<Change, String> {
    let (chain, rule) = first_word(words);
    if words.is_empty() || (rule.is_empty() && words != "clear" && chain.parse::<Chain>().is_ok()) {
        return Err(
            "a firewall takes `clear`, or in, out or through and a rule, such as in drop tcp 5151".into()
        );
    }
    let rule = if words == "clear" { None } else { Some((chain.parse()?, rule.parse()?)) };
    Ok(Change::Firewall { host: host.into(), rule })
}

impl FromStr for LinkChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(mtu) = text.strip_prefix("mtu=") {
            let bytes = mtu.parse().ok().filter(|mtu| (68..=65_535).contains(mtu));
            return bytes
                .map(Self::Mtu)
                .ok_or_else(|| format!("an MTU of `{mtu}` is not in 68 to 65535 bytes"));
        }
        let (way, words) = match first_word(text) {
            ("cut", "") => return Ok(Self::Cut),
            ("mend", "") => return Ok(Self::Mend),
            ("there", words) => ((true, false), words),
            ("back", words) => ((false, true), words),
            _ => ((true, true), text),
        };
        if words.is_empty() {
            return Err("a link is cut, mended, or takes settings such as loss=5% delay=20ms".into());
        }
        LinkSettings::default().merge(words).map_err(|error| error.to_string())?;
        Ok(Self::Settings { there: way.0, back: way.1, words: words.into() })
    }
}

impl FromStr for NamesChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "names take answer, silent, servfail, refused, delay=2s, `set NAME ADDRESS...` or `remove NAME`"
                .to_owned()
        };
        let mut words = text.split_whitespace();
        let change = match words.next().ok_or_else(wrong)? {
            "answer" => Self::Manner(Manner::Answer),
            "silent" => Self::Manner(Manner::Silent),
            "servfail" => Self::Manner(Manner::ServerFailure),
            "refused" => Self::Manner(Manner::Refused),
            "set" => {
                let name = words.next().ok_or_else(wrong)?.trim_end_matches('.').to_ascii_lowercase();
                if !is_host_name(&name) {
                    return Err(format!("`{}` is no host name", name.escape_debug()));
                }
                let address = |word: &str| {
                    word.parse().map_err(|_| format!("`{}` is no address; {}", word.escape_debug(), wrong()))
                };
                let addresses: Vec<IpAddr> = words.by_ref().map(address).collect::<Result<_, _>>()?;
                if addresses.is_empty() {
                    return Err(wrong());
                }
                Self::Set(name, addresses)
            }
            "remove" => {
                let name = words.next().ok_or_else(wrong)?;
                Self::Remove(name.trim_end_matches('.').to_ascii_lowercase())
            }
            word => {
                let delay = word.strip_prefix("delay=").ok_or_else(wrong)?;
                // With the bound of a link's delay.
                Self::Delay(link::delay(delay).ok_or_else(wrong)?)
            }
        };
        // A word that would be ignored was meant for something.
        if words.next().is_none() { Ok(change) } else { Err(wrong()) }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { name, to } => write!(f, "link {name} {to}"),
            Self::Firewall { host, rule: None } => write!(f, "firewall {host} clear"),
            Self::Firewall { host, rule: Some((chain, rule)) } => {
                let chain = match chain {
                    Chain::In => "in",
                    Chain::Out => "out",
                    Chain::Through => "through",
                };
                write!(f, "firewall {host} {chain} {rule}")
            }
            Self::Forward { router, forward } => write!(f, "forward {router} {forward}"),
            Self::Address { node, interface, address } => write!(f, "address {node}.{interface} {address}"),
            Self::Names(names) => write!(f, "names {names}"),
        }
    }
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("cut"),
            Self::Mend => f.write_str("mend"),
            Self::Mtu(mtu) => write!(f, "mtu={mtu}"),
            Self::Settings { there: true, back: true, words } => f.write_str(words),
            Self::Settings { there: true, words, .. } => write!(f, "there {words}"),
            Self::Settings { words, .. } => write!(f, "back {words}"),
        }
    }
}

impl fmt::Display for NamesChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manner(Manner::Answer) => f.write_str("answer"),
            Self::Manner(Manner::Silent) => f.write_str("silent"),
            Self::Manner(Manner::ServerFailure) => f.write_str("servfail"),
            Self::Manner(Manner::Refused) => f.write_str("refused"),
            Self::Delay(delay) if delay.subsec_nanos().is_multiple_of(1_000_000) => {
                write!(f, "delay={}ms", delay.as_millis())
            }
            Self::Delay(delay) => write!(f, "delay={delay:?}"),
            Self::Set(name, addresses) => {
                write!(f, "set {name}")?;
                addresses.iter().try_for_each(|address| write!(f, " {address}"))
            }
            Self::Remove(name) => write!(f, "remove {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_as_it_is_written() {
        for text in [
            "link wan cut",
            "link wan mend",
            "link wan mtu=576",
            "link wan loss=5% delay=20ms",
            "link wan back loss=5%",
            "firewall server in drop tcp 5151",
            "firewall laptop out reject tcp 5151",
            "firewall server clear",
            "forward router 5151 desktop",
            "address router.wan 203.0.113.77/24",
            "names silent",
            "names delay=1500ms",
            "names delay=1.5ms",
            "names set echo.lab.test 203.0.113.99 203.0.113.10",
            "names remove echo.lab.test",
        ] {
            let change: Change = text.parse().expect(text);
            assert_eq!(change.to_string(), text);
        }
    }

    #[test]
    fn a_change_that_means_nothing_says_what_would() {
        for (text, word) in [
            ("", "firewall HOST"),
            ("cable wan cut", "`cable`"),
            ("link wan", "settings"),
            ("link wan lose=5%", "lose"),
            ("link wan mtu=9", "65535"),
            ("firewall server up drop tcp 1", "`up`"),
            ("firewall server in block tcp 1", "`block`"),
            ("forward router desktop", "desktop"),
            ("address router.wan 203.0.113.77", "prefix"),
            ("names loud", "silent"),
            ("names silent now", "silent"),
            ("names remove echo.lab.test now", "remove NAME"),
            ("firewall server clear now", "`clear`"),
            ("firewall server", "in drop tcp 5151"),
            ("firewall server in", "in drop tcp 5151"),
            ("names set echo.lab.test b", "`b` is no address"),
            ("names set echo.lab.test", "ADDRESS"),
            ("names set echo..test 192.0.2.1", "`echo..test`"),
        ] {
            let error = text.parse::<Change>().expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
