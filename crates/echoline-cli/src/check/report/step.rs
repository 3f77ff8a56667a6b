//! One step of a report.

use std::fmt;

use echoline_diagnosis::Text;
use serde::de::Error;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::seen::Seen;

/// One thing that was looked at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub(in crate::check) struct Step {
    /// For a program: what was seen, as it was seen. It names the step, too.
    pub(in crate::check) seen: Seen,
    /// How it went.
    pub(in crate::check) state: State,
    /// How long it took; `None` if that means nothing.
    pub(in crate::check) took_us: Option<u64>,
    /// For a person: one line or more.
    pub(in crate::check) says: Vec<Text>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum State {
    /// As it should.
    Pass,
    /// Some of it, or with something worth knowing.
    Warn,
    /// Not as it should.
    Fail,
    /// An earlier step failed.
    Skip,
    /// There is nothing to look at.
    #[serde(rename = "n/a")]
    NotApplicable,
}

impl Step {
    pub(super) fn new(seen: Seen, state: State, says: Vec<Text>) -> Self {
        Self { seen, state, took_us: None, says }
    }

    /// With the time that it took.
    pub(super) fn took(self, us: u64) -> Self {
        Self { took_us: Some(us), ..self }
    }

    pub(super) fn skipped(seen: Seen) -> Self {
        Self::new(seen, State::Skip, vec!["an earlier step failed".into()])
    }

    /// The name of the step, such as `connect`.
    pub(in crate::check) fn name(&self) -> &str {
        self.seen.step()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
            Self::NotApplicable => "N/A",
        })
    }
}

/// All, some or none.
pub(super) fn grade(good: usize, all: usize) -> State {
    match good {
        0 => State::Fail,
        _ if good == all => State::Pass,
        _ => State::Warn,
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 5)?;
        step.serialize_field("step", self.name())?;
        step.serialize_field("state", &self.state)?;
        step.serialize_field("took_us", &self.took_us)?;
        step.serialize_field("says", &self.says)?;
        step.serialize_field("evidence", &self.seen)?;
        step.end()
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The name decides how the evidence is read, and may stand behind it.
        #[derive(Deserialize)]
        struct Written {
            step: String,
            state: State,
            took_us: Option<u64>,
            says: Vec<Text>,
            evidence: serde_json::Value,
        }
        let Written { step, state, took_us, says, evidence } = Written::deserialize(deserializer)?;
        let seen = Seen::read(step, evidence).map_err(D::Error::custom)?;
        Ok(Self { seen, state, took_us, says })
    }
}
