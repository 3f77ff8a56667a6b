//! What a row is.

use anyhow::Result;

use super::bench::Bench;
use super::seen::Seen;

/// One fault of the catalogue.
pub(crate) struct Row {
    pub(crate) number: u8,
    pub(crate) fault: &'static str,
    pub(crate) expected: &'static str,
    /// Fast enough for `--quick`, and more than tests that CI runs anyway.
    pub(crate) fast: bool,
    /// Runs tests of the server, which are built first.
    pub(crate) tested: bool,
    pub(crate) canary: Bound,
    pub(crate) kind: Kind,
}

/// What is asked of the time that the honest connection waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// Its p99 under attack is at most so many times its p99 before.
    Times(f64),
    /// Its bytes are compared and its p99 is reported, and no more; says why.
    BytesOnly(&'static str),
    /// There is no server of ours that could have one beside it: a test brings its own, or it is a client that is attacked.
    None,
}

pub(crate) enum Kind {
    /// Provoked against the server, once an engine.
    Server(fn(&Bench) -> Result<Seen>),
    /// As `Server`, and the attack means something against any other echo server, too.
    AnyServer(fn(&Bench) -> Result<Seen>),
    /// Not a matter of the server's engine.
    Once(fn(&Bench) -> Result<Seen>),
    /// Waits for a feature that is not there yet.
    Later(&'static str),
}
