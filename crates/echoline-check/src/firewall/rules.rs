//! Rules, and the connection that they are asked about.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::evidence::Stop;

/// The connection in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) way: Way,
    pub(crate) ipv4: bool,
    pub(crate) port: u16,
    /// `None`: it may be any.
    pub(crate) from: Option<IpAddr>,
    pub(crate) to: Option<IpAddr>,
    /// The interface through which it comes or goes, which is not loopback. `None`: it may be any such.
    pub(crate) interface: Option<&'a str>,
    /// The kernel follows its connection. `false`: a rule may keep it out of that (`notrack`), so its state is not known.
    pub(crate) tracked: bool,
}

/// What the chains are asked: who may pass, or who is led elsewhere before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    Filter,
    /// To another port or machine (destination NAT): then the filters for this machine do not meet it. To be led
    /// elsewhere stands as rejected here.
    Nat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

/// Is a condition met?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Yes,
    No,
    Perhaps,
}

impl Truth {
    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    pub(crate) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Perhaps => Self::Perhaps,
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Perhaps,
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

/// What a rule does with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
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
pub(crate) struct Rule {
    /// Is it about the connection in question?
    pub(crate) applies: Truth,
    pub(crate) action: Action,
    /// As its tool prints it.
    pub(crate) text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Where the kernel begins, in the order of priority; `None` for a chain that is only jumped to.
    pub(crate) base: Option<Base>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// Does the packet come here?
    pub(crate) met: Truth,
    pub(crate) priority: i64,
    /// What becomes of what no rule decides.
    pub(crate) policy: Action,
    /// As a person finds it.
    pub(crate) name: String,
}

/// The chains by name; each table of each family has names of its own, so the name begins with them.
pub(crate) type Chains = HashMap<String, Chain>;

/// Is it the interface of this name, or of one that begins so? Which one it is may not be known, only that it is not
/// loopback.
pub(crate) fn interface_is(interface: Option<&str>, name: &str, wildcard: char) -> Truth {
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
