//! What each step saw, as typed values under the step's name.

use std::net::{IpAddr, SocketAddr};

use echoline_diagnosis::{Diagnosis, Text};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::evidence::{
    Backends, Connect, Control, Conversation, Firewall, Hop, Idle, Knock, Listener, NameFinding, Neighbour,
    Place, Queue, Route, Timing, Wanted, Whoami, Word, mark, problem,
};

/// Declares each step once: its name in the document, and what it holds there.
macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident = $name:literal: $seen:ty,)*) => {
        /// What a step saw, by the step. `None`: an earlier step failed, or there was nothing to
        /// see.
        #[derive(Debug, Clone, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Seen {
            $($(#[$doc])* $step($seen),)*
            /// A step of a newer version: its name. What it saw is not kept.
            Other(#[serde(serialize_with = "nothing")] String),
        }

        impl Seen {
            /// The name of the step.
            pub fn step(&self) -> &str {
                match self {
                    $(Self::$step(_) => $name,)*
                    Self::Other(name) => name,
                }
            }

            /// The schema of what each step saw, by the step.
            #[cfg(test)]
            pub(super) fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($name, generator.subschema_for::<$seen>()),)*]
            }

            /// What the step of that name saw, from its field of the document.
            pub(super) fn read(step: String, seen: serde_json::Value) -> Result<Self, serde_json::Error> {
                Ok(match step.as_str() {
                    $($name => Self::$step(of(&step, seen)?),)*
                    _ => Self::Other(step),
                })
            }
        }
    };
}

steps! {
    /// What was asked for, and whether it can be read.
    Address = "address": AddressSeen,
    /// The addresses of a name.
    Name = "name": Option<NameFinding>,
    /// The way to each address.
    Route = "route": Option<Vec<RouteSeen>>,
    /// The connections.
    Connect = "connect": Option<Connections>,
    /// Other ports of the same hosts.
    Controls = "controls": Vec<ControlsSeen>,
    /// The routers on the way.
    Path = "path": Vec<PathSeen>,
    /// What came back of what was sent.
    Echo = "echo": Option<Conversation>,
    /// What the other side said by itself, or to a HEAD request.
    Greeting = "greeting": Option<Conversation>,
    /// Round trips.
    Timing = "timing": Option<Timing>,
    /// What the other end sees of this one.
    Whoami = "whoami": Whoami,
    /// Which instances answer.
    Backends = "backends": Backends,
    /// Connections on which nothing was said.
    Idle = "idle": Idle,
    /// The sockets that listen on the port.
    Bound = "bound": Option<Vec<Listener>>,
    /// The connections that wait to be taken.
    Queue = "queue": Option<Vec<QueueSeen>>,
    /// What this machine's rules do.
    Firewall = "firewall": Option<Vec<Firewall>>,
    /// Who can reach the port.
    Reach = "reach": Option<ReachSeen>,
}

fn nothing<S: Serializer>(_: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_unit()
}

fn of<T: DeserializeOwned>(step: &str, seen: serde_json::Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(seen).map_err(|error| Error::custom(format_args!("step {step}: {error}")))
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum AddressSeen {
    /// It cannot be read.
    Unreadable {
        /// Why.
        #[serde(with = "problem")]
        #[cfg_attr(test, schemars(with = "problem::Written"))]
        problem: Diagnosis,
    },
    /// A port of another machine.
    Host {
        /// The name or address.
        #[serde(serialize_with = "mark::host")]
        host: String,
        /// The port.
        port: u16,
    },
    /// A port of this one.
    Listen(Wanted),
}

/// The way to one address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteSeen {
    /// Where to.
    #[serde(serialize_with = "mark::address")]
    pub address: IpAddr,
    /// What kind of address it is, in one word.
    pub kind: Word,
    /// It is one of this machine's.
    pub own: bool,
    /// The way.
    pub route: Route,
}

/// The connections that were tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Connections {
    /// To the addresses of the host.
    To(Vec<Tried>),
    /// From this machine to itself.
    Here(Vec<Knock>),
}

/// A connection to one address of the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tried {
    /// Where to.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// What became of it.
    pub connect: Connect,
    /// A program of this machine listens there; `None`: not looked up.
    pub listens: Option<bool>,
    /// The next machine on the way.
    pub neighbour: Option<Neighbour>,
    /// Rules of this machine that stop it.
    #[serde(serialize_with = "mark::foreign")]
    pub own_rules: Vec<String>,
}

/// Other ports of one host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ControlsSeen {
    /// The host.
    #[serde(serialize_with = "mark::address")]
    pub address: IpAddr,
    /// Its ports.
    pub ports: Vec<Control>,
}

/// The routers on the way to one address.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PathSeen {
    /// Where to.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// What answered at each number of hops.
    pub hops: Vec<Hop>,
    /// The same towards another port of that host.
    pub control_hops: Vec<Hop>,
}

/// The queue of one socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct QueueSeen {
    /// Where the socket listens.
    #[serde(serialize_with = "mark::address")]
    pub address: SocketAddr,
    /// Who waits.
    pub queue: Queue,
}

/// Who can reach the port.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReachSeen {
    /// Each address of this machine.
    pub places: Vec<Place>,
    /// Towards the internet.
    #[serde(serialize_with = "mark::address")]
    pub router: Option<IpAddr>,
}

impl Seen {
    /// The same with each of our sentences replaced by what `change` makes of it.
    pub(super) fn map_texts(&mut self, mut change: impl FnMut(&Text) -> Text) {
        let mut optional = |text: &mut Option<Text>| {
            if let Some(text) = text {
                *text = change(text);
            }
        };
        match self {
            Self::Whoami(whoami) => optional(&mut whoami.problem),
            Self::Backends(backends) => optional(&mut backends.problem),
            Self::Idle(idle) => {
                optional(&mut idle.problem);
                optional(&mut idle.busy_problem);
            }
            Self::Address(AddressSeen::Unreadable { problem }) => *problem = problem.map_texts(change),
            Self::Name(Some(NameFinding { problem: Some(problem), .. })) => {
                *problem = problem.map_texts(change);
            }
            _ => {}
        }
    }
}
