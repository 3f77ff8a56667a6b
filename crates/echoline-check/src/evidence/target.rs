//! What was asked for.

use serde::{Deserialize, Serialize};

use super::mark;

/// A host and what is expected of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Target {
    /// The name or address, as it is resolved or was written.
    #[serde(serialize_with = "mark::host")]
    pub host: String,
    /// The port; 0 if it could not be read.
    pub port: u16,
    /// What the other side should do.
    pub expect: Expect,
    /// Of a URL that promises a protocol.
    pub scheme: Option<Scheme>,
}

/// A protocol that a URL promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// A HEAD request is sent.
    Http,
    /// Nothing is sent.
    Https,
}

/// What should happen once the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// What is sent comes back, byte for byte
    Echo,
    /// The connection stands; nothing is sent
    Connect,
}
