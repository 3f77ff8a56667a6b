//! What a row is, and what was seen of it.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;

use super::bench::Bench;
use super::canary::Watched;

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

/// What an attack showed.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) text: String,
    /// What should have been and was not. Empty: the row holds.
    pub(crate) broken: Vec<String>,
    /// Keys name their unit.
    pub(crate) figures: BTreeMap<&'static str, f64>,
    pub(crate) canary: Option<Watched>,
    /// Tests of the server that provoke an edge which no client can reach.
    pub(crate) tests: Vec<String>,
}

impl Seen {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Notes what should be and is not.
    pub(crate) fn must(mut self, holds: bool, what: impl Into<String>) -> Self {
        if !holds {
            self.broken.push(what.into());
        }
        self
    }

    pub(crate) fn figure(mut self, key: &'static str, value: impl Into<f64>) -> Self {
        self.figures.insert(key, value.into());
        self
    }

    /// As `and`, of a part that this machine may not be able to show. Then the whole is not shown, unless it is broken
    /// already.
    pub(crate) fn and_part(self, part: Result<Self>) -> Result<Self> {
        let is_broken =
            !self.broken.is_empty() || self.canary.as_ref().is_some_and(|canary| canary.broken.is_some());
        match part {
            Ok(part) => Ok(self.and(part)),
            Err(error) if error.is::<NotShown>() && is_broken => Ok(self),
            Err(error) if error.is::<NotShown>() => {
                Err(not_shown(format!("{error:#}; what else there is of this row holds: {}", self.text)))
            }
            Err(error) => Err(error),
        }
    }

    /// Both of two attacks on the same row.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.text = format!("{}; {}", self.text, other.text);
        self.broken.extend(other.broken);
        self.figures.extend(other.figures);
        self.tests.extend(other.tests);
        self.canary = match (self.canary, other.canary) {
            (Some(one), Some(two)) => Some(one.worse(two)),
            (one, two) => one.or(two),
        };
        self
    }
}

/// Says why a row cannot be provoked on this machine. Such a row has not passed.
#[derive(Debug)]
pub(crate) struct NotShown(pub(crate) String);

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotShown {}

/// An error that makes the row *not shown*.
pub(crate) fn not_shown(why: impl Into<String>) -> anyhow::Error {
    NotShown(why.into()).into()
}

const LATER: &[Row] = &[
    later(
        20,
        "PROXY enabled: forged, split, oversize, stalled header",
        "trusted sources only; 3 s deadline",
        "the PROXY protocol",
    ),
    later(21, "TLS handshake stalls", "handshake deadline", "TLS"),
    later(33, "restart under load", "0 refused, 0 bytes lost", "the hand-over of listeners"),
];

const fn later(number: u8, fault: &'static str, expected: &'static str, feature: &'static str) -> Row {
    Row {
        number,
        fault,
        expected,
        fast: true,
        tested: false,
        canary: Bound::None,
        kind: Kind::Later(feature),
    }
}

/// The catalogue, family by family.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    let families: [&[Row]; 12] = [
        super::slow::ROWS,
        super::ending::ROWS,
        super::bytes::ROWS,
        super::accept::ROWS,
        super::shortage::ROWS,
        super::many::ROWS,
        super::link::ROWS,
        super::system::ROWS,
        super::ring::ROWS,
        super::client::ROWS,
        super::clock::ROWS,
        LATER,
    ];
    families.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_cannot_be_shown_hides_neither_itself_nor_what_broke() {
        let missing = || Err(not_shown("no clock"));
        let held = Seen::new("the rest").and_part(missing()).err().expect("not shown");
        assert!(held.is::<NotShown>() && held.to_string().contains("no clock"));
        let broken = Seen::new("the rest").must(false, "what should be").and_part(missing());
        assert_eq!(broken.expect("shown").broken, ["what should be"]);
        let failed =
            Seen::new("the rest").and_part(Err(anyhow::anyhow!("it broke"))).err().expect("an error");
        assert!(!failed.is::<NotShown>());
    }

    #[test]
    fn every_fault_of_the_catalogue_has_exactly_one_row() {
        let mut numbers: Vec<_> = all().map(|row| row.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=49).collect::<Vec<_>>());
    }
}
