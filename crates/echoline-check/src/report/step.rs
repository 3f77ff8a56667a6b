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
pub struct Step {
    /// For a program: what was seen, as it was seen. It names the step, too.
    pub seen: Seen,
    /// How it went.
    pub state: State,
    /// How long it took; `None` if that means nothing.
    pub took_us: Option<u64>,
    /// For a person: one line or more.
    pub says: Vec<Text>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
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
    pub fn name(&self) -> &str {
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

#[cfg(test)]
impl schemars::JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let schemas = Seen::schemas(generator);
        let names: Vec<_> = schemas.iter().map(|(name, _)| *name).collect();
        let mut steps: Vec<_> = schemas
            .iter()
            .map(|(name, seen)| {
                serde_json::json!({ "properties": { "step": { "const": name }, "evidence": seen } })
            })
            .collect();
        // A newer version may have more.
        steps.push(serde_json::json!({ "properties": { "step": { "not": { "enum": names } } } }));
        schemars::json_schema!({
            "description": "One thing that was looked at.",
            "type": "object",
            "required": ["step", "state", "took_us", "says", "evidence"],
            "properties": {
                "step": { "description": "The name of the step.", "type": "string" },
                "state": generator.subschema_for::<State>(),
                "took_us": {
                    "description": "How long it took, in microseconds.",
                    "type": ["integer", "null"], "minimum": 0
                },
                "says": {
                    "description": "For a person: one line or more.",
                    "type": "array", "items": { "type": "string" }
                },
                "evidence": { "description": "For a program: what was seen, as it was seen." }
            },
            "oneOf": steps
        })
    }
}
