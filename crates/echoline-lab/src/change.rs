//! Changes of a running lab, in the words of the command line; scenarios use the same words.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use crate::link::{self, Setting};
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
    /// Settings of one way or both, one after the other; the rest stays.
    Settings {
        /// From the first end to the second.
        there: bool,
        /// And back.
        back: bool,
        /// As `loss=5% delay=20ms`.
        settings: Vec<Setting>,
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

impl Change {
    /// What becomes of a link: `cut`, `mend`, `mtu=576`, or settings of both ways or of one:
    /// `there loss=5%`. A word may hold several, as one argument of a shell can.
    ///
    /// # Errors
    /// The word that means nothing, or what is missing.
    pub fn link<'a>(name: &str, words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let words: Vec<_> = single(words).collect();
        Ok(Self::Link { name: named(name)?, to: LinkChange::from_words(&words)? })
    }

    /// A rule of a firewall before all others, as `in drop tcp 5151`; or `clear`.
    ///
    /// # Errors
    /// As [`Change::link`].
    pub fn firewall<'a>(host: &str, words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let words: Vec<_> = single(words).collect();
        let rule = match words.as_slice() {
            ["clear"] => None,
            [chain, rule @ ..] if !rule.is_empty() || chain.parse::<Chain>().is_err() => {
                Some((chain.parse()?, Rule::from_words(rule.iter().copied())?))
            }
            _ => {
                return Err("a firewall takes `clear`, or in, out or through and a rule, such as in \
                            drop tcp 5151"
                    .into());
            }
        };
        Ok(Self::Firewall { host: named(host)?, rule })
    }

    /// A port of a router that leads to a host, or to HOST:PORT.
    ///
    /// # Errors
    /// As [`Change::link`].
    pub fn forward(router: &str, port: &str, host: &str) -> Result<Self, String> {
        Ok(Self::Forward { router: named(router)?, forward: Forward::new(port, host)? })
    }

    /// Another address of an interface: `router.wan`, or a host's name for its only one.
    ///
    /// # Errors
    /// As [`Change::link`].
    pub fn address(interface: &str, network: &str) -> Result<Self, String> {
        let (node, interface) = interface.split_once('.').unwrap_or((interface, "eth0"));
        Ok(Self::Address { node: named(node)?, interface: named(interface)?, address: network.parse()? })
    }

    /// How the name server answers, as `silent`; or what it knows, as `set NAME ADDRESS`. A word
    /// may hold several.
    ///
    /// # Errors
    /// As [`Change::link`].
    pub fn names<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        Ok(Self::Names(NamesChange::from_words(single(words))?))
    }
}

/// The words in these words.
fn single<'a>(words: impl IntoIterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    words.into_iter().flat_map(str::split_whitespace)
}

/// A name that is one word, so that the change reads as it is written.
fn named(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(format!("`{}` is no name", name.escape_debug()));
    }
    Ok(name.to_owned())
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(what), Some(first)) = (words.next(), words.next()) else { return Err(CHANGES.into()) };
        match what {
            "link" => Self::link(first, words),
            "firewall" => Self::firewall(first, words),
            "forward" => Self::forward(first, words.next().unwrap_or_default(), &rest(words)),
            "address" => Self::address(first, &rest(words)),
            "names" => Self::names([first].into_iter().chain(words)),
            _ => Err(format!("`{}` is no change: {CHANGES}", what.escape_debug())),
        }
    }
}

/// What is left, as one text: more than one word of it means nothing, and is told as it stands.
fn rest<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

impl LinkChange {
    fn from_words(words: &[&str]) -> Result<Self, String> {
        if let Some(mtu) = words.first().and_then(|word| word.strip_prefix("mtu=")) {
            let bytes = mtu.parse().ok().filter(|mtu| words.len() == 1 && (68..=65_535).contains(mtu));
            let given = words.join(" ");
            return bytes.map(Self::Mtu).ok_or_else(|| {
                format!("an MTU of `{}` is not in 68 to 65535 bytes", &given["mtu=".len()..])
            });
        }
        let (there, back, words) = match words {
            ["cut"] => return Ok(Self::Cut),
            ["mend"] => return Ok(Self::Mend),
            ["there", words @ ..] => (true, false, words),
            ["back", words @ ..] => (false, true, words),
            words => (true, true, words),
        };
        if words.is_empty() {
            return Err("a link is cut, mended, or takes settings such as loss=5% delay=20ms".into());
        }
        let settings = words.iter().map(|word| word.parse::<Setting>().map_err(|error| error.to_string()));
        Ok(Self::Settings { there, back, settings: settings.collect::<Result<_, _>>()? })
    }
}

impl NamesChange {
    fn from_words<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let wrong = || {
            "names take answer, silent, servfail, refused, delay=2s, `set NAME ADDRESS...` or `remove NAME`"
                .to_owned()
        };
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
                let name =
                    words.next().map(|name| name.trim_end_matches('.')).filter(|name| !name.is_empty());
                Self::Remove(name.ok_or_else(wrong)?.to_ascii_lowercase())
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
            Self::Settings { there, back, settings } => {
                let way = match (there, back) {
                    (true, true) => "",
                    (true, false) => "there ",
                    (false, _) => "back ",
                };
                let words: Vec<_> = settings.iter().map(ToString::to_string).collect();
                write!(f, "{way}{}", words.join(" "))
            }
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
    fn a_change_that_is_made_from_words_reads_as_it_is_written() {
        for change in [
            Change::link("wan", ["back", "loss=5% lose_text=\u{1b}\u{e9}", "none rate=off"]),
            Change::link("wan", ["mtu=576"]),
            Change::firewall("server", ["in drop", "tcp", "1-9 from 10.0.0.0/8"]),
            Change::firewall("server", ["clear"]),
            Change::forward("router", "80", "desktop:8080"),
            Change::address("laptop", "2001:db8::7/64"),
            Change::names(["set echo.lab.test", "192.0.2.1 2001:db8::1"]),
        ] {
            let change = change.expect("a change");
            assert_eq!(change.to_string().parse(), Ok(change));
        }
    }

    #[test]
    fn a_name_of_several_words_is_none() {
        // It would be another change to the running lab, which reads a line.
        for change in [
            Change::link("wan cut", ["mend"]),
            Change::link("wan\nlan", ["cut"]),
            Change::firewall("", ["clear"]),
            Change::forward("a router", "80", "desktop"),
            Change::forward("router", "80", "a desktop"),
            Change::address("router.the wan", "192.0.2.1/24"),
        ] {
            change.expect_err("no change");
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
            ("names remove .", "remove NAME"),
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
