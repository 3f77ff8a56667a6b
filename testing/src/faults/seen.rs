//! What was seen of a row.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;

use super::canary::Watched;

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
}
