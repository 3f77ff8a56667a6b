//! Tries to connect, as evidence.

use std::net::SocketAddr;
use std::time::Duration;

use crate::code::Code;

/// One try to connect to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address and port that were tried.
    pub address: SocketAddr,
    /// The local address and port it left from; `None` if it did not get that far.
    pub source: Option<SocketAddr>,
    /// When it started, counted from the call of connect.
    pub started_after: Duration,
    /// How long it took from its start to its end.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The connection stands.
    Connected,
    /// Another attempt was faster.
    Abandoned,
    /// It failed.
    Failed {
        /// Why.
        code: Code,
        /// The `errno` of the operating system; `None` if our own deadline ended it.
        os_error: Option<i32>,
    },
}
