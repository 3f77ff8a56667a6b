//! What a firewall's rules do with one new connection: a pure function of the rules.
//!
//! Whether a rule is about it is `Yes`, `No` or `Perhaps`: some conditions (who connects, how often) are not known, and
//! some are not understood. What follows from that is exact: a fate is only told where all that is unknown leads to it.

mod iptables;
mod network;
mod nft;
mod ufw;

pub(super) use iptables::{Table as IptablesTable, parse as parse_iptables};
pub(super) use nft::{parse as parse_nft, tables_of_iptables};
pub(super) use ufw::{Files as UfwFiles, judge as judge_ufw};

use crate::check::findings::Stop;
use std::collections::HashMap;
use std::net::IpAddr;

/// The connection in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) way: Way,
    pub(super) ipv4: bool,
    pub(super) port: u16,
    /// `None`: it may be any.
    pub(super) from: Option<IpAddr>,
    pub(super) to: Option<IpAddr>,
    /// The interface through which it comes or goes, which is not loopback. `None`: it may be any such.
    pub(super) interface: Option<&'a str>,
    /// The kernel follows its connection. `false`: a rule may keep it out of that (`notrack`), so its state is not known.
    pub(super) tracked: bool,
}

/// What the chains are asked: who may pass, or who is led elsewhere before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Filter,
    /// To another port or machine (destination NAT): then the filters for this machine do not meet it. To be led
    /// elsewhere stands as rejected here.
    Nat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// Is a condition met?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    Perhaps,
}

impl Truth {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Perhaps,
        }
    }

    fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

/// What a rule does with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing that decides: it counts, logs, marks.
    Continue,
    /// Keeps it out of what the kernel knows of connections, and decides nothing.
    Untrack,
    Accept,
    Stop(Stop),
    /// Goes on in that chain, and comes back.
    Jump(String),
    /// Goes on in that chain for good.
    Goto(String),
    Return,
    /// Something that decides, and is not understood.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Is it about the connection in question?
    pub(super) applies: Truth,
    pub(super) action: Action,
    /// As its tool prints it.
    pub(super) text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// Where the kernel begins, in the order of priority; `None` for a chain that is only jumped to.
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Does the packet come here?
    pub(super) met: Truth,
    pub(super) priority: i64,
    /// What becomes of what no rule decides.
    pub(super) policy: Action,
    /// As a person finds it.
    pub(super) name: String,
}

/// The chains by name; each table of each family has names of its own, so the name begins with them.
pub(super) type Chains = HashMap<String, Chain>;

/// What becomes of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Passes,
    /// Stopped, by this rule.
    Stopped(Stop, String),
    /// Some pass and some do not: this rule is the one that decides.
    Depends(String),
}

impl Fate {
    /// What two possible fates come to, of which a rule decides.
    fn or(self, other: Self, rule: &str) -> Self {
        match (self, other) {
            (Self::Passes, Self::Passes) => Self::Passes,
            (Self::Stopped(how, by), Self::Stopped(..)) => Self::Stopped(how, by),
            (Self::Depends(by), _) => Self::Depends(by),
            _ => Self::Depends(rule.to_owned()),
        }
    }

    /// After this one, another chain decides too: both have to let it pass.
    fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Stopped(how, by), _) | (_, Self::Stopped(how, by)) => Self::Stopped(how, by),
            (Self::Depends(by), _) | (_, Self::Depends(by)) => Self::Depends(by),
            (Self::Passes, Self::Passes) => Self::Passes,
        }
    }
}

/// Is it the interface of this name, or of one that begins so? Which one it is may not be known, only that it is not
/// loopback.
fn interface_is(interface: Option<&str>, name: &str, wildcard: char) -> Truth {
    let fits = |interface: &str| match name.strip_suffix(wildcard) {
        Some(beginning) => interface.starts_with(beginning),
        None => interface == name,
    };
    match interface {
        Some(interface) => Truth::of(fits(interface)),
        None if name == "lo" => Truth::No,
        None if name.len() == 1 && name.starts_with(wildcard) => Truth::Yes,
        None => Truth::Perhaps,
    }
}

/// So deep may chains jump (the kernel allows as many), and so many rules are looked at.
const MAX_DEPTH: usize = 16;
const MAX_STEPS: usize = 100_000;

/// What the chains at which the kernel begins do with it, one after the other.
pub(super) fn fate(chains: &Chains) -> Fate {
    let mut bases: Vec<(&Base, &Chain)> =
        chains.values().filter_map(|chain| Some((chain.base.as_ref()?, chain))).collect();
    bases.retain(|(base, _)| base.met != Truth::No);
    bases.sort_by(|a, b| (a.0.priority, &a.0.name).cmp(&(b.0.priority, &b.0.name)));
    let mut walk = Walk { chains, steps: 0 };
    bases.into_iter().fold(Fate::Passes, |fate, (base, chain)| {
        let policy = || match base.policy {
            Action::Stop(how) => {
                Fate::Stopped(how, format!("{}: what no rule accepts is dropped", base.name))
            }
            _ => Fate::Passes,
        };
        let here = walk.chain(chain, 0).settle(policy);
        fate.then(if base.met == Truth::Yes { here } else { here.or(Fate::Passes, &base.name) })
    })
}

/// May one of the rules keep it out of what the kernel knows of connections?
pub(super) fn may_untrack(chains: &Chains) -> bool {
    let mut rules = chains.values().flat_map(|chain| &chain.rules);
    rules.any(|rule| rule.action == Action::Untrack && rule.applies != Truth::No)
}

/// What a chain does: decides, or leaves it to whoever comes next, or one of both.
#[derive(Debug, Clone)]
struct Outcome {
    decided: Option<Fate>,
    /// It may come to its end undecided; the rule that decides whether.
    open: Option<String>,
}

impl Outcome {
    /// What is open goes to the end.
    fn settle(self, end: impl FnOnce() -> Fate) -> Fate {
        match (self.decided, self.open) {
            (None, _) => end(),
            (Some(fate), None) => fate,
            (Some(fate), Some(rule)) => fate.or(end(), &rule),
        }
    }
}

struct Walk<'a> {
    chains: &'a Chains,
    steps: usize,
}

impl Walk<'_> {
    fn chain(&mut self, chain: &Chain, depth: usize) -> Outcome {
        // What may have decided already, and the rule that says whether it has.
        let mut perhaps: Option<(Fate, String)> = None;
        let note = |perhaps: &mut Option<(Fate, String)>, fate: Fate, rule: &str| {
            *perhaps = Some(match perhaps.take() {
                None => (fate, rule.to_owned()),
                Some((before, first)) => (before.or(fate, &first), first),
            });
        };
        let mut may_return = None;
        for rule in &chain.rules {
            self.steps += 1;
            if rule.applies == Truth::No {
                continue;
            }
            let sure = rule.applies == Truth::Yes;
            let outcome = match &rule.action {
                Action::Continue | Action::Untrack => continue,
                Action::Accept => Outcome { decided: Some(Fate::Passes), open: None },
                Action::Stop(how) => {
                    Outcome { decided: Some(Fate::Stopped(*how, rule.text.clone())), open: None }
                }
                Action::Return if sure => break,
                Action::Return => {
                    may_return.get_or_insert_with(|| rule.text.clone());
                    continue;
                }
                Action::Unknown => Outcome { decided: Some(Fate::Depends(rule.text.clone())), open: None },
                Action::Jump(to) | Action::Goto(to) => self.jump(to, rule, depth),
            };
            let is_goto = matches!(rule.action, Action::Goto(_));
            let is_left_open = outcome.decided.is_none() || outcome.open.is_some();
            match (outcome.decided, outcome.open) {
                (Some(fate), None) if sure => {
                    let fate = match perhaps {
                        None => fate,
                        Some((before, first)) => before.or(fate, &first),
                    };
                    return Outcome { decided: Some(fate), open: may_return };
                }
                (Some(fate), open) => note(&mut perhaps, fate, open.as_deref().unwrap_or(&rule.text)),
                (None, _) => {}
            }
            // What came to the end of a chain that was gone to for good is at the end of this one, too.
            if is_goto && sure {
                break;
            }
            if is_goto && is_left_open {
                may_return.get_or_insert_with(|| rule.text.clone());
            }
        }
        match perhaps {
            None => Outcome { decided: None, open: None },
            Some((fate, rule)) => Outcome { decided: Some(fate), open: Some(rule) },
        }
    }

    fn jump(&mut self, to: &str, rule: &Rule, depth: usize) -> Outcome {
        let unknown = Outcome { decided: Some(Fate::Depends(rule.text.clone())), open: None };
        match self.chains.get(to) {
            Some(chain) if depth < MAX_DEPTH && self.steps < MAX_STEPS => self.chain(chain, depth + 1),
            _ => unknown,
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
