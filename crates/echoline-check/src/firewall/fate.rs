//! What the chains do with a connection, one after the other.

use super::rules::{Action, Base, Chain, Chains, Rule, Truth};
use crate::evidence::Stop;

/// What becomes of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
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

/// So deep may chains jump (the kernel allows as many), and so many rules are looked at.
const MAX_DEPTH: usize = 16;
const MAX_STEPS: usize = 100_000;

/// What the chains at which the kernel begins do with it, one after the other.
pub(crate) fn fate(chains: &Chains) -> Fate {
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
pub(crate) fn may_untrack(chains: &Chains) -> bool {
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
